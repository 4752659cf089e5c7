"""`rollout logs`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import devices, rollouts
from orchestrator.cli.options import Common, Format, FormatOption, Output, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.cli.shown_why import why_facts
from orchestrator.cli.streams import write_result
from orchestrator.errors import ExitCode
from orchestrator.render.json_text import dump
from orchestrator.render.logs import document, text

app = typer.Typer()


@command(
    app,
    examples="""
rollout logs r-7f3a gw-ber-044
rollout logs r-7f3a gw-ber-044 --format json
""",
)
def logs(
    rollout: Annotated[
        str,
        typer.Argument(metavar="ROLLOUT", help="Id or its beginning.", autocompletion=rollouts),
    ],
    device: Annotated[
        str,
        typer.Argument(metavar="DEVICE", help="A device of it.", autocompletion=devices),
    ],
    *,
    common: Common,
    output: Output,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show what happened to one device of a rollout, step by step.

    Every entry that the journal has of it, in order of time: from state to state with the reasons
    and the device's own words, samples of gates, reports and who signed them.
    """
    session = start(common)
    told = why_facts(wait_for(api.why(session.settings, rollout, device)))
    as_json = format is Format.JSON
    write_result(dump(document(told)) if as_json else text(told, session.out), output.output)
    return ExitCode.DONE
