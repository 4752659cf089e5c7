"""The real clock: UTC that never runs backwards within a process (R15)."""

from __future__ import annotations

import asyncio
import time

from orchestrator.engine.ports import Clock


class SystemClock:
    """Wall time at its making plus monotonic time since; implements `ports.Clock`.

    A step of the system's clock so neither extends nor shortens a soak or a deadline.
    """

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def now(self) -> float:
        """UTC seconds."""
        return self._offset_s + time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)


class ContinuedClock:
    """Another clock, which goes on where an earlier process stopped; implements `ports.Clock`.

    Where the wall clock was set back in between, time begins at `not_before` and passes as usual:
    the step extends no timer (R15). A step forward cannot be told from a time without an engine.
    """

    def __init__(self, clock: Clock, not_before: float) -> None:
        self._clock = clock
        self._ahead_s = max(0.0, not_before - clock.now())

    def now(self) -> float:
        """UTC seconds, never before `not_before`."""
        return self._clock.now() + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await self._clock.sleep(seconds)
