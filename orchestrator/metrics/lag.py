"""How late the event loop is: what comes late here, comes late for every device and lease."""

from __future__ import annotations

import asyncio

STEP_S = 0.25


class Lag:
    """Measures as long as `watch` runs."""

    def __init__(self) -> None:
        self._worst_s: float | None = None

    async def watch(self) -> None:
        """Sleeps in steps and takes how much later it wakes up; never ends by itself."""
        loop = asyncio.get_running_loop()
        while True:
            due_at = loop.time() + STEP_S
            await asyncio.sleep(STEP_S)
            self._worst_s = max(self._worst_s or 0.0, loop.time() - due_at)

    def take_s(self) -> float | None:
        """The worst since the last time, in seconds; None where nothing was measured."""
        worst_s, self._worst_s = self._worst_s, None
        return worst_s
