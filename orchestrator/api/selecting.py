"""Devices of a pattern, for commands that do something with each: with none, nothing was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.api.project import load_inventory, nobody
from orchestrator.api.values import Settings, Source
from orchestrator.errors import PlanError

if TYPE_CHECKING:
    from orchestrator.device.model import Device


def devices_of(settings: Settings, source: Source, pattern: str) -> tuple[Device, ...]:
    """The devices of a pattern, cut down to the source's limit; at least one.

    Raises:
        PlanError: the inventory or the pattern is wrong, or no device is left: a check of nobody
            would end as one that everybody passed.
    """
    devices = load_inventory(settings, source).select(pattern, limit=source.limit)
    if not devices:
        found = nobody(settings, source, pattern)
        raise PlanError(found.message, hint=found.hint, code=found.code)
    return devices
