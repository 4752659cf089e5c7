"""`rollout audit verify | checkpoint`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, Format, FormatOption, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.cli.streams import put, say
from orchestrator.errors import ExitCode
from orchestrator.render.audit import audit_document, audit_text
from orchestrator.render.documents import dump
from orchestrator.render.text import plural

app = typer.Typer(help="Verify that the journals are what was written.", no_args_is_help=True)


@command(
    app,
    "verify",
    examples="""
rollout audit verify
rollout audit verify --checkpoints /media/witness/checkpoints
rollout audit verify --format json
""",
)
def verify(
    *,
    common: Common,
    checkpoints: Annotated[
        Path | None,
        typer.Option("--checkpoints", metavar="FILE", help="A copy of them that was kept apart."),
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Make the chain of all journals again, and compare it with the signed checkpoints.

    The exit code is 0 where they hold and 1 where they do not; the first entry of a rollout that
    does not fit is named. Without a checkpoint it cannot be seen whether the end of a journal was
    cut off: keep copies of them where nobody who can write into the store can change them.
    """
    found = wait_for(api.audit_verify(start(common).settings, checkpoints))
    what = (found.audit, str(found.checkpoints), found.signers)
    put(dump(audit_document(*what)) if format is Format.JSON else audit_text(*what))
    return ExitCode.REFUSED if found.audit.findings else ExitCode.DONE


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
