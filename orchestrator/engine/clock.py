"""The real clock: UTC that never runs backwards within a process (R15)."""

from __future__ import annotations

import asyncio
import time


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
