"""`rollout watch`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.driving import look_on
from orchestrator.cli.options import Common, EventsOption, RolloutArgument, command, seconds
from orchestrator.cli.session import start

app = typer.Typer()


@command(
    app,
    examples="""
rollout watch
rollout watch r-7f3a
rollout watch r-7f3a --timeout 2h --events -
""",
)
def watch(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="DURATION", help="Look on for so long at most."),
    ] = None,
    events: EventsOption = None,
) -> int:
    """Look on at a rollout that runs elsewhere, until it is over.

    It reads only: Ctrl-C ends the looking, not the rollout. The exit code is the rollout's, and 7
    when the time is over first. Waits are told with the command that ends them.
    """
    session = start(common)
    limit_s = None if timeout is None else seconds(timeout, "--timeout")
    return look_on(session, rollout, events=events, timeout_s=limit_s)
