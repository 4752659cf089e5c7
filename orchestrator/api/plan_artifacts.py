"""The artifact that a plan names: found, read, and fit to be rolled out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.plan_tickets import planned_ticket, ticket_beside
from orchestrator.api.values import PlanRequest, Settings
from orchestrator.device.shipped import HELPER_COMPONENT
from orchestrator.errors import PlanError, Where

if TYPE_CHECKING:
    from orchestrator.artifact.model import Artifact
    from orchestrator.plan.model import Plan
    from orchestrator.plan.resolved import PlannedArtifact, ResolvedPlan
    from orchestrator.trust.keys import VerificationKey


def planned_artifact(settings: Settings, request: PlanRequest, plan: Plan) -> PlannedArtifact:
    """The artifact as a resolved plan describes it.

    Raises:
        ArtifactError: there is none, or a rule is broken.
        TrustError: unsigned, or by no trusted key; its ticket is none, or about another artifact.
        PlanError: a variable of its name is missing, or a file of its ticket; or it is a helper, and
            the plan is for another component.
    """
    from orchestrator.artifact.repository import find
    from orchestrator.plan.render_text import rendered_artifact
    from orchestrator.plan.resolved import PlannedArtifact

    name = rendered_artifact(plan, request.source.extra_vars)
    path = find(name, base=request.plan.parent)
    artifact, key = read_artifact(settings, path)
    _check_component(request, plan, artifact.payload.type)
    ticket = ticket_beside(path)
    return PlannedArtifact(
        path=name,
        name=artifact.name,
        sha256=artifact.sha256,
        manifest_sha256=artifact.manifest_sha256,
        payload_type=artifact.payload.type,
        device_types=artifact.device_types,
        size_bytes=artifact.size_bytes,
        transfer_bytes=artifact.delivery_size_bytes + (ticket.size_bytes if ticket else 0),
        signed_by=f"{key.kind} {key.fingerprint[:16]}" if key else "",
        ticket=planned_ticket(ticket, artifact, settings.trust_root),
        follows=artifact.depends.get("artifact_name", ()),
    )


def _check_component(request: PlanRequest, plan: Plan, payload_type: str) -> None:
    """A helper has a component of its own: beside others it would end what they know of their release."""
    from orchestrator.artifact.spec import HELPER_TYPE

    if payload_type != HELPER_TYPE or plan.component == HELPER_COMPONENT:
        return
    message = f"the artifact is a helper, which is no release of the component `{plan.component}`"
    hint = f"say `component: {HELPER_COMPONENT}` in the plan"
    raise PlanError(message, hint=hint, where=Where(str(request.plan)), code="P306")


def artifact_path(settings: Settings, resolved: ResolvedPlan) -> Path:
    """The artifact's file, as the plan names it.

    Raises:
        ArtifactError: there is none.
    """
    from orchestrator.artifact.repository import find

    base = (settings.root / resolved.plan_file).parent
    return find(resolved.artifact.path, base=base)


def read_artifact(settings: Settings, path: Path) -> tuple[Artifact, VerificationKey | None]:
    """An artifact that may be rolled out: sound, signed, by a trusted key where any is known.

    The key is None where the operator trusts none: devices still check with theirs.

    Raises:
        ArtifactError: a rule is broken.
        TrustError: unsigned, or by no trusted key.
    """
    from orchestrator.artifact.reader import ReadOptions
    from orchestrator.artifact.reader import read_artifact as read
    from orchestrator.trust.errors import TrustRule, refuse
    from orchestrator.trust.keys import load_public_key
    from orchestrator.trust.signature import verify_artifact

    options = ReadOptions()
    keys = [load_public_key(key) for key in settings.trusted_keys]
    if keys:
        verified = verify_artifact(path, keys, options=options)
        return verified.artifact, verified.key
    artifact = read(path, options=options)
    if not artifact.signature:
        message = f"artifact `{path}` is not signed"
        hint = "sign it with `rollout artifact sign`; devices refuse it otherwise"
        raise refuse(TrustRule.UNSIGNED, message, hint=hint)
    return artifact, None
