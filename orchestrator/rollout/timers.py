"""When a rollout wants to be woken, and by which name; a device is woken by its own.

Cost: a heap from which what was cleared or set anew goes when it comes up.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

DRAIN_TIMER = "/drain"  # device ids hold no slash at their start
SOAK_TIMER = "/soak"
PATROL_TIMER = "/patrol"
GATE_TIMER = "/gate/"
ZONE_TIMER = "/zone/"
RATE_TIMER = "/rate"
START_TIMER = "/start"
FREEZE_TIMER = "/freeze"
DEADLINE_TIMER = "/deadline"
FOLLOW_TIMER = "/follow"
APPROVAL_TIMER = "/approval"
OPENING_TIMER = "/open/"
GLASS_TIMER = "/glass"


class Timers:
    """Wake-ups by name, each at one time."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, key: str, at: float | None) -> None:
        """Sets or clears one."""
        if at is None:
            self._due.pop(key, None)
            return
        self._due[key] = at
        heapq.heappush(self._heap, (at, key))

    def next_at(self) -> float | None:
        """When the earliest is; forgets cleared ones."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def take(self, now: float) -> Iterator[str]:
        """Takes out those that are due, while it is looked through."""
        while (at := self.next_at()) is not None and at <= now:
            key = heapq.heappop(self._heap)[1]
            del self._due[key]
            yield key
