"""When an engine's look at operators' requests has to ask the database, and when it need not.

Laws:
1. A look asks unless the last one with the same `after` found nothing, no request was heard of
   since, a listener is hearing, and `LOOK_S` have not passed.
2. So a request takes effect within `LOOK_S` and the engine's own pace, heard or not: listening
   saves questions, and nothing depends on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from orchestrator.store.connect import Listener

LOOK_S = 0.5  # with the engine's 0.25 s, below the second that operators are promised
LISTEN_AGAIN_S = 30.0  # after the listener's connection broke, or a pooler stood between

InThread = Callable[[Callable[[], None]], Awaitable[None]]


class Looks:
    """What is known without asking; used from one event loop."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._listen_at = float("-inf")
        self._nothing: dict[str, tuple[int, float]] = {}

    async def is_due(self, rollout_id: str, after: int, in_thread: InThread) -> bool:
        """Whether to ask; begins to listen, with `in_thread` for what blocks, where that is due."""
        if self._listener is None:
            return True
        now = asyncio.get_running_loop().time()
        if not self._listener.is_listening:
            if now >= self._listen_at:
                self._listen_at = now + LISTEN_AGAIN_S
                await in_thread(self._listener.open)
                self._listener.start(self.heard)
            return True  # also the first time: a request may be older than the listening
        known = self._nothing.get(rollout_id)
        return known is None or known[0] != after or now >= known[1] + LOOK_S

    def found_nothing(self, rollout_id: str, after: int) -> None:
        """The database was asked and had none."""
        if self._listener is not None:
            self._nothing[rollout_id] = (after, asyncio.get_running_loop().time())

    def heard(self, rollout_id: str) -> None:
        """There may be a new request."""
        self._nothing.pop(rollout_id, None)

    def close(self) -> None:
        """Stops listening."""
        if self._listener is not None:
            self._listener.close()
