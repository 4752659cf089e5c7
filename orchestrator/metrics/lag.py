"""How late the event loop is: what comes late here, comes late for every device and lease."""

from __future__ import annotations

import asyncio

STEP_S = 0.25
SPAN_S = 60.0


class Lag:
    """Measures as long as `watch` runs."""

    def __init__(self) -> None:
        self._known: dict[int, float] = {}  # the worst of each span, by its number: the last two

    async def watch(self) -> None:
        """Sleeps in steps and takes how much later it wakes up; never ends by itself."""
        loop = asyncio.get_running_loop()
        while True:
            due_at = loop.time() + STEP_S
            await asyncio.sleep(STEP_S)
            self.take(loop.time() - due_at, at=loop.time())

    def take(self, late_s: float, *, at: float) -> None:
        """Takes that the loop was so late, at `at` (seconds of its clock)."""
        span = int(at // SPAN_S)
        worst_s = max(self._known.get(span, 0.0), late_s)
        self._known = {span - 1: self._known.get(span - 1, 0.0), span: worst_s}

    @property
    def worst_s(self) -> float | None:
        """The worst of the last one to two minutes, in seconds; None where nothing was measured.

        Whoever asks takes it from nobody: two servers, or one and a file, may ask in turns.
        """
        return max(self._known.values(), default=None)
