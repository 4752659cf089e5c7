"""What is said on stderr before a plan is shown or applied."""

from __future__ import annotations

import sys
from collections.abc import Callable

from orchestrator import api
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session
from orchestrator.cli.streams import say
from orchestrator.render.words import frozen_words, glass_words


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


def say_frozen(session: Session) -> None:
    """Says that nothing will start now, where that is so."""
    found = wait_for(api.frozen(session.settings))
    if found is not None:
        say(frozen_words(found))


def say_glass(session: Session, prepared: api.Prepared) -> None:
    """Says that the glass was broken for the rollout that goes on with this plan."""
    if prepared.continues is None:
        return
    glass = wait_for(api.status(session.settings, prepared.continues)).story.glass
    if glass is not None:
        say(f"rollout {prepared.continues}: {glass_words(glass)}")
