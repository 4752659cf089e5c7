"""Causes of trouble while a rollout goes on: the same groups as `causes`, kept up entry by entry.

Law: taking a device in or out costs the same for 10 and for 10 000 devices, and so does asking for
the greatest groups: there are `GROUPS_MAX` at most, and one for each reason beyond them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice

from orchestrator.render.causes import WITH_OTHERS, likeness

GROUPS_MAX = 50  # devices can say what they like, and must not fill memory with it


@dataclass(slots=True)
class Group:
    """Devices that have one cause now; `detail` is what the first of them said, untrusted."""

    reason: str
    detail: str
    first_at: float
    devices: dict[str, None] = field(default_factory=dict)

    def some(self, limit: int) -> tuple[str, ...]:
        """The first of its devices."""
        return tuple(islice(self.devices, limit))


class CausesSoFar:
    """Which devices are in trouble, by cause."""

    def __init__(self) -> None:
        self.changes = 0  # grows with each device that comes in
        self._groups: dict[tuple[str, str], Group] = {}
        self._key_of: dict[str, tuple[str, str]] = {}

    @property
    def count(self) -> int:
        """How many causes there are."""
        return len(self._groups)

    @property
    def devices(self) -> int:
        """How many devices are in trouble."""
        return len(self._key_of)

    def enter(self, device: str, reason: str, detail: str, at: float) -> None:
        """The device is in trouble, or still is."""
        key = likeness(reason, detail, device)
        if key not in self._groups and len(self._groups) >= GROUPS_MAX:
            key, detail = (reason, ""), ""
        if self._key_of.get(device) == key:
            return
        self.leave(device)
        self._groups.setdefault(key, Group(reason, detail, at)).devices[device] = None
        self._key_of[device] = key
        self.changes += 1

    def leave(self, device: str) -> None:
        """The device is in trouble no more."""
        key = self._key_of.pop(device, None)
        if key is None:
            return
        group = self._groups[key]
        del group.devices[device]
        if not group.devices:
            del self._groups[key]

    def greatest(self, limit: int) -> Sequence[Group]:
        """The groups of most devices; behind them what only followed from others."""
        return nsmallest(limit, self._groups.values(), key=_weight)


def _weight(group: Group) -> tuple[bool, int, float]:
    return group.reason in WITH_OTHERS, -len(group.devices), group.first_at
