"""Drives a rollout with its observers, then says how it ended: shared by `apply` and `resume`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TextIO

from orchestrator import __version__, api
from orchestrator.cli.running import drive, wait_for
from orchestrator.cli.session import Session
from orchestrator.cli.streams import put, say
from orchestrator.cli.watching import EventsWriter, LiveView, PlainView, Watchers
from orchestrator.errors import OrchestratorError
from orchestrator.render.summary import summary
from orchestrator.render.text import Look

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
    view = LiveView(session) if session.live else PlainView(session)
    with _opened(events) as stream:
        observers: list[api.Observer] = [view]
        if stream is not None:
            observers.append(EventsWriter(stream, __version__))
        watchers = Watchers(observers)
        try:
            finished = drive(lambda drain: work(watchers, drain), tell=view.tell)
        finally:
            view.close()
    if view.board is not None:
        view.board.take_story(finished.story)
        view.board.attended = not finished.interrupted
        text = "\n".join(summary(view.board, int(finished.exit_code), _look(session, events)))
        if events == "-":  # stdout belongs to the events
            say(f"\n{text}")
        else:
            put(f"\n{text}\n")
    return int(finished.exit_code)


def ask(session: Session, request: api.AskRequest, *, events: str | None = None) -> int:
    """Records an operator's request and, where no engine runs the rollout, carries it out here.

    Raises:
        OrchestratorError: there is no such rollout, or its state does not allow this.
    """
    asked = wait_for(api.ask(session.settings, request))
    if asked.engine:
        say(f"{request.ask} asked of rollout {asked.rollout_id}; {asked.engine} carries it out")
        _say_what_is_missing(asked)
        return 0
    if not asked.needs_engine:
        say(f"rollout {asked.rollout_id}: {request.ask} recorded")
        return 0

    def work(observer: api.Observer, drain: asyncio.Event) -> Awaitable[api.Finished]:
        run = asked.rollout_id
        return api.run(session.settings, run, observer=observer, drain=drain, asked=request.ask)

    code = watch(session, work, events=events)
    _say_what_is_missing(asked)
    return code


def _say_what_is_missing(asked: api.Asked) -> None:
    if asked.still_wants:
        say(f"the rollout stays halted until `{asked.still_wants}`")


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
