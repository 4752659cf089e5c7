"""`rollout rollback`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import devices, hosts, waves
from orchestrator.cli.confirm import confirm_devices
from orchestrator.cli.options import (
    Common,
    EventsOption,
    ProposalOption,
    RolloutArgument,
    WhyOption,
    command,
)
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, start
from orchestrator.errors import PlanError
from orchestrator.rollout.events import Ask

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class ScopeOptions:
    """Which devices of the rollout; all of them where nothing is said."""

    every: Annotated[
        bool, typer.Option("--all", help="All that run its version because of it.")
    ] = False
    hosts: Annotated[
        str | None,
        typer.Option(
            "--hosts", metavar="PATTERN", help="Only those of a pattern.", autocompletion=hosts
        ),
    ] = None
    inventory: Annotated[
        list[str] | None,
        typer.Option(
            "--inventory",
            "-i",
            metavar="SRC",
            help="Inventory of `--hosts`; the rollout's own by default.",
        ),
    ] = None
    wave: Annotated[
        str | None,
        typer.Option("--wave", metavar="NAME", help="Only this wave.", autocompletion=waves),
    ] = None
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device", metavar="NAME", help="Only this one; may repeat.", autocompletion=devices
        ),
    ] = None


@command(
    app,
    examples="""
rollout rollback
rollout rollback r-7f3a --wave canary --yes
rollout rollback r-7f3a --hosts 'berlin:&gateways' -i inventory/
rollout rollback r-7f3a --device gw-044 --reason 'its screen stays dark'
rollout rollback r-7f3a --wave canary --out back.plan
""",
)
def rollback(  # noqa: PLR0913  each is an option of the command line
    rollout: RolloutArgument = None,
    *,
    common: Common,
    scope: ScopeOptions,
    why: WhyOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")] = False,
    out: ProposalOption = None,
    events: EventsOption = None,
) -> int:
    """Take devices back to what they ran before, newest first, and prove each one there.

    Also those of a rollout that is over, as long as they can still go back.
    With --out it is saved to be reviewed instead: `rollout apply FILE` does exactly that.
    """
    from orchestrator.cli.driving import ask
    from orchestrator.cli.proposing import save_proposal

    session = start(common)
    found = wait_for(api.status(session.settings, rollout))
    devices = _devices(session, found, scope)
    request = api.AskRequest(found.rollout_id, Ask.ROLLBACK, why, devices=devices, wave=scope.wave)
    if out is not None:
        return save_proposal(session, request, out)
    count = len(found.concerned(wave=scope.wave, devices=devices))
    if count:  # otherwise there is nothing to agree to; an unknown wave is refused below
        confirm_devices(session, "Roll back", count, yes=yes)
    return ask(session, request, events=events)


def _devices(session: Session, found: api.Status, scope: ScopeOptions) -> tuple[str, ...]:
    """The devices named or matched; none stands for all of the wave or rollout.

    Raises:
        PlanError: the scope contradicts itself, or the pattern matches no device of the rollout.
    """
    named = tuple(scope.device or ())
    if scope.every and (named or scope.wave or scope.hosts):
        message = "`--all` stands for every device of the rollout, with nothing beside it"
        raise PlanError(message, hint="leave out `--all`, or the rest")
    if scope.hosts is None:
        return named
    source = api.Source(inventory=tuple(scope.inventory or found.resolved.inventory))
    matched = api.hosts(session.settings, scope.hosts, source).names
    ours = tuple(name for name in matched if name in found.resolved.devices)
    if not ours:
        message = f"no device of rollout `{found.rollout_id}` matches `{scope.hosts}`"
        raise PlanError(message, hint="`rollout hosts PATTERN` shows what a pattern matches")
    return named + ours
