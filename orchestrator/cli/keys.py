"""Serves the keys of a live view while a rollout is driven or watched.

Laws:
1. A key asks what the command of its name asks, with who and why in the journal; the engine that
   drives the rollout answers, be it this process.
2. However the work ends, the terminal is as it was before.
3. A question is answered by a later key, never by what came with the key that asked it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from orchestrator import api
from orchestrator.cli.asked import what_came_of_it
from orchestrator.cli.keyboard import Keyboard
from orchestrator.cli.live import LiveView
from orchestrator.cli.session import Session
from orchestrator.errors import OrchestratorError
from orchestrator.render.controls import Controls, Deed, pressed
from orchestrator.render.text import escape
from orchestrator.rollout.events import Ask

_ASKS = {Deed.PAUSE: Ask.PAUSE, Deed.RESUME: Ask.RESUME, Deed.HALT: Ask.HALT}
_WHY = {Deed.PAUSE: "key p", Deed.RESUME: "key p", Deed.HALT: "key h"}


class Keys:
    """The keys of one view."""

    def __init__(self, session: Session, view: LiveView, keyboard: Keyboard) -> None:
        self._session = session
        self._view = view
        self._keyboard = keyboard
        self._drives = False
        self._leave: Callable[[], None] = lambda: None
        self._deeds: asyncio.Queue[Deed] = asyncio.Queue()

    @contextlib.asynccontextmanager
    async def served(self, leave: Callable[[], None], *, drives: bool) -> AsyncIterator[None]:
        """Serves them for as long as the body runs.

        Args:
            leave: ends the body as Ctrl-C does.
            drives: the body drives the rollout, which stops with it.
        """
        self._leave, self._drives, self._deeds = leave, drives, asyncio.Queue()
        loop = asyncio.get_running_loop()
        signals = {
            signal.SIGWINCH: self._view.draw,
            signal.SIGTSTP: self._stop,
            signal.SIGCONT: self._begin,
        }
        for number, act in signals.items():
            loop.add_signal_handler(number, act)
        self._begin()
        try:
            async with asyncio.TaskGroup() as group:
                worker = group.create_task(self._work())
                yield
                worker.cancel()
        except BaseExceptionGroup as found:
            raise found.exceptions[0] from None
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
            self._end()

    def _begin(self) -> None:
        """Also after Ctrl-Z and `fg`."""
        if self._keyboard.open():
            asyncio.get_running_loop().add_reader(self._keyboard.fd, self._read)
            self._view.controls = replace(self._view.controls or Controls(), drives=self._drives)
            self._view.unhide()

    def _end(self) -> None:
        if self._keyboard.is_open:
            asyncio.get_running_loop().remove_reader(self._keyboard.fd)
        self._keyboard.close()
        self._view.controls = None

    def _stop(self) -> None:
        """Ctrl-Z: the terminal is the shell's until the job comes back to it."""
        self._end()
        self._view.hide()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _read(self) -> None:
        try:
            keys = self._keyboard.read()
        except EOFError:
            self._end()
            return
        for key in keys:
            if self._view.controls is None or self._view.board is None:
                return
            asked_before = self._view.controls.question
            controls, deed = pressed(self._view.controls, key, self._view.board.state)
            self._view.control(controls)
            if deed is not None:
                self._deeds.put_nowait(deed)
            if controls.question is not asked_before:
                return

    async def _work(self) -> None:
        while True:
            deed = await self._deeds.get()
            if deed is Deed.LEAVE:
                self._leave()
                continue
            self._notice(f"{_ASKS[deed]} is asked for")
            self._notice(await self._ask(deed))

    def _notice(self, text: str) -> None:
        if self._view.controls is not None:
            self._view.control(replace(self._view.controls, notice=text))

    async def _ask(self, deed: Deed) -> str:
        """What came of it, in a line."""
        assert self._view.board is not None, "keys are read once it is there"
        request = api.AskRequest(self._view.board.rollout_id, _ASKS[deed], why=_WHY[deed])
        try:
            return what_came_of_it(request, await api.ask(self._session.settings, request))
        except OrchestratorError as error:
            return escape("; ".join(part for part in (error.message, error.hint) if part))
