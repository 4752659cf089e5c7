"""`rollout resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.driving import ask, staying
from orchestrator.cli.options import (
    Common,
    EventsOption,
    RolloutArgument,
    WaitOption,
    WhyOption,
    command,
)
from orchestrator.cli.session import start
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
    """Go on with a paused, halted or interrupted rollout, and see it through."""
    session = start(common)
    request = api.AskRequest(rollout, Ask.RESUME, why=why, accept_failures=accept_failures)
    return ask(session, request, events=events, stay=staying(wait))
