"""`rollout promote`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import (
    Common,
    EventsOption,
    RolloutArgument,
    WaveOption,
    WhyOption,
    command,
)
from orchestrator.cli.session import start

app = typer.Typer()


@command(
    app,
    examples="""
rollout promote
rollout promote r-7f3a --wave canary --reason 'the metrics server was down'
rollout promote --full
""",
)
def promote(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    wave: WaveOption = None,
    full: Annotated[
        bool, typer.Option("--full", help="End all later soaks of this rollout too.")
    ] = False,
    why: WhyOption = "",
    events: EventsOption = None,
) -> int:
    """End the present wait of one wave: its soak, or that its evidence is inconclusive.

    Devices that soaked are read back all the same. To let an inconclusive wave pass, say why.
    Budgets, approvals, windows and signatures hold on.
    """
    from orchestrator.cli.driving import ask
    from orchestrator.rollout.events import Ask

    session = start(common)
    request = api.AskRequest(rollout, Ask.PROMOTE, why=why, wave=wave, full=full)
    return ask(session, request, events=events)
