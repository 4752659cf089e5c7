"""`rollout approve`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.driving import ask
from orchestrator.cli.options import Common, RolloutArgument, WaveOption, WhyOption, command
from orchestrator.cli.session import start
from orchestrator.rollout.events import Ask

app = typer.Typer()


@command(
    app,
    examples="""
rollout approve r-7f3a
rollout approve r-7f3a --wave broad --reason 'canary looks good'
rollout approve r-7f3a --deny --reason 'not on a Friday'
""",
)
def approve(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    wave: WaveOption = None,
    digest: Annotated[
        str,
        typer.Option("--digest", metavar="SHA256", help="Only the plan with this digest."),
    ] = "",
    deny: Annotated[bool, typer.Option("--deny", help="Speak against it instead.")] = False,
    why: WhyOption = "",
) -> int:
    """Approve what a rollout waits for: its start, or its next wave.

    A denial rejects a rollout that has not started, and pauses one under way.
    """
    session = start(common)
    verb = Ask.DENY if deny else Ask.APPROVE
    return ask(session, api.AskRequest(rollout, verb, why=why, wave=wave, digest=digest))
