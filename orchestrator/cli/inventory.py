"""`rollout inventory list`."""

from __future__ import annotations

import typer

from orchestrator import api
from orchestrator.cli.findings import say_findings
from orchestrator.cli.options import Common, Format, FormatOption, Output, SourceOptions, command
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import write_result
from orchestrator.errors import ExitCode
from orchestrator.render.documents import dump
from orchestrator.render.shown import inventory_text

app = typer.Typer(help="Show the inventory as it was read.", no_args_is_help=True)
app.callback()(lambda: None)


@command(
    app,
    "list",
    examples="""
rollout inventory list -i inventory/
rollout inventory list -i hosts.yml --format json
""",
)
def list_(
    *,
    common: Common,
    source: SourceOptions,
    output: Output,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """List groups and their devices; as JSON in the shape of `ansible-inventory --list`.

    What is odd in the inventory, or keeps any of its devices from being reached, is told on stderr.
    """
    session = start(common)
    found = api.inventory_list(session.settings, source_of(source))
    as_json = format is Format.JSON
    text = dump(found.groups) if as_json else inventory_text(found.groups, session.out)
    write_result(text, output.output)
    say_findings(session, found.findings)
    return ExitCode.DONE
