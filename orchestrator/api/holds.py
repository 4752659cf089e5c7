"""Letting devices go that rollouts leave out since they failed."""

from __future__ import annotations

import time
from collections.abc import Collection

from orchestrator.api.owners import person
from orchestrator.api.roles import require_role
from orchestrator.api.stores import no_rollouts, open_state, state_exists
from orchestrator.api.values import Settings


async def device_unhold(
    settings: Settings, devices: Collection[str], *, reason: str
) -> Collection[str]:
    """Lets devices take part again, whatever held them; gives those that were held.

    Raises:
        PlanError: who asks is no operator.
        StoreError: there is no store, or it failed.
    """
    require_role(settings, "device unhold")
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        return await store.unhold(devices, who=person(), why=reason, at=time.time())
