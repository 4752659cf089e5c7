"""Differences between artifacts: made for who releases, found for who delivers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.artifact_values import DeltaShown
from orchestrator.api.plan_artifacts import artifact_path
from orchestrator.artifact.errors import ArtifactError

if TYPE_CHECKING:
    from orchestrator.api.values import Settings
    from orchestrator.artifact.model import Artifact
    from orchestrator.engine.deltas import Delta
    from orchestrator.plan.resolved import ResolvedPlan


def artifact_delta(old: Path, new: Path) -> DeltaShown:
    """Writes the difference beside the newer artifact, where deliveries of that look for it.

    Raises:
        ArtifactError: one of them breaks a rule, they have no difference that is worth it, the
            file exists, or xdelta3 is not there.
    """
    from orchestrator.artifact.delta import make_delta
    from orchestrator.artifact.reader import read_artifact

    names = [read_artifact(path).name for path in (old, new)]
    made = make_delta(old, new)
    return DeltaShown(
        path=made.path,
        old=names[0],
        new=names[1],
        file=made.name,
        patch_bytes=made.patch.size_bytes,
        whole_bytes=made.size_bytes,
    )


def deltas_for(path: Path, artifact: Artifact) -> tuple[Delta, ...]:
    """What lies beside the artifact and makes a file of it."""
    from orchestrator.artifact.delta import deltas_beside
    from orchestrator.artifact.model import PAYLOAD_FOLDER
    from orchestrator.device.protocol import Frame
    from orchestrator.engine.deltas import Delta

    return tuple(
        Delta(
            old_manifest=found.old_manifest,
            old_size_bytes=found.old_size_bytes,
            old_sha256=found.old_sha256,
            name=PAYLOAD_FOLDER + found.name,
            size_bytes=found.size_bytes,
            sha256=found.sha256,
            patch=Frame(
                found.patch.name, found.patch.size_bytes, found.patch.sha256, found.patch.chunks
            ),
        )
        for found in deltas_beside(path, artifact)
    )


def differences_save(settings: Settings, resolved: ResolvedPlan) -> dict[str, int]:
    """Bytes that a device is spared, by the manifest of what it runs; nothing where there is no artifact."""
    from orchestrator.artifact.delta import deltas_to

    try:
        path = artifact_path(settings, resolved)
    except ArtifactError:
        return {}
    found = deltas_to(path, resolved.artifact.manifest_sha256)
    # the first one counts, as it does for the engine
    return {
        delta.old_manifest: delta.size_bytes - delta.patch.size_bytes for delta in reversed(found)
    }
