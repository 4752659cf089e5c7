"""`rollout drift`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.findings import say_findings
from orchestrator.cli.fleet import ComponentOption, PatternArgument
from orchestrator.cli.options import (
    Common,
    Format,
    FormatOption,
    InventoryOptions,
    Output,
    SourceOptions,
    command,
)
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import write_result
from orchestrator.cli.survey import survey_line
from orchestrator.errors import ExitCode
from orchestrator.render.json_text import dump

app = typer.Typer()
DIFFERS = 2  # as `preview --detailed-exitcode` says "changes"; every failure is 1


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """What only this comparison has."""

    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no device; compare what was seen since.")
    ] = False
    component: ComponentOption = "main"


@command(
    app,
    examples="""
rollout drift
rollout drift 'gateways:!bench' -i inventory/ --format json
rollout drift --offline
""",
)
def drift(
    pattern: PatternArgument = "all",
    *,
    common: Common,
    inventory: InventoryOptions,
    output: Output,
    options: DriftOptions,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Tell whether devices are as the last rollout left them; for cron and pipelines.

    Ends with 0 when all of them are, with 2 when one differs, and with 1 when none differs but of
    one it is not known, or on any error. Devices are asked, read-only; --offline asks nobody.
    """
    from orchestrator.render.drift import document, text
    from orchestrator.render.fleet import FleetFacts
    from orchestrator.rollout.drift import Drift

    session = start(common)
    source = source_of(SourceOptions(inventory.inventory, inventory.limit))
    request = api.FleetRequest(pattern, source, options.component, not options.offline)
    found = wait_for(api.fleet(session.settings, request, survey_line(session)))
    facts = FleetFacts(pattern, options.component, found.at, request.refresh, found.devices)
    shown = dump(document(facts)) if format is Format.JSON else text(facts, session.out)
    write_result(shown, output.output)
    say_findings(session, found.findings)
    kinds = {device.judged.drift for device in found.devices}
    if Drift.DIFFERS in kinds:
        return DIFFERS
    return ExitCode.DONE if kinds == {Drift.SAME} else ExitCode.REFUSED
