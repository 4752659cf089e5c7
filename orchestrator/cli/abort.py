"""`rollout abort`."""

from __future__ import annotations

import typer

from orchestrator import api
from orchestrator.cli.driving import ask
from orchestrator.cli.options import Common, EventsOption, RolloutArgument, WhyOption, command
from orchestrator.cli.session import start
from orchestrator.rollout.events import Ask

app = typer.Typer()


@command(
    app,
    examples="""
rollout abort
rollout abort r-7f3a --why 'superseded by 1.4.3'
""",
)
def abort(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    why: WhyOption = "",
    events: EventsOption = None,
) -> int:
    """End a rollout: no device starts any more, those past the point of no return finish.

    Devices that were updated stay updated; `rollout rollback` takes them back.
    """
    session = start(common)
    return ask(session, api.AskRequest(rollout, Ask.ABORT, why=why), events=events)
