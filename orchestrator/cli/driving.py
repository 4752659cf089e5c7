"""Drives a rollout with its observers, then says how it ended: shared by `apply` and `resume`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TextIO

import typer

from orchestrator import __version__, api
from orchestrator.cli.asked import what_came_of_it
from orchestrator.cli.following import follow
from orchestrator.cli.keyboard import Keyboard
from orchestrator.cli.keys import Keys
from orchestrator.cli.live import LiveView
from orchestrator.cli.log_file import JournalLog
from orchestrator.cli.metering import metered
from orchestrator.cli.pipeline import conclude_on_github
from orchestrator.cli.running import drive, wait_for
from orchestrator.cli.session import Session
from orchestrator.cli.shown_status import facts_of
from orchestrator.cli.streams import put, say, say_folded
from orchestrator.cli.tracing import traces
from orchestrator.cli.watching import EventsWriter, PlainView, Watchers
from orchestrator.errors import DrivenError, ExitCode, OrchestratorError, system_reason
from orchestrator.render.folds import Pipeline
from orchestrator.render.standing import left
from orchestrator.render.summary import summary
from orchestrator.render.text import escape
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import TERMINAL_ROLLOUT, RolloutState

Work = Callable[[api.Observer, asyncio.Event], Awaitable[api.Finished]]


def watch(
    session: Session,
    work: Work,
    *,
    events: str | None,
    stay: api.Stay = api.Stay.SOAKS,
    asked: Ask | None = None,
    meter: api.Meter | None = None,
) -> int:
    """Runs `work` with the view that fits, and gives the exit code.

    Where another engine drives the rollout, that is followed to the rollout's end; here it is
    driven only if the other one goes before.

    Args:
        session: decides between live and plain.
        work: takes an observer and the event that asks it to stop gracefully.
        events: file for JSON events, `-` for stdout, None for none.
        stay: for which waits it stays, once it goes on with what another engine left.
        asked: what was asked of the rollout, for the same case.
        meter: counts what happens, and gives figures meanwhile.

    Raises:
        OrchestratorError: what `work` raises, or the events file cannot be opened.
    """
    view = _view(session, events)
    keys = _keys(session, view)
    with _observers(view, events, meter) as watchers:
        finished = None
        while finished is None:
            try:
                finished = drive(metered(meter, partial(work, watchers)), tell=view.tell, keys=keys)
            except DrivenError as error:
                if (now := follow(session, error, view, watchers, keys, stay)) is not None:
                    finished = api.Finished(now, _code_of(now, asked))
                work = _going_on(session, error.rollout_id, stay, asked)
    say_unsealed(finished.unsealed)
    _say_how_it_is(session, finished.status, finished.exit_code, events)
    return int(finished.exit_code)


def _going_on(session: Session, run: str, stay: api.Stay, asked: Ask | None) -> Work:
    def work(observer: api.Observer, drain: asyncio.Event) -> Awaitable[api.Finished]:
        return api.run(
            session.settings, run, observer=observer, drain=drain, asked=asked, stay=stay
        )

    return work


def look_on(
    session: Session, what: str | None, *, events: str | None, timeout_s: float | None
) -> int:
    """Shows a rollout that another process drives, with the same views as `watch`.

    Raises:
        OrchestratorError: there is no such rollout, or the events file cannot be opened.
    """
    view = _view(session, events)
    try:
        with _observers(view, events) as watchers:
            seen = api.watch(session.settings, what, onlooker=watchers, timeout_s=timeout_s)
            now = wait_for(seen, keys=_keys(session, view))
    except typer.Exit:
        if view.status is not None:
            say(left(facts_of(view.status)))
        raise
    if now.story.state not in TERMINAL_ROLLOUT:
        say(left(facts_of(now)))
    _say_how_it_is(session, now, now.story.exit_code, events)
    return int(now.story.exit_code)


def _view(session: Session, events: str | None) -> PlainView:
    return LiveView(session) if _is_live(session, events) else PlainView(session)


def _is_live(session: Session, events: str | None) -> bool:
    """Not where events would come between the lines of the view, on the same terminal."""
    is_free = events != "-" or not sys.stdout.isatty()
    return session.live and is_free


def _keys(session: Session, view: PlainView) -> Keys | None:
    """The keys of a live view, where a person can press them."""
    if not session.may_ask or not isinstance(view, LiveView):
        return None
    return Keys(session, view, Keyboard(sys.stdin.fileno()))


@contextlib.contextmanager
def _observers(
    view: PlainView, events: str | None, meter: api.Meter | None = None
) -> Iterator[Watchers]:
    with _opened(events) as stream, traces(view.session) as outlet:
        observers: list[api.Onlooker] = [view] if meter is None else [view, meter]
        if view.session.logs:
            observers.append(JournalLog())
        if outlet is not None:
            observers.append(api.Traces(outlet))
        if stream is not None:
            observers.append(EventsWriter(stream, __version__))
        try:
            yield Watchers(observers)
        finally:
            view.close()


def _say_how_it_is(
    session: Session, status: api.Status, code: ExitCode, events: str | None
) -> None:
    look = session.err if events == "-" else session.out
    facts = facts_of(status)
    text = "\n".join(summary(facts, look, exit_code=int(code)))
    if session.pipeline is Pipeline.GITHUB:
        text = conclude_on_github(facts, code, text)
    if events == "-":  # stdout belongs to the events
        say(f"\n{text}")
        return
    try:
        put(f"\n{text}\n")
    except OrchestratorError as error:  # what became of the rollout says the exit code
        say(f"warning: {error.message}\n{text}")


def staying(session: Session, events: str | None, *, wait: bool = False) -> api.Stay:
    """For which waits a command stays; with keys a person can end there what one paused."""
    if wait:
        return api.Stay.ALL
    has_keys = session.may_ask and _is_live(session, events)
    return api.Stay.PAUSES if has_keys else api.Stay.SOAKS


def ask(
    session: Session,
    request: api.AskRequest,
    *,
    events: str | None = None,
    wait: bool = False,
) -> int:
    """Records an operator's request and, where no engine runs the rollout, carries it out here.

    What ends the rollout has the same exit code whoever carries it out: it is waited for.

    Raises:
        OrchestratorError: there is no such rollout, or its state does not allow this.
    """
    stay = staying(session, events, wait=wait)
    asked = wait_for(api.ask(session.settings, request))
    if asked.needs_engine:
        code = _drive_here(session, request, asked, events=events, stay=stay)
    elif request.ask in _ENDS and asked.answer != "already":
        say(what_came_of_it(request, asked))
        code = _see_its_end(session, request, asked, events=events, stay=stay)
    else:
        say(what_came_of_it(request, asked))
        if asked.next_commands:
            say_folded(f"next: {'  |  '.join(asked.next_commands)}", session.err)
        say_unsealed(asked.unsealed)
        code = int(ExitCode.DONE)
    if asked.stopped is not None and request.ask is Ask.RETRY:
        accepted = " --accept-failures" if asked.stopped is RolloutState.HALTED else ""
        go_on = f"rollout resume {asked.rollout_id}{accepted}"
        say(f"the rollout stays {asked.stopped} until `{go_on}`")
    return code


def _drive_here(
    session: Session,
    request: api.AskRequest,
    asked: api.Asked,
    *,
    events: str | None,
    stay: api.Stay,
) -> int:
    work = _going_on(session, asked.rollout_id, stay, request.ask)
    return watch(session, work, events=events, stay=stay, asked=request.ask)


def say_unsealed(why: str) -> None:
    """Warns where what was written has no checkpoint."""
    if why:
        say(f"warning: the journal has no checkpoint of its end: {escape(why)}")


def _see_its_end(
    session: Session,
    request: api.AskRequest,
    asked: api.Asked,
    *,
    events: str | None,
    stay: api.Stay,
) -> int:
    """Waits until the engine that drives the rollout has ended it; where it died, does so here."""
    run = asked.rollout_id
    try:
        with _opened(events) as stream:
            onlooker = api.Nobody() if stream is None else EventsWriter(stream, __version__)
            now = wait_for(api.watch(session.settings, run, onlooker=onlooker, while_driven=True))
    except typer.Exit:
        say(f"left; {request.ask} of rollout {run} goes on")
        raise
    if now.story.state not in TERMINAL_ROLLOUT:
        return _drive_here(session, request, asked, events=events, stay=stay)
    code = _code_of(now, request.ask)
    _say_how_it_is(session, now, code, events)
    return int(code)


def _code_of(now: api.Status, asked: Ask | None) -> ExitCode:
    """What a command ends with that asked this of a rollout, whoever carried it out."""
    code = now.story.exit_code
    done = asked is Ask.ROLLBACK and code in _BACK  # what it was asked to take back is proven
    return ExitCode.DONE if done else code


_ENDS = frozenset({Ask.ABORT, Ask.ROLLBACK})
_BACK = frozenset({ExitCode.HALTED, ExitCode.ROLLED_BACK})


@contextlib.contextmanager
def _opened(events: str | None) -> Iterator[TextIO | None]:
    if events is None or events == "-":
        yield None if events is None else sys.stdout
        return
    try:
        stream = Path(events).open("w", encoding="utf-8")  # noqa: SIM115  closed below
    except OSError as error:
        message = f"cannot write events to `{events}`: {system_reason(error)}"
        raise OrchestratorError(message) from error
    with stream:
        yield stream
