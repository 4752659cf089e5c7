"""`rollout rollback`."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class ScopeOptions:
    """Which devices of the rollout."""

    wave: Annotated[str | None, typer.Option("--wave", metavar="NAME", help="Only this wave.")] = (
        None
    )
    device: Annotated[
        list[str] | None,
        typer.Option("--device", metavar="NAME", help="Only this one; may repeat."),
    ] = None


@command(
    app,
    examples="""
rollout rollback
rollout rollback r-7f3a --wave canary --yes
rollout rollback r-7f3a --device gw-044 --why 'its screen stays dark'
""",
)
def rollback(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    scope: ScopeOptions,
    why: WhyOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")] = False,
    events: EventsOption = None,
) -> int:
    """Take devices back to what they ran before, newest first, and prove each one there.

    Also those of a rollout that is over, as long as they can still go back.
    """
    session = start(common)
    found = wait_for(api.status(session.settings, rollout))
    devices = tuple(scope.device or ())
    count = len(found.concerned(wave=scope.wave, devices=devices))
    if count:  # otherwise there is nothing to agree to; an unknown wave is refused below
        confirm_devices(session, "Roll back", count, yes=yes)
    request = api.AskRequest(found.rollout_id, Ask.ROLLBACK, why, devices=devices, wave=scope.wave)
    return ask(session, request, events=events)
