"""`rollout rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.confirm import confirm_devices
from orchestrator.cli.driving import ask
from orchestrator.cli.options import Common, EventsOption, RolloutArgument, WhyOption, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.rollout.events import Ask

app = typer.Typer()


@command(
    app,
    examples="""
rollout rollback
rollout rollback r-7f3a --wave canary --yes
""",
)
def rollback(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    wave: Annotated[
        str | None, typer.Option("--wave", metavar="NAME", help="Only this wave.")
    ] = None,
    why: WhyOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")] = False,
    events: EventsOption = None,
) -> int:
    """Take devices back to what they ran before, newest first, and read each one back."""
    session = start(common)
    found = wait_for(api.status(session.settings, rollout))
    count = found.story.on_new
    if wave is not None:
        sizes = {each.name: each.devices for each in found.story.waves}
        count = min(count, sizes.get(wave, 0))
    if count:  # otherwise there is nothing to agree to; an unknown wave is refused below
        confirm_devices(session, "Roll back", count, yes=yes)
    request = api.AskRequest(found.rollout_id, Ask.ROLLBACK, why=why, wave=wave)
    return ask(session, request, events=events)
