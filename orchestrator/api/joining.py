"""Devices that joined the fleet of a rollout under way (`late_joiners: append`).

Laws:
1. A fleet has grown only under the same plan, artifact, inventory sources and choice of devices:
   what another inventory names joins nothing.
2. Who joins is for the rollout to judge (`asking.join`); it goes on with or without them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.api.stored import load_stored, plan_of
from orchestrator.api.stores import open_state, rollout_id_of, state_exists
from orchestrator.api.values import PlanRequest, Settings, Source
from orchestrator.plan.controls import LateJoiners

if TYPE_CHECKING:
    from orchestrator.plan.resolved import ResolvedPlan


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a rollout and its grown fleet have in common."""

    plan_sha256: str
    artifact_sha256: str
    inventory: tuple[str, ...]
    choice_sha256: str


@dataclass(frozen=True, slots=True)
class Elder:
    """A rollout under way whose fleet may have grown.

    `plan` is as it was stored, `amended` has the devices that joined so far.
    """

    rollout_id: str
    plan: ResolvedPlan
    amended: ResolvedPlan


async def find_elder(settings: Settings, inputs: Inputs) -> Elder | None:
    """The newest rollout under way of these inputs that takes late joiners."""
    from orchestrator.plan.digest import from_json

    if not state_exists(settings):
        return None
    async with open_state(settings) as store:
        for rollout_id in await store.find_grown(inputs.plan_sha256, inputs.artifact_sha256):
            stored = await load_stored(store, rollout_id)
            plan = plan_of(stored)
            same = (plan.inventory, plan.choice_sha256) == (inputs.inventory, inputs.choice_sha256)
            if same and plan.late_joiners is LateJoiners.APPEND:
                return Elder(rollout_id, from_json(stored.plan_json, file=rollout_id), plan)
    return None


async def grown(settings: Settings, rollout: str | None) -> tuple[str, PlanRequest] | None:
    """The whole id of a rollout, and what to prepare to see who joined a rollout since; None where nobody may, or none can tell.

    A choice of devices on the command line is stored as a digest only, so that nothing but the
    same command can repeat it; and a plan file that was changed is another plan.
    """
    if not state_exists(settings):
        return None
    async with open_state(settings) as store:
        rollout_id = await rollout_id_of(store, rollout)
        plan = plan_of(await load_stored(store, rollout_id))
    file = settings.root / plan.plan_file
    if plan.late_joiners is LateJoiners.IGNORE or plan.choice_sha256 or not file.is_file():
        return None
    if hashlib.sha256(file.read_bytes()).hexdigest() != plan.plan_sha256:
        return None
    return rollout_id, PlanRequest(file, Source(inventory=plan.inventory))
