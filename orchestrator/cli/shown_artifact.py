"""An artifact on stdout: shared by the commands that make or read one."""

from __future__ import annotations

from orchestrator import api
from orchestrator.cli.options import Format
from orchestrator.cli.session import Session
from orchestrator.cli.shown import show_result
from orchestrator.render.shown import ArtifactFacts, artifact_document, artifact_text


def show(session: Session, artifact: api.ArtifactShown, form: Format) -> None:
    """Writes what is known of an artifact."""
    facts = ArtifactFacts(
        path=str(artifact.path),
        name=artifact.name,
        sha256=artifact.sha256,
        manifest_sha256=artifact.manifest_sha256,
        size_bytes=artifact.size_bytes,
        device_types=artifact.device_types,
        payload_type=artifact.payload_type,
        compression=artifact.compression,
        signed=artifact.signed,
        signed_by=artifact.signed_by,
        depends=artifact.depends,
        provides=artifact.provides,
        files=artifact.files,
    )
    show_result(form, artifact_document(facts), artifact_text(facts, session.out))
