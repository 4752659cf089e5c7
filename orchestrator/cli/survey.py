"""What is said on stderr before a plan is shown or applied."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import typer

from orchestrator import api
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session
from orchestrator.cli.signals import Terminated
from orchestrator.cli.streams import say, show
from orchestrator.errors import ExitCode
from orchestrator.render.text import escape

_LEFT = {ExitCode.INTERRUPTED: "interrupted", ExitCode.TERMINATED: "terminated"}


def survey_line(session: Session) -> Callable[[int, int], None]:
    """A callback that keeps one line up to date on a terminal, and is silent elsewhere."""

    def show(done_count: int, total_count: int) -> None:
        if not session.live:
            return
        last = done_count >= total_count
        text = "" if last else f"asking devices: {done_count} of {total_count}"
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    return show


@contextlib.contextmanager
def before_it_begins(session: Session, so_far: str) -> Iterator[None]:
    """Where a person leaves in here, says so with what was not done.

    Raises:
        typer.Exit: with the exit code of that.
    """
    try:
        yield
        return
    except Terminated:
        code = int(ExitCode.TERMINATED)
    except KeyboardInterrupt:
        code = int(ExitCode.INTERRUPTED)
    except typer.Exit as left:
        code = left.exit_code
    if code in _LEFT:
        show(sys.stderr, "\r\x1b[K" if session.live else "")
        say(f"{_LEFT[ExitCode(code)]}: {so_far}")
    raise typer.Exit(code)


def say_frozen(session: Session) -> None:
    """Says that nothing will start now, where that is so."""
    found = wait_for(api.frozen(session.settings))
    if found is not None:
        from orchestrator.render.words import frozen_words

        say(frozen_words(found))


def say_circle(session: Session, prepared: api.Prepared) -> None:
    """Warns of plans that wait for each other, this one among them."""
    if plans := wait_for(api.circle(session.settings, prepared)):
        from orchestrator.plan.requires import circle_words

        say(f"warning: it would wait for itself: {escape(circle_words(plans))}")


def say_under_way(session: Session, prepared: api.Prepared) -> None:
    """Says what a person should know of the rollout that goes on with this plan.

    That is a broken glass, and who paused it: applying the plan again does not resume it.
    """
    if prepared.continues is None:
        return
    from orchestrator.render.standing import go_on
    from orchestrator.render.words import glass_words
    from orchestrator.rollout.states import Pause

    story = wait_for(api.status(session.settings, prepared.continues)).story
    if story.glass is not None:
        say(f"rollout {prepared.continues}: {glass_words(story.glass)}")
    for stop in story.stops:
        if stop.cause is Pause.OPERATOR:
            say(
                f"rollout {prepared.continues} is paused by {escape(stop.detail) or 'an operator'}; "
                f"it starts no device until `{go_on(story)}`"
            )
