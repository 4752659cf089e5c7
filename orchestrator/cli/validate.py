"""`rollout validate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import __version__, api
from orchestrator.cli.options import Common, InventoryOptions, Output, SourceOptions, command
from orchestrator.cli.session import Session, source_of, start
from orchestrator.cli.streams import say, write_result
from orchestrator.errors import ExitCode, Severity
from orchestrator.render import diagnostics
from orchestrator.render.text import Look

app = typer.Typer()
PLAIN = Look()  # for titles of ours, which programs read


class Form(StrEnum):
    """How findings are shown."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"
    SARIF = "sarif"


@command(
    app,
    examples="""
rollout validate plans/gateway.yml
rollout validate plans --format concise
rollout validate plans --format sarif -o findings.sarif
rollout validate plans -i inventory/ -l 'all:!bench'
""",
)
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Plans, or directories of plans."),
    ] = None,
    *,
    common: Common,
    inventory: InventoryOptions,
    output: Output,
    format: Annotated[Form, typer.Option("--format", help="How findings are shown.")] = Form.TEXT,  # noqa: A002
) -> int:
    """Check plans and inventories: every problem of every file at once, with its place.

    Needs no network and runs nothing: safe for changes of strangers. With -i inventories are
    checked, too, and each of their devices (or those of -l) must be reachable as written. With
    neither PATH nor -i the directory `plans` is checked. Of a saved plan it says whether it was
    changed since it was saved. Ends with 1 when there are errors.
    """
    session = start(common)
    named = source_of(SourceOptions(inventory.inventory, inventory.limit))
    source = named if inventory.inventory or inventory.limit else None
    default = [] if source else [Path("plans")]
    found = api.validate(paths or default, session.settings, source)
    return show_findings(session, found, format, output.output)


def show_findings(session: Session, found: api.Validated, form: Form, to: Path | None) -> int:
    """Shows what was found in files; the exit code says whether any of it is an error."""
    if form is Form.CONCISE and not session.quiet:
        say(diagnostics.summary(found.diagnostics, found.file_count, session.err))
    write_result(_text(session, found, form), to)
    broken = any(each.severity is Severity.ERROR for each in found.diagnostics)
    return ExitCode.REFUSED if broken else ExitCode.DONE


def _text(session: Session, found: api.Validated, form: Form) -> str:
    """What is written; the module of a form is loaded for that form alone."""
    match form:
        case Form.JSON:
            from orchestrator.render.json_text import dump

            text = dump(diagnostics.document(found.diagnostics, found.file_count))
        case Form.CONCISE:
            text = diagnostics.concise(found.diagnostics)
        case Form.GITLAB:
            from orchestrator.render.gitlab import code_quality

            text = code_quality(found.diagnostics)
        case Form.JUNIT:
            from orchestrator.render.junit import findings_report

            text = findings_report(found.diagnostics, found.files)
        case Form.SARIF:
            from orchestrator.render.sarif import sarif

            text = sarif(found.diagnostics, __version__, api.meanings())
        case Form.TEXT | Form.GITHUB:
            text = diagnostics.text(found.diagnostics, found.file_count, session.out)
    if form is Form.GITHUB:
        from orchestrator.render.github import annotated

        title = diagnostics.summary(found.diagnostics, found.file_count, PLAIN)
        return annotated(text, title, found.diagnostics)
    return text
