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
from orchestrator.cli.session import Session, start
from orchestrator.cli.streams import write_result
from orchestrator.errors import ExitCode
from orchestrator.render.json_text import dump

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
    as_json = format is Format.JSON
    whole = True
    if why is not None:
        text = _of_device(session, rollout, why, as_json=as_json)
    elif every:
        text, whole = _of_all(session, as_json=as_json)
    else:
        text = _of_one(session, rollout, as_json=as_json)
    write_result(text, output.output)
    return ExitCode.DONE if whole else ExitCode.PARTIAL


def _of_one(session: Session, rollout: str | None, *, as_json: bool) -> str:
    from orchestrator.cli.shown_status import facts_of
    from orchestrator.render import status as render

    facts = facts_of(wait_for(api.status(session.settings, rollout)))
    return dump(render.document(facts)) if as_json else render.text(facts, session.out)


def _of_device(session: Session, rollout: str | None, device: str, *, as_json: bool) -> str:
    from orchestrator.cli.shown_why import why_facts
    from orchestrator.render import why as render

    facts = why_facts(wait_for(api.why(session.settings, rollout, device)))
    return dump(render.document(facts)) if as_json else render.text(facts, session.out)


def _of_all(session: Session, *, as_json: bool) -> tuple[str, bool]:
    """All of them, and whether each could be read."""
    from orchestrator.cli.shown_status import facts_of
    from orchestrator.render import status as render

    found = [
        render.Unread(one.rollout_id, one.plan_name, one.state, one.why)
        if isinstance(one, api.Unreadable)
        else facts_of(one)
        for one in wait_for(api.rollouts(session.settings))
    ]
    whole = not any(isinstance(one, render.Unread) for one in found)
    shown = dump(render.list_document(found)) if as_json else render.table_text(found, session.out)
    return shown, whole
