"""Runs async work under the signals of a terminal and of a service manager.

First Ctrl-C: start no further device, let those in flight finish, save. Second Ctrl-C: let go at
once; devices keep their own timers and the rollout is saved. SIGTERM: as the second.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol, TypeVar

import typer

from orchestrator.cli.streams import say
from orchestrator.errors import ExitCode

T = TypeVar("T")

STOPPING = (
    "stopping: devices in flight finish, no other starts; the rollout is saved "
    "(Ctrl-C again to leave now)"
)


class Served(Protocol):
    """What a person can do beside the work."""

    def served(
        self, leave: Callable[[], None], *, drives: bool
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """For as long as the work goes on; `leave` is a first Ctrl-C."""
        ...


def wait_for(work: Coroutine[object, object, T], *, keys: Served | None = None) -> T:
    """Runs work that may be left at any time: Ctrl-C and SIGTERM cancel it at once."""

    async def ignore_drain(_drain: asyncio.Event) -> T:
        return await work

    return _run(ignore_drain, patient=False, keys=keys)


def drive(
    work: Callable[[asyncio.Event], Awaitable[T]],
    *,
    tell: Callable[[str], None] = say,
    keys: Served | None = None,
) -> T:
    """Runs work that can stop gracefully when the event it is given is set.

    Args:
        work: takes that event.
        tell: shows a line to the person; a live view has to know of every line on its terminal.
        keys: what a person can press meanwhile.
    """
    return _run(work, patient=True, tell=tell, keys=keys)


def _run(
    work: Callable[[asyncio.Event], Awaitable[T]],
    *,
    patient: bool,
    tell: Callable[[str], None] = say,
    keys: Served | None = None,
) -> T:
    stopped_by: list[ExitCode] = []

    async def main() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        drain = asyncio.Event()

        def leave(code: ExitCode) -> None:
            stopped_by.append(code)
            task.cancel()

        def interrupted() -> None:
            if patient and not drain.is_set():
                drain.set()
                tell(STOPPING)
            else:
                leave(ExitCode.INTERRUPTED)

        def left() -> None:
            if not drain.is_set():  # a key is no second Ctrl-C
                interrupted()

        before = signal.getsignal(signal.SIGTERM)
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C just cancels there
            loop.add_signal_handler(signal.SIGINT, interrupted)
            loop.add_signal_handler(signal.SIGTERM, leave, ExitCode.TERMINATED)
        try:
            async with _beside(keys, left, drives=patient):
                return await work(drain)
        finally:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)
                loop.remove_signal_handler(signal.SIGTERM)
                signal.signal(signal.SIGTERM, before)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if not stopped_by:
            raise
        if patient:
            tell("left; what is under way is saved, and the same command goes on with it")
        raise typer.Exit(int(stopped_by[0])) from None


def _beside(
    keys: Served | None, leave: Callable[[], None], *, drives: bool
) -> contextlib.AbstractAsyncContextManager[None]:
    return contextlib.nullcontext() if keys is None else keys.served(leave, drives=drives)
