"""Joining a rollout that another engine drives: looking on, and taking over when that engine dies.

Laws:
1. Nothing is done while the other has its lease: until then this is `rollout watch`.
2. Another one may stay for approvals, hours or a pause; whoever was not told to does not.
3. An engine that a person told to stop has not died: what it left is not gone on with here.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from orchestrator import api
from orchestrator.cli.keys import Keys
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session
from orchestrator.cli.shown_status import facts_of
from orchestrator.cli.watching import PlainView, Watchers
from orchestrator.errors import DrivenError
from orchestrator.render.standing import standing, waits_words
from orchestrator.render.text import escape
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import TERMINAL_ROLLOUT


def follow(
    session: Session,
    driven: DrivenError,
    view: PlainView,
    watchers: Watchers,
    keys: Keys | None = None,
    stay: api.Stay = api.Stay.SOAKS,
) -> api.Status | None:
    """Follows a rollout for as long as another engine drives it; None where it is to be driven here.

    What it may wait for is waited for by `stay`, as where it is driven.

    Raises:
        Exit: Ctrl-C or SIGTERM; the rollout goes on.
        OrchestratorError: the store failed.
    """
    run = driven.rollout_id
    view.tell(
        f"joined rollout {run}, which {escape(api.owner_words(driven.owner))} drives; "
        "Ctrl-C leaves it, and it goes on there"
    )
    driver = _Driver()
    onlooker = Watchers([watchers, driver])
    try:
        seen = api.watch(session.settings, run, onlooker=onlooker, while_driven=True, stay=stay)
        now = wait_for(seen, keys=keys)
    except typer.Exit:
        view.tell(f"left rollout {run}: {_stands(view.status)}")
        raise
    if now.story.state not in TERMINAL_ROLLOUT:
        if now.engine:  # it goes on there, in its time
            view.tell(f"rollout {run} {_rest(now)}, so it is not waited for here")
            return now
        if not driver.was_stopped:
            return None
        view.tell(f"who drove rollout {run} told it to stop, so it is not gone on with here")
    return now


def _rest(now: api.Status) -> str:
    """What keeps it from going on."""
    story = now.story
    if not story.rests:
        return "is paused by a person"
    return f"waits for {', '.join(waits_words(story.waits_for, story.until))}"


def _stands(status: api.Status | None) -> str:
    if status is None or status.engine:
        return "it goes on where it is driven"
    return standing(facts_of(status))


class _Driver(api.Nobody):
    """Whether the engine that drove last was told to stop."""

    def __init__(self) -> None:
        self.was_stopped = False

    def started(self, run: api.Run) -> None:
        """What happened before."""
        self.journal(run.history)

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """New entries."""
        for entry in entries:
            if entry.type in ("engine_started", "engine_stopping"):
                self.was_stopped = entry.type == "engine_stopping"
