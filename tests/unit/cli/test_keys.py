"""Keys of a live view, pressed through a pipe; what is asked for goes where the commands ask."""

import asyncio
import io
import os
import re
import signal
from collections.abc import Awaitable, Callable, Iterator

import pytest

from orchestrator.api import Asked, AskRequest, Settings
from orchestrator.cli.keyboard import Keyboard
from orchestrator.cli.keys import Keys
from orchestrator.cli.live import LiveView
from orchestrator.errors import PlanError
from orchestrator.render.picture import settled
from orchestrator.rollout.events import Ask
from tests.unit.cli.watched import entry

WAIT_S = 10.0


class Pipe(Keyboard):
    """Keys that the test presses."""

    def __init__(self) -> None:
        reading, self.writing = os.pipe()
        super().__init__(reading)
        self.opened = 0

    @property
    def is_open(self) -> bool:
        return self.opened > 0

    def open(self) -> bool:
        self.opened = 1
        return True

    def close(self) -> None:
        self.opened = 0

    def press(self, keys: str) -> None:
        os.write(self.writing, keys.encode())


class Desk:
    """A view with keys, and what was asked for and left."""

    def __init__(self, session, run) -> None:
        self.stream = io.StringIO()
        self.view = LiveView(session, self.stream)
        self.view.started(run)
        self.pipe = Pipe()
        self.keys = Keys(session, self.view, self.pipe)
        self.made: list[AskRequest] = []
        self.left = 0

    def serve(self, act: Callable[[], Awaitable[None]], *, drives: bool = False) -> None:
        def leave() -> None:
            self.left += 1

        async def main() -> None:
            async with asyncio.timeout(WAIT_S), self.keys.served(leave, drives=drives):
                await act()

        asyncio.run(main())

    async def until(self, there: Callable[[], bool]) -> None:
        """Lets the loop run until it is so; a test that waits in vain is ended by its timeout."""
        while not there():  # noqa: ASYNC110  keys and signals tell nobody when they were served
            await asyncio.sleep(0)

    @property
    def shown(self) -> str:
        return settled(self.stream.getvalue())


@pytest.fixture
def desk(session, run, monkeypatch) -> Iterator[Desk]:
    desk = Desk(session, run)

    async def ask(_settings: Settings, request: AskRequest) -> Asked:
        desk.made.append(request)
        if request.ask is Ask.HALT:
            raise PlanError("it is over\x1b[2J", hint="look")
        return Asked("r-1", "ann@ops:1", needs_engine=False, answer="done")

    monkeypatch.setattr("orchestrator.api.ask", ask)
    yield desk
    os.close(desk.pipe.fd)
    os.close(desk.pipe.writing)


def test_pause_and_resume_are_asked_as_the_commands_do(desk) -> None:
    async def act() -> None:
        desk.pipe.press("p")
        await desk.until(lambda: "rollout r-1: paused" in desk.shown)
        desk.view.journal([entry(2, "paused", cause="operator", detail="ann: key p")])
        desk.pipe.press("p")
        await desk.until(lambda: "rollout r-1: goes on" in desk.shown)

    desk.serve(act)

    assert desk.made == [
        AskRequest("r-1", Ask.PAUSE, "key p"),
        AskRequest("r-1", Ask.RESUME, "key p"),
    ]


def test_a_refusal_is_said_and_ends_nothing(desk) -> None:
    async def act() -> None:
        desk.pipe.press("h")
        await desk.until(lambda: "[y/N]" in desk.shown)
        desk.pipe.press("y")
        await desk.until(lambda: "it is over\\x1b[2J; look" in desk.shown)

    desk.serve(act)

    assert [one.ask for one in desk.made] == [Ask.HALT]


def test_what_was_pasted_answers_no_question(desk) -> None:
    async def act() -> None:
        desk.pipe.press("hy")
        await desk.until(lambda: "[y/N]" in desk.shown)
        desk.pipe.press("n")
        await desk.until(lambda: "left as it is" in desk.shown)

    desk.serve(act)

    assert desk.made == []


def test_leaving_a_rollout_that_others_drive_needs_no_question(desk) -> None:
    async def act() -> None:
        desk.pipe.press("q")
        await desk.until(lambda: desk.left == 1)

    desk.serve(act)


def test_leaving_a_rollout_that_is_driven_here_asks_first(desk) -> None:
    async def act() -> None:
        desk.pipe.press("q")
        await desk.until(lambda: "stop driving r-1?" in desk.shown)
        assert not desk.left
        desk.pipe.press("y")
        await desk.until(lambda: desk.left == 1)

    desk.serve(act, drives=True)


@pytest.mark.parametrize("error", [PlanError("no"), KeyboardInterrupt(), asyncio.CancelledError()])
def test_however_it_ends_the_keys_are_given_back(desk, error) -> None:
    async def act() -> None:
        assert desk.pipe.is_open
        assert desk.view.controls is not None
        raise error

    with pytest.raises(type(error)):
        desk.serve(act)

    assert not desk.pipe.is_open
    assert desk.view.controls is None
    assert signal.getsignal(signal.SIGWINCH) is signal.SIG_DFL


def test_without_anybody_left_to_press_the_work_goes_on(desk) -> None:
    async def act() -> None:
        os.close(desk.pipe.writing)
        await desk.until(lambda: desk.view.controls is None)
        desk.pipe.writing = os.open(os.devnull, os.O_WRONLY)

    desk.serve(act)

    assert not desk.pipe.is_open


def test_a_new_size_is_answered_at_once(desk, monkeypatch) -> None:
    async def act() -> None:
        monkeypatch.setenv("COLUMNS", "33")
        os.kill(os.getpid(), signal.SIGWINCH)
        await desk.until(lambda: bool(re.search(r"[0-9]/[0-9]+  running", desk.shown)))

    desk.serve(act)
