"""`rollout abort`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, EventsOption, RolloutArgument, WhyOption, command
from orchestrator.cli.session import start
from orchestrator.rollout.events import Ask, TakeBack

app = typer.Typer()


@command(
    app,
    examples="""
rollout abort
rollout abort r-7f3a --reason 'superseded by 1.4.3'
rollout abort r-7f3a --rollback wave
""",
)
def abort(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    take_back: Annotated[
        TakeBack,
        typer.Option("--rollback", metavar="SCOPE", help="none, wave (the present one) or all."),
    ] = TakeBack.NONE,
    why: WhyOption = "",
    events: EventsOption = None,
) -> int:
    """End a rollout: no device starts any more, those past the point of no return finish.

    Devices that were updated stay updated unless `--rollback` takes them back after that.
    """
    from orchestrator.cli.driving import ask

    session = start(common)
    return ask(
        session, api.AskRequest(rollout, Ask.ABORT, why=why, take_back=take_back), events=events
    )
