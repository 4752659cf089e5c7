"""`rollout pause`."""

from __future__ import annotations

import typer

from orchestrator import api
from orchestrator.cli.options import Common, RolloutArgument, WhyOption, command
from orchestrator.cli.session import start

app = typer.Typer()


@command(
    app,
    examples="""
rollout pause
rollout pause r-7f3a --reason 'network work until noon'
""",
)
def pause(rollout: RolloutArgument = None, *, common: Common, why: WhyOption = "") -> int:
    """Start no further device until the rollout is resumed; devices in flight finish."""
    from orchestrator.cli.driving import ask
    from orchestrator.rollout.events import Ask

    session = start(common)
    return ask(session, api.AskRequest(rollout, Ask.PAUSE, why=why))
