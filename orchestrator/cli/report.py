"""`rollout report`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import __version__, api
from orchestrator.cli.options import Common, Output, RolloutArgument, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.cli.streams import say, write_result
from orchestrator.errors import ExitCode
from orchestrator.render.json_text import dump

app = typer.Typer()


class Form(StrEnum):
    """The facts of a page."""

    JSON = "json"


@command(
    app,
    examples="""
rollout report --html report.html
rollout report r-7f3a --html - > r-7f3a.html
rollout report r-7f3a --format json -o r-7f3a.json
""",
)
def report(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    output: Output,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="The page to write; - for stdout.")
    ] = None,
    format: Annotated[  # noqa: A002
        Form | None, typer.Option("--format", help="json: its facts, for programs.")
    ] = None,
) -> int:
    """Write one page with all that became of a rollout.

    Outcome, timeline of waves and devices, failures by cause with what devices said, samples of
    gates, everything that happened, approvals with their signatures, and whether the journal
    holds. The page needs neither network nor scripts, is read by screen readers, and prints.
    """
    if (html is None) == (format is None):
        message = "say where the page goes: --html FILE; or, for its facts, --format json"
        raise typer.BadParameter(message, param_hint="--html")
    from orchestrator.cli.shown_status import facts_of
    from orchestrator.render.report import ReportFacts, report_page
    from orchestrator.render.report_document import report_document
    from orchestrator.render.report_proof import ProofFacts

    session = start(common)
    found = wait_for(api.report(session.settings, rollout))
    proof = ProofFacts(
        found.controller_id,
        found.proven.seq,
        found.proven.hash,
        found.proven.fault,
        found.seals,
        found.findings,
    )
    facts = ReportFacts(facts_of(found.status), found.journal, proof, __version__)
    if html is None:
        write_result(dump(report_document(facts)), output.output)
        return ExitCode.DONE
    to_stdout = str(html) == "-"
    write_result(report_page(facts), None if to_stdout else html)
    if not to_stdout and not session.quiet:
        say(f"report of {found.status.rollout_id} written to {html}")
    return ExitCode.DONE
