"""`rollout halt`."""

from __future__ import annotations

import typer

from orchestrator import api
from orchestrator.cli.options import Common, RolloutArgument, WhyOption, command
from orchestrator.cli.session import start

app = typer.Typer()


@command(
    app,
    examples="""
rollout halt
rollout halt r-7f3a --reason 'smoke in the lab'
""",
)
def halt(rollout: RolloutArgument = None, *, common: Common, why: WhyOption = "") -> int:
    """Stop a rollout as if a limit had tripped.

    No device is started, those before the point of no return are cancelled, the others finish.
    `rollout resume --accept-failures` goes on, `rollout rollback` takes devices back.
    """
    from orchestrator.cli.driving import ask
    from orchestrator.rollout.events import Ask

    session = start(common)
    return ask(session, api.AskRequest(rollout, Ask.HALT, why=why))
