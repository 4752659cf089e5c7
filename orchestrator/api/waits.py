"""Tells whoever looks on what a rollout waits for that this process drives.

Law: who waits for their hours is asked of every device, so that the answer is looked for so seldom
in a large fleet that it takes a hundredth of the time at most.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.api.values import Observer

if TYPE_CHECKING:
    from orchestrator.rollout.machine import Rollout

SHARE_MAX = 0.01


class Waits:
    """What the observer is told of one rollout."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._rollout: Rollout | None = None
        self._next_at = 0.0

    def follow(self, rollout: Rollout) -> None:
        """This is the rollout; it is only read."""
        self._rollout = rollout

    def tell(self) -> None:
        """Tells it, where the last time is long enough ago."""
        from orchestrator.rollout.waiting import waiting

        begun_at = time.monotonic()
        if self._rollout is None or begun_at < self._next_at:
            return
        found = waiting(self._rollout.ledger, time.time())
        ended_at = time.monotonic()
        self._next_at = ended_at + (ended_at - begun_at) / SHARE_MAX
        self._observer.waits(found)
