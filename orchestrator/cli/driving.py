"""Drives a rollout with its observers, then says how it ended: shared by `apply` and `resume`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TextIO

import typer

from orchestrator import __version__, api
from orchestrator.cli.running import drive, wait_for
from orchestrator.cli.session import Session
from orchestrator.cli.streams import put, say
from orchestrator.cli.watching import EventsWriter, LiveView, PlainView, Watchers
from orchestrator.errors import ExitCode, OrchestratorError
from orchestrator.render.summary import summary
from orchestrator.render.text import Look, escape
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import BEFORE_START, RolloutState

Work = Callable[[api.Observer, asyncio.Event], Awaitable[api.Finished]]


def watch(session: Session, work: Work, *, events: str | None) -> int:
    """Runs `work` with the view that fits, and gives the exit code.

    Args:
        session: decides between live and plain.
        work: takes an observer and the event that asks it to stop gracefully.
        events: file for JSON events, `-` for stdout, None for none.

    Raises:
        OrchestratorError: what `work` raises, or the events file cannot be opened.
    """
    view = _view(session)
    with _observers(view, events) as watchers:
        finished = drive(lambda drain: work(watchers, drain), tell=view.tell)
    return _say_how_it_ended(session, view, finished, events, attended=not finished.interrupted)


def look_on(
    session: Session, rollout: str | None, *, events: str | None, timeout_s: float | None
) -> int:
    """Shows a rollout that another process drives, with the same views as `watch`.

    Raises:
        OrchestratorError: there is no such rollout, or the events file cannot be opened.
    """
    view = _view(session)
    attended = False

    def driven(now: api.Status) -> None:
        nonlocal attended
        attended = bool(now.engine)
        view.tell(f"driven by {escape(now.engine)}" if attended else _nobody_drives(now))

    try:
        with _observers(view, events) as watchers:
            finished = wait_for(
                api.watch(
                    session.settings, rollout, observer=watchers, driven=driven,
                    timeout_s=timeout_s,
                )
            )  # fmt: skip
    except typer.Exit:
        say("no longer looking on; the rollout goes on without you")
        raise
    over = not finished.interrupted
    return _say_how_it_ended(session, view, finished, events, attended=attended or over)


def _nobody_drives(now: api.Status) -> str:
    """What may be typed: where it was under way, to go on; where it rests, what its story says."""
    commands = [one for one in now.story.next_commands if f" {now.rollout_id}" in one]
    commands = [one for one in commands if not one.startswith("rollout status")]
    if now.story.state not in (*BEFORE_START, RolloutState.PAUSED, RolloutState.HALTED):
        commands = [f"rollout resume {now.rollout_id}"]
    typed = " or ".join(f"`{one}`" for one in commands[:2])
    return "no engine drives it now" + (f"; it goes on with {typed}" if typed else "")


def _view(session: Session) -> PlainView:
    return LiveView(session) if session.live else PlainView(session)


@contextlib.contextmanager
def _observers(view: PlainView, events: str | None) -> Iterator[Watchers]:
    with _opened(events) as stream:
        observers: list[api.Observer] = [view]
        if stream is not None:
            observers.append(EventsWriter(stream, __version__))
        try:
            yield Watchers(observers)
        finally:
            view.close()


def _say_how_it_ended(
    session: Session,
    view: PlainView,
    finished: api.Finished,
    events: str | None,
    *,
    attended: bool,
) -> int:
    if view.board is not None:
        view.board.take_story(finished.story)
        view.board.attended = attended
        text = "\n".join(summary(view.board, int(finished.exit_code), _look(session, events)))
        if events == "-":  # stdout belongs to the events
            say(f"\n{text}")
        else:
            put(f"\n{text}\n")
    return int(finished.exit_code)


def staying(wait: bool) -> api.Stay:
    """For which waits a command stays."""
    return api.Stay.ALL if wait else api.Stay.SOAKS


def ask(
    session: Session,
    request: api.AskRequest,
    *,
    events: str | None = None,
    stay: api.Stay = api.Stay.SOAKS,
) -> int:
    """Records an operator's request and, where no engine runs the rollout, carries it out here.

    Raises:
        OrchestratorError: there is no such rollout, or its state does not allow this.
    """
    asked = wait_for(api.ask(session.settings, request))
    if asked.needs_engine:
        code = _drive_here(session, request, asked, events=events, stay=stay)
    else:
        _say_what_came_of_it(request, asked)
        code = int(ExitCode.DONE)
    if asked.halted and request.ask is Ask.RETRY:
        go_on = f"rollout resume {asked.rollout_id} --accept-failures"
        say(f"the rollout stays halted until `{go_on}`")
    return code


def _drive_here(
    session: Session,
    request: api.AskRequest,
    asked: api.Asked,
    *,
    events: str | None,
    stay: api.Stay,
) -> int:
    def work(observer: api.Observer, drain: asyncio.Event) -> Awaitable[api.Finished]:
        run = asked.rollout_id
        return api.run(
            session.settings, run, observer=observer, drain=drain, asked=request.ask, stay=stay
        )

    return watch(session, work, events=events)


def _say_what_came_of_it(request: api.AskRequest, asked: api.Asked) -> None:
    """One line of what is so now, and the commands that may follow."""
    detail = f": {escape(asked.detail)}" if asked.detail else ""
    match asked.answer:
        case "done":
            said = f"{_DONE[request.ask]}{detail}"
        case "already":
            said = f"nothing to do{detail}"
        case _:
            who = escape(asked.engine) or "the next engine"
            said = f"{request.ask} is recorded; {who} has not answered yet"
    say(f"rollout {asked.rollout_id}: {said}")
    if asked.next_commands:
        say(f"next: {'  |  '.join(asked.next_commands)}")


_DONE = {
    Ask.PAUSE: "paused; devices in flight finish",
    Ask.RESUME: "goes on",
    Ask.HALT: "halted; devices past the point of no return finish",
    Ask.ABORT: "ends when what is in flight has finished",
    Ask.PROMOTE: "promoted",
    Ask.RETRY: "tries them again",
    Ask.ROLLBACK: "rolls back",
    Ask.APPROVE: "approved",
    Ask.DENY: "denied",
}


@contextlib.contextmanager
def _opened(events: str | None) -> Iterator[TextIO | None]:
    if events is None or events == "-":
        yield None if events is None else sys.stdout
        return
    try:
        stream = Path(events).open("w", encoding="utf-8")  # noqa: SIM115  closed below
    except OSError as error:
        message = f"cannot write events to `{events}`: {error.strerror}"
        raise OrchestratorError(message) from error
    with stream:
        yield stream


def _look(session: Session, events: str | None) -> Look:
    return session.err if events == "-" else session.out
