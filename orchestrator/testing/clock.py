"""Virtual time: an event loop that jumps to the next timer whenever nothing is ready.

Laws:
1. Code that only awaits timers, futures and queues runs as usual, in no real time, and in the
   same order each time.
2. A loop on which nothing is left to happen is a deadlock and says so.
3. So does one that goes on for ever: work that only wakes itself takes no time that anybody would
   notice, and the alarm of a test is lost in whatever task it strikes.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import TypeVar

EPOCH_S = 1_800_000_000.0  # where virtual UTC begins
TURNS_MAX = 500_000  # of a loop; a simulated rollout takes some thousands

_T = TypeVar("_T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with its own time; for tests without real input or output.

    `on_turn` is called before each turn at which something is ready to run: between any two
    steps of any task, which is where a process may die.
    """

    def __init__(self) -> None:
        self.virtual_s = 0.0
        self.on_turn: Callable[[], None] = lambda: None
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Seconds since the loop was made, as it pretends."""
        return self.virtual_s

    def run_in_executor(  # type: ignore[override]  # its answer is there at once
        self, executor: object, func: Callable[..., object], *args: object
    ) -> asyncio.Future[object]:
        """Here and now: a thread takes time of the real world, for which nothing here waits."""
        del executor
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  whoever awaits it gets it
            done.set_exception(error)
        return done


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting, moves the loop's time on."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing is ever ready; time passes."""
        if timeout is None:
            message = "deadlock in virtual time: nothing is scheduled"
            raise RuntimeError(message)
        self._turns += 1
        if self._turns % TURNS_MAX == 0:
            days = self._loop.virtual_s / 86400
            message = f"no end in virtual time: {TURNS_MAX} turns and {days:.0f} days"
            raise RuntimeError(message)
        if timeout > 0:
            self._loop.virtual_s += timeout
        else:
            self._loop.on_turn()
        return []


class VirtualClock:
    """The engine's clock on a virtual loop."""

    def __init__(self, start_at: float = EPOCH_S) -> None:
        self._start_at = start_at

    def now(self) -> float:
        """UTC seconds of virtual time."""
        return self._start_at + asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Lets virtual time pass."""
        await asyncio.sleep(seconds)


def run_virtual(work: Coroutine[object, object, _T]) -> _T:
    """Runs to the end in virtual time.

    Raises:
        RuntimeError: a deadlock, or no end.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
