"""Where the rollouts of a store stand, read again and again at a bounded cost.

Law: a rollout that is over is read once. One that is not is read whole, with every device, so seldom
that it takes a fiftieth of the time at most; that its state changed is seen at once all the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.api.stored import status_of
from orchestrator.errors import ExitCode, OrchestratorError
from orchestrator.gitops.standing import RolloutStanding
from orchestrator.rollout.states import TERMINAL_ROLLOUT

if TYPE_CHECKING:
    from orchestrator.store.records import RolloutSummary
    from orchestrator.store.sql import SqlStore

SHARE_MAX = 0.02


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read, of which row, and when it is due again (monotonic seconds)."""

    state: str
    last_seq: int
    due_at: float
    found: RolloutStanding

    def holds(self, kept: RolloutSummary, now: float) -> bool:
        if self.state != kept.state:
            return False
        return (
            self.last_seq == kept.last_seq if kept.state in TERMINAL_ROLLOUT else now < self.due_at
        )


class Standings:
    """Reads them; keeps what it read."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._read: dict[str, _Read] = {}

    async def of(self, rollout_id: str) -> RolloutStanding:
        """One rollout.

        Raises:
            StoreError: the store failed.
        """
        kept = await self._store.summary(rollout_id)
        if kept is None:
            message = "the store does not know it any more"
            return RolloutStanding(rollout_id, "", "", ExitCode.USAGE, error=message)
        known, began_at = self._read.get(rollout_id), time.monotonic()
        if known is not None and known.holds(kept, began_at):
            return known.found
        found = await self._whole(kept)
        ended_at = time.monotonic()
        due_at = ended_at + (ended_at - began_at) / SHARE_MAX
        self._read[rollout_id] = _Read(kept.state, kept.last_seq, due_at, found)
        return found

    async def _whole(self, kept: RolloutSummary) -> RolloutStanding:
        found = RolloutStanding(kept.rollout_id, kept.plan_name, kept.state, ExitCode.DONE)
        try:
            story = (await status_of(self._store, kept.rollout_id)).story
        except OrchestratorError as error:
            return replace(found, exit_code=int(error.exit_code), error=error.message)
        return replace(
            found, state=story.state.value, exit_code=int(story.exit_code),
            waits_for=story.waits_for, until=story.until,
        )  # fmt: skip
