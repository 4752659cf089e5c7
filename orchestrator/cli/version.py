"""`rollout version`."""

from __future__ import annotations

import platform

import typer

from orchestrator import __version__
from orchestrator.cli.options import Common, Format, FormatOption, command
from orchestrator.cli.streams import put
from orchestrator.errors import ExitCode

app = typer.Typer()


@command(
    app,
    examples="""
rollout version
rollout version --format json
""",
)
def version(*, common: Common, format: FormatOption = Format.TEXT) -> int:  # noqa: A002, ARG001
    """Print the version."""
    if format is Format.JSON:
        from orchestrator.render.json_text import dump

        found = {
            "format_version": "1.0",
            "kind": "version",
            "version": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
        }
        put(dump(found))
    else:
        put(f"rollout {__version__}\n")
    return ExitCode.DONE
