"""`rollout schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import schemas
from orchestrator.cli.options import Common, Output, command
from orchestrator.cli.session import start
from orchestrator.cli.streams import write_result
from orchestrator.errors import ExitCode

app = typer.Typer()


@command(
    app,
    examples="""
rollout schema
rollout schema inventory-file -o schemas/inventory-file.v1.json
""",
)
def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="As plan; the names, where none is given.",
            autocompletion=schemas,
        ),
    ] = "",
    *,
    common: Common,
    output: Output,
) -> int:
    """Print the JSON schema of plans, inventories or a machine format, for editors and programs.

    Editors that know yaml-language-server take one from the first line of a file, as `rollout init`
    writes it: `# yaml-language-server: $schema=../schemas/plan.v1.json`.
    """
    start(common)
    text = api.schema_named(name) if name else "".join(f"{one}\n" for one in api.schema_names())
    write_result(text, output.output)
    return ExitCode.DONE
