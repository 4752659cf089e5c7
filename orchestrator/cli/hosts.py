"""`rollout hosts`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import hosts as complete_hosts
from orchestrator.cli.findings import say_findings
from orchestrator.cli.options import Common, Format, FormatOption, Output, SourceOptions, command
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import write_result
from orchestrator.errors import ExitCode
from orchestrator.render.text import escape

app = typer.Typer()


@command(
    app,
    examples="""
rollout hosts 'gateways:&production:!held' -i inventory/
rollout hosts all -i hosts.yml -l 'gw-*' --format json
""",
)
def hosts(
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN",
            help="Ansible host pattern; `all` for all.",
            autocompletion=complete_hosts,
        ),
    ],
    *,
    common: Common,
    source: SourceOptions,
    output: Output,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """List the devices of a pattern, in the inventory's order.

    What is odd in the inventory, or keeps any of its devices from being reached, is told on stderr.
    """
    session = start(common)
    found = api.hosts(session.settings, pattern, source_of(source))
    if format is Format.JSON:
        text = json.dumps(list(found.names)) + "\n"
    else:
        text = "".join(f"{escape(name)}\n" for name in found.names)
    write_result(text, output.output)
    say_findings(session, found.findings)
    return ExitCode.DONE
