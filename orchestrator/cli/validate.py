"""`rollout validate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, InventoryOptions, Output, SourceOptions, command
from orchestrator.cli.session import Session, source_of, start
from orchestrator.cli.streams import say, write_result
from orchestrator.errors import ExitCode, Severity
from orchestrator.render import diagnostics
from orchestrator.render.documents import dump

app = typer.Typer()


class Form(StrEnum):
    """How findings are shown."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"


@command(
    app,
    examples="""
rollout validate plans/gateway.yml
rollout validate plans --format concise
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
    match form:
        case Form.JSON:
            text = dump(diagnostics.document(found.diagnostics, found.file_count))
        case Form.CONCISE:
            text = diagnostics.concise(found.diagnostics)
            if not session.quiet:
                say(diagnostics.summary(found.diagnostics, found.file_count, session.err))
        case Form.TEXT:
            text = diagnostics.text(found.diagnostics, found.file_count, session.out)
    write_result(text, to)
    broken = any(each.severity is Severity.ERROR for each in found.diagnostics)
    return ExitCode.REFUSED if broken else ExitCode.DONE
