"""`rollout status`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import devices
from orchestrator.cli.options import (
    Common,
    Format,
    FormatOption,
    Output,
    RolloutArgument,
    command,
)
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.cli.shown_status import facts_of
from orchestrator.cli.shown_why import why_facts
from orchestrator.cli.streams import write_result
from orchestrator.errors import ExitCode
from orchestrator.render import status as render
from orchestrator.render.json_text import dump
from orchestrator.render.standing import Facts
from orchestrator.render.why import document as why_document
from orchestrator.render.why import text as why_text

app = typer.Typer()


@command(
    app,
    examples="""
rollout status
rollout status r-7f3a --format json
rollout status --why lab-07
rollout status --all
""",
)
def status(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    output: Output,
    why: Annotated[
        str | None,
        typer.Option(
            "--why",
            metavar="DEVICE",
            help="Tell why this device is where it is.",
            autocompletion=devices,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List all rollouts, newest first.")] = False,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show where a rollout stands, why, what was not touched, and what may be done now.

    With `--all`, rollouts that cannot be read are named with the reason; the exit code then is 3.
    """
    session = start(common)
    if why is not None:
        told = wait_for(api.why(session.settings, rollout, why))
        of_device = why_facts(told)
        as_json = format is Format.JSON
        text = dump(why_document(of_device)) if as_json else why_text(of_device, session.out)
        write_result(text, output.output)
        return ExitCode.DONE
    if every:
        found = [_shown(one) for one in wait_for(api.rollouts(session.settings))]
        whole = not any(isinstance(one, render.Unread) for one in found)
        as_json = format is Format.JSON
        text = (
            dump(render.list_document(found)) if as_json else render.table_text(found, session.out)
        )
    else:
        whole = True
        facts = facts_of(wait_for(api.status(session.settings, rollout)))
        as_json = format is Format.JSON
        text = dump(render.document(facts)) if as_json else render.text(facts, session.out)
    write_result(text, output.output)
    return ExitCode.DONE if whole else ExitCode.PARTIAL


def _shown(found: api.Status | api.Unreadable) -> Facts | render.Unread:
    if isinstance(found, api.Unreadable):
        return render.Unread(found.rollout_id, found.plan_name, found.state, found.why)
    return facts_of(found)
