"""`rollout retry`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import devices
from orchestrator.cli.options import (
    Common,
    EventsOption,
    ProposalOption,
    RolloutArgument,
    WhyOption,
    command,
)
from orchestrator.cli.session import start
from orchestrator.device.reason import FailureClass
from orchestrator.rollout.events import Ask

app = typer.Typer()


@command(
    app,
    examples="""
rollout retry
rollout retry r-7f3a --device gw-044 --device gw-051
rollout retry --only connect
rollout retry r-7f3a --only transfer --out fix.plan
""",
)
def retry(  # noqa: PLR0913  each is an option of the command line
    rollout: RolloutArgument = None,
    *,
    common: Common,
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device", metavar="NAME", help="Only this one; may repeat.", autocompletion=devices
        ),
    ] = None,
    only: Annotated[
        FailureClass | None,
        typer.Option(
            "--only",
            metavar="CLASS",
            help=f"Only failures of this class: {', '.join(FailureClass)}.",
        ),
    ] = None,
    why: WhyOption = "",
    out: ProposalOption = None,
    events: EventsOption = None,
) -> int:
    """Try devices again that failed or were not reached.

    A halted rollout stays halted, and a paused one paused: `rollout resume` (after a halt with
    `--accept-failures`) then starts them.
    With --out it is saved to be reviewed instead: `rollout apply FILE` does exactly that.
    """
    from orchestrator.cli.driving import ask
    from orchestrator.cli.proposing import save_proposal

    session = start(common)
    request = api.AskRequest(rollout, Ask.RETRY, why=why, devices=tuple(device or ()), only=only)
    if out is not None:
        return save_proposal(session, request, out)
    return ask(session, request, events=events)
