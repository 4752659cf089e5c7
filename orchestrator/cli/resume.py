"""`rollout resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.joining import take_in
from orchestrator.cli.options import (
    Common,
    EventsOption,
    RolloutArgument,
    WaitOption,
    WhyOption,
    command,
)
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, start
from orchestrator.cli.streams import say
from orchestrator.cli.survey import before_it_begins, survey_line
from orchestrator.errors import OrchestratorError
from orchestrator.render.text import escape
from orchestrator.rollout.events import Ask

app = typer.Typer()


@command(
    app,
    examples="""
rollout resume
rollout resume r-7f3a --accept-failures --reason 'two known bad modems'
""",
)
def resume(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    accept_failures: Annotated[
        bool,
        typer.Option("--accept-failures", help="Go on after a halt; failures so far are accepted."),
    ] = False,
    wait: WaitOption = False,
    why: WhyOption = "",
    events: EventsOption = None,
) -> int:
    """Go on with a paused, halted or interrupted rollout, and see it through.

    Failures that are accepted are no success: a wave without any stays inconclusive, and only
    `rollout promote --reason TEXT` lets it pass.

    Devices that joined the fleet meanwhile join its last wave where the plan says
    `late_joiners: append`.
    """
    from orchestrator.cli.driving import ask

    session = start(common)
    _take_in(session, rollout)
    request = api.AskRequest(rollout, Ask.RESUME, why=why, accept_failures=accept_failures)
    return ask(session, request, events=events, wait=wait)


def _take_in(session: Session, rollout: str | None) -> None:
    """Late joiners first: the plan that is under way wants them, so nobody is asked again."""
    found = wait_for(api.grown(session.settings, rollout))
    if found is None:
        return
    rollout_id, request = found
    try:
        with before_it_begins(session, f"rollout {rollout_id} was not resumed, it is as it was"):
            prepared = wait_for(api.prepare(session.settings, request, survey_line(session)))
    except OrchestratorError as error:  # whoever is in the rollout already goes on in any case
        say(f"devices that joined the fleet were not looked for: {escape(error.message)}")
        return
    if prepared.continues == rollout_id:
        take_in(session, prepared, yes=True)
