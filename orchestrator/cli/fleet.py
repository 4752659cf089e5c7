"""`rollout fleet`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import groupings, hosts
from orchestrator.cli.findings import say_findings
from orchestrator.cli.options import Common, InventoryOptions, Output, SourceOptions, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import write_result
from orchestrator.cli.survey import survey_line
from orchestrator.errors import ExitCode
from orchestrator.render.json_text import dump

app = typer.Typer()

PatternArgument = Annotated[
    str,
    typer.Argument(
        metavar="[PATTERN]", help="Ansible host pattern; all if left out.", autocompletion=hosts
    ),
]
ComponentOption = Annotated[
    str, typer.Option("--component", metavar="NAME", help="Part of the devices.")
]


class Form(StrEnum):
    """Text for people, one JSON document, or rows for a spreadsheet."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """What only the fleet has."""

    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="WHAT",
            help="version, hardware, or a label such as site.",
            autocompletion=groupings,
        ),
    ] = "version"
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the devices, read-only, what they run now.")
    ] = False
    component: ComponentOption = "main"


@command(
    app,
    examples="""
rollout fleet
rollout fleet 'gateways:&berlin' -i inventory/ --by site
rollout fleet all --refresh --format csv -o fleet.csv
""",
)
def fleet(
    pattern: PatternArgument = "all",
    *,
    common: Common,
    inventory: InventoryOptions,
    output: Output,
    options: FleetOptions,
    format: Annotated[Form, typer.Option("--format", help="text, json or csv.")] = Form.TEXT,  # noqa: A002
) -> int:
    """Show what runs where, as it was last seen and when; changes nothing, remembers nothing.

    Without --refresh nobody is asked: rollouts and previews that were applied tell what they saw.
    Devices that stand out are named below the counts.
    """
    from orchestrator.render.fleet import BY_HARDWARE, BY_VERSION, FleetFacts, document, text
    from orchestrator.render.fleet_csv import csv_text

    if not options.by.strip():
        raise typer.BadParameter("says nothing", param_hint="--by")
    session = start(common)
    source = source_of(SourceOptions(inventory.inventory, inventory.limit))
    label = "" if options.by in (BY_VERSION, BY_HARDWARE) else options.by
    request = api.FleetRequest(pattern, source, options.component, options.refresh, label)
    found = wait_for(api.fleet(session.settings, request, survey_line(session)))
    facts = FleetFacts(pattern, options.component, found.at, options.refresh, found.devices)
    match format:
        case Form.JSON:
            shown = dump(document(facts, options.by))
        case Form.CSV:
            shown = csv_text(facts, options.by)
        case Form.TEXT:
            shown = text(facts, options.by, session.out)
    write_result(shown, output.output)
    say_findings(session, found.findings)
    return ExitCode.DONE
