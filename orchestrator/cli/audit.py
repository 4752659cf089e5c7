"""`rollout audit list | verify | checkpoint`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, Format, FormatOption, SourceOptions, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import put, say
from orchestrator.errors import ExitCode, PlanError
from orchestrator.render.acts import acts_document, acts_text
from orchestrator.render.audit import FleetFacts, audit_document, audit_text, short_of
from orchestrator.render.json_text import dump
from orchestrator.render.text import plural

app = typer.Typer(
    help="Show what was done beside rollouts; verify that the journals are what was written.",
    no_args_is_help=True,
)


@command(
    app,
    "list",
    examples="""
rollout audit list
rollout audit list --device gw-044 --last 5
rollout audit list --format json
""",
)
def list_(
    *,
    common: Common,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="Only what was done to it.")
    ] = None,
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, max=100_000, help="So many at most.")
    ] = api.ACTS_COUNT_DEFAULT,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show what was done that belongs to no rollout: who did what to which device, when and why.

    Devices enrolled and released, shells and files taken from devices, freezes, commits that a
    controller took or refused. What a rollout did stands in its journal: `rollout events`.
    """
    session = start(common)
    found = wait_for(api.acts(session.settings, device=device, count=last))
    put(dump(acts_document(found)) if format is Format.JSON else acts_text(found, session.out))
    return ExitCode.DONE


@command(
    app,
    "verify",
    examples="""
rollout audit verify
rollout audit verify --checkpoints /media/witness/checkpoints
rollout audit verify --with-fleet -i inventory/
rollout audit verify --format json
""",
)
def verify(
    *,
    common: Common,
    source: SourceOptions,
    checkpoints: Annotated[
        Path | None,
        typer.Option("--checkpoints", metavar="FILE", help="A copy of them that was kept apart."),
    ] = None,
    with_fleet: Annotated[
        bool, typer.Option("--with-fleet", help="Ask the devices too what they know.")
    ] = False,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Make the chain of all journals again, and compare it with the signed checkpoints.

    The exit code is 0 where they hold and 1 where they do not; the first entry of a rollout that
    does not fit is named. Without a checkpoint it cannot be seen whether the end of a journal was
    cut off: keep copies of them where nobody who can write into the store can change them.

    Devices keep where the journal stood when they were changed. With `--with-fleet` they are asked,
    those of `-i` and `-l`; where one could not be asked, or none knows anything of these journals,
    and nothing else is wrong, the code is 3.
    """
    fleet = _fleet(source, wanted=with_fleet)
    session = start(common)
    found = wait_for(api.audit_verify(session.settings, checkpoints, fleet))
    asked = _asked(found.witnesses)
    what = (found.audit, str(found.checkpoints), found.signers, asked)
    as_json = format is Format.JSON
    put(dump(audit_document(*what)) if as_json else audit_text(*what, look=session.out))
    if found.audit.findings:
        return ExitCode.REFUSED
    return ExitCode.PARTIAL if short_of(found.audit, asked) else ExitCode.DONE


def _fleet(source: SourceOptions, *, wanted: bool) -> api.Source | None:
    """The devices to ask.

    Raises:
        PlanError: devices are named, and none are to be asked.
    """
    if wanted:
        return source_of(source)
    if source.inventory or source.limit:
        message = "devices are named, and none would be asked"
        raise PlanError(message, hint="ask them with `--with-fleet`")
    return None


def _asked(witnesses: api.Witnesses | None) -> FleetFacts | None:
    if witnesses is None:
        return None
    unasked = tuple((one.device, str(one.reason), one.detail) for one in witnesses.unasked)
    return FleetFacts(witnesses.asked_count, witnesses.blank_count, unasked)


@command(
    app,
    "checkpoint",
    examples="""
rollout audit checkpoint
""",
)
def checkpoint(*, common: Common) -> int:
    """Sign where the journals end now, of those whose end has no checkpoint yet.

    Engines do it by themselves when they leave; this is for what was there before, and for
    whatever a full disk or a missing key prevented.
    """
    made, file = wait_for(api.audit_checkpoint(start(common).settings))
    say(f"{plural(made, 'checkpoint')} added to {file}")
    return ExitCode.DONE
