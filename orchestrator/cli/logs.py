"""`rollout logs`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import devices, rollouts
from orchestrator.cli.options import Common, Format, FormatOption, Output, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, start
from orchestrator.cli.streams import write_result
from orchestrator.errors import ExitCode
from orchestrator.render.json_text import dump

app = typer.Typer()


@command(
    app,
    examples="""
rollout logs r-7f3a gw-ber-044
rollout logs r-7f3a gw-ber-044 --offline --format json
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
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the device.")] = False,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show what happened to one device of a rollout, step by step.

    Every entry that the journal has of it, in order of time: from state to state with the reasons
    and the device's own words, samples of gates, reports and who signed them. Then what its update
    module said last, at most 16 KiB, if the device answers, still has it, and does not forbid it.
    """
    session = start(common)
    told = wait_for(api.why(session.settings, rollout, device))
    log = None if offline else wait_for(api.module_log(session.settings, told))
    write_result(logs_text(session, told, log, format), output.output)
    return ExitCode.DONE


def logs_text(session: Session, told: api.Why, log: api.ModuleLog | None, form: Format) -> str:
    """What happened to a device, and its own log where it was asked, in a form."""
    from orchestrator.cli.shown_why import why_facts
    from orchestrator.render.logs import LogFacts, document, text

    facts = why_facts(told)
    of_device = None if log is None else LogFacts(log.text, log.reason, log.detail)
    if form is Format.JSON:
        return dump(document(facts, of_device))
    return text(facts, of_device, session.out)
