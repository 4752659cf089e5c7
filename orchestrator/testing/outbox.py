"""An outbox in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from orchestrator.engine.ports import Delivery, Told
from orchestrator.rollout.events import JournalEntry

PAGE = 3  # small, so that readers turn pages


class MemoryOutbox:
    """Implements `Outbox`; `journal_of` gives a rollout's journal."""

    def __init__(self, journal_of: Callable[[str], Sequence[JournalEntry]]) -> None:
        self._journal_of = journal_of
        self._settled: dict[str, int] = {}
        self._deliveries: dict[str, dict[tuple[int, int], Delivery]] = {}

    def created(self, rollout_id: str, plan_json: bytes) -> None:
        """A rollout was stored."""
        plan = json.loads(plan_json)
        if isinstance(plan, dict) and plan.get("hooks"):
            self._settled[rollout_id] = 0

    async def untold(self) -> Sequence[str]:
        """Rollouts with hooks whose journals go beyond what was settled."""
        return [one for one, seq in self._settled.items() if seq < len(self._journal_of(one))]

    async def told(self, rollout_id: str) -> Told:
        """What came of telling so far."""
        made = self._deliveries.get(rollout_id, {})
        ordered = tuple(made[key] for key in sorted(made))
        return Told(self._settled.get(rollout_id, 0), ordered)

    async def journal(self, rollout_id: str, *, after: int) -> Sequence[JournalEntry]:
        """Entries with a `seq` above `after`, in order; empty when there are none."""
        return self._journal_of(rollout_id)[after : after + PAGE]

    async def record(self, rollout_id: str, delivery: Delivery) -> None:
        """Writes an attempt, over the earlier one of the same notice and hook."""
        made = self._deliveries.setdefault(rollout_id, {})
        made[delivery.seq, delivery.hook] = delivery

    async def settle(self, rollout_id: str, seq: int) -> None:
        """Nothing is due any more up to this entry; it never goes back."""
        if rollout_id in self._settled:
            self._settled[rollout_id] = max(self._settled[rollout_id], seq)
