"""Saved plans: what they were made from, and whether that is still so."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING

from orchestrator.api.plan_artifacts import artifact_path, read_artifact
from orchestrator.api.plan_tickets import refuse_other_ticket, ticket_beside
from orchestrator.api.project import load_inventory, read_file
from orchestrator.api.values import Prepared, Settings, Source
from orchestrator.errors import PlanError, StalePlanError
from orchestrator.rollout.states import TERMINAL_ROLLOUT
from orchestrator.units import format_duration

if TYPE_CHECKING:
    from orchestrator.inventory.model import Inventory
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.store.records import RolloutSummary

SAVED_PLAN_S = 24 * 3600.0  # older: the fleet has moved on; resolving again costs seconds
CLOCKS_S = 300.0  # by which two machines may differ; what is made later would never be too old


def refuse_stale(settings: Settings, prepared: Prepared) -> None:
    """Refuses a saved plan that no longer describes the world; for new starts only.

    Raises:
        StalePlanError: too old, or plan file, inventory, artifact or ticket changed since.
    """
    resolved = prepared.resolved
    hint = "look at it again: `rollout preview PLAN --out FILE`"
    refuse_old("plan", resolved.made_at, hint=hint)
    plan_file = settings.root / resolved.plan_file
    if plan_file.is_file():
        found = hashlib.sha256(read_file(plan_file)).hexdigest()
        if found != resolved.plan_sha256:
            message = f"plan file `{resolved.plan_file}` has changed since it was saved"
            raise StalePlanError(message, hint=hint, code="P312")
    if _inventory_of_today(settings, resolved) != resolved.inventory_sha256:
        message = "the inventory has changed since the plan was saved"
        raise StalePlanError(message, hint=hint, code="P314")
    path = artifact_path(settings, resolved)
    artifact, _ = read_artifact(settings, path)
    if artifact.sha256 != resolved.artifact.sha256:
        message = f"artifact `{resolved.artifact.path}` has changed since the plan was saved"
        raise StalePlanError(message, hint=hint, code="P313")
    refuse_other_ticket(ticket_beside(path), resolved)


def refuse_old(what: str, made_at: float, *, hint: str) -> None:
    """Refuses what was saved too long ago, or would be saved only later.

    Raises:
        StalePlanError: says which.
    """
    age_s = time.time() - made_at
    if age_s > SAVED_PLAN_S:
        message = f"the saved {what} is {age_s / 3600:.0f} hours old, more than 24"
        raise StalePlanError(message, hint=hint, code="P311")
    if age_s < -CLOCKS_S:
        message = f"the saved {what} was made {format_duration(round(-age_s / 60) * 60)} from now, it says"
        clocks = "look at the clocks of this machine and of the one that saved it"
        raise StalePlanError(message, hint=f"{clocks}, then {hint}", code="P311")


def refuse_repeated(earlier: RolloutSummary | None) -> None:
    """Refuses a saved plan that was rolled out before: it says what devices ran until then.

    Raises:
        StalePlanError: it was, and that rollout is over.
    """
    if earlier is not None and earlier.state in TERMINAL_ROLLOUT:
        run, state = earlier.rollout_id, earlier.state.replace("_", " ")
        message = f"the saved plan was rolled out already, as `{run}` ({state})"
        hint = (
            f"`rollout status {run}` shows what came of it, and `rollout preview PLAN --out FILE` "
        )
        hint += "what there is to do now"
        raise StalePlanError(message, hint=hint, code="P315")


def choice_digest(source: Source) -> str:
    """Digest of limit and `-e`; their values stay out of the plan."""
    if not source.limit and not source.extra_vars:
        return ""
    chosen = {"limit": source.limit, "vars": dict(source.extra_vars)}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def inventory_digest(inventory: Inventory, choice_sha256: str) -> str:
    """Digest of everything that chooses devices and variables: files, limit, `-e`."""
    if not choice_sha256:
        return inventory.digest
    return hashlib.sha256(f"{inventory.digest} {choice_sha256}".encode()).hexdigest()


def _inventory_of_today(settings: Settings, resolved: ResolvedPlan) -> str:
    """The same digest now; "" where the inventory cannot be read any more."""
    try:
        inventory = load_inventory(settings, Source(inventory=resolved.inventory))
    except PlanError:
        return ""
    return inventory_digest(inventory, resolved.choice_sha256)
