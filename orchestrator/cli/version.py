"""`rollout version`."""

from __future__ import annotations

import json
import platform
import sys
from typing import Annotated

import typer

from orchestrator import __version__
from orchestrator.cli.options import Common, Format, command
from orchestrator.errors import ExitCode

app = typer.Typer()


@command(
    app,
    examples="""
rollout version
rollout version --format json
""",
)
def version(
    *,
    common: Common,  # noqa: ARG001  every command takes the common options
    format: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.TEXT,  # noqa: A002
) -> int:
    """Print the version."""
    if format is Format.JSON:
        found = {
            "format_version": "1.0",
            "version": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
        }
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write(f"rollout {__version__}\n")
    return ExitCode.DONE
