"""Letting devices go that rollouts leave out since they failed."""

from __future__ import annotations

import re
import time
from collections.abc import Collection

from orchestrator.api.owners import person
from orchestrator.api.project import load_inventory
from orchestrator.api.recording import seal_acts
from orchestrator.api.roles import require_role
from orchestrator.api.stores import no_rollouts, open_state, state_exists
from orchestrator.api.values import Settings, Source
from orchestrator.errors import PlanError

_NAME = re.compile(r"[^&!:,*?\[\]]+")  # a pattern that can be the name of one device


def pattern_devices(settings: Settings, pattern: str, source: Source) -> tuple[str, ...]:
    """Devices that a pattern selects in the inventory, or the one device whose name it is.

    A name needs no inventory that loads: it may have lost the device that rollouts left out.

    Raises:
        PlanError: the inventory or the pattern is wrong.
    """
    may_be_name = _NAME.fullmatch(pattern) is not None
    try:
        inventory = load_inventory(settings, source)
    except PlanError:
        if may_be_name:
            return (pattern,)
        raise
    if may_be_name and pattern not in inventory.group_names:
        return (pattern,)
    return inventory.match(pattern, limit=source.limit)


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
        freed = await store.unhold(devices, who=person(), why=reason, at=time.time())
        if freed:
            await seal_acts(settings, store)
        return freed
