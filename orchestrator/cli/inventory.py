"""`rollout inventory list | graph | host | explain | check`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import hosts as complete_hosts
from orchestrator.cli.completing import variables
from orchestrator.cli.findings import say_findings
from orchestrator.cli.options import Common, Format, FormatOption, Output, SourceOptions, command
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import write_result
from orchestrator.cli.validate import Form, show_findings
from orchestrator.errors import ExitCode, PlanError
from orchestrator.render.inventory import (
    explained_text,
    graph_text,
    host_document,
    host_text,
    inventory_text,
)
from orchestrator.render.json_text import dump
from orchestrator.source import did_you_mean, shown

app = typer.Typer(help="Show the inventory as it was read.", no_args_is_help=True)
app.callback()(lambda: None)

HostArgument = Annotated[
    str,
    typer.Argument(
        metavar="HOST", help="A device of the inventory.", autocompletion=complete_hosts
    ),
]


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
    text = dump(found.groups) if format is Format.JSON else inventory_text(found.tree, session.out)
    write_result(text, output.output)
    say_findings(session, found.findings)
    return ExitCode.DONE


@command(
    app,
    examples="""
rollout inventory graph -i inventory/
rollout inventory graph gateways
""",
)
def graph(
    group: Annotated[
        str,
        typer.Argument(
            metavar="[GROUP]",
            help="Only this group and what is below it.",
            autocompletion=complete_hosts,
        ),
    ] = "all",
    *,
    common: Common,
    source: SourceOptions,
    output: Output,
) -> int:
    """Show which groups stand below which, with their devices."""
    session = start(common)
    tree = api.inventory_graph(session.settings, source_of(source), group)
    write_result(graph_text(tree, session.out), output.output)
    return ExitCode.DONE


@command(
    app,
    examples="""
rollout inventory host gw-ber-01 -i inventory/
rollout inventory host gw-ber-01 --format json
""",
)
def host(
    name: HostArgument,
    *,
    common: Common,
    source: SourceOptions,
    output: Output,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show groups and variables of a device, and where each value is written."""
    session = start(common)
    found = api.inventory_host(session.settings, source_of(source), name)
    text = dump(host_document(found)) if format is Format.JSON else host_text(found, session.out)
    write_result(text, output.output)
    return ExitCode.DONE


@command(
    app,
    examples="""
rollout inventory explain gw-ber-01 -i inventory/
rollout inventory explain gw-ber-01 ansible_host
""",
)
def explain(
    name: HostArgument,
    variable: Annotated[
        str,
        typer.Argument(
            metavar="[VAR]",
            help="Only this variable.",
            show_default=False,
            autocompletion=variables,
        ),
    ] = "",
    *,
    common: Common,
    source: SourceOptions,
    output: Output,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show every value that is written for a device, in which file, and which one counts."""
    session = start(common)
    facts = _only(api.inventory_host(session.settings, source_of(source), name), variable)
    text = (
        dump(host_document(facts)) if format is Format.JSON else explained_text(facts, session.out)
    )
    write_result(text, output.output)
    return ExitCode.DONE


@command(
    app,
    examples="""
rollout inventory check -i inventory/
rollout inventory check -l 'all:!bench' --format concise
""",
)
def check(
    *,
    common: Common,
    source: SourceOptions,
    output: Output,
    format: Annotated[Form, typer.Option("--format", help="How findings are shown.")] = Form.TEXT,  # noqa: A002
) -> int:
    """Check every source, and that each device can be reached as written. No network is used.

    Every problem is told at once, with its place. Ends with 1 when there are errors.
    """
    session = start(common)
    found = api.validate((), session.settings, source_of(source))
    return show_findings(session, found, format, output.output)


def _only(found: api.HostShown, only: str) -> api.HostShown:
    """The device with one of its variables, or all of them where none is named."""
    if not only:
        return found
    chosen = tuple(variable for variable in found.variables if variable.name == only)
    if not chosen:
        known = [variable.name for variable in found.variables]
        message = f"`{found.name}` has no variable `{shown(only)}`{did_you_mean(only, known)}"
        hint = f"`rollout inventory host {found.name}` shows them all"
        raise PlanError(message, hint=hint, code="I201")
    return replace(found, variables=chosen)
