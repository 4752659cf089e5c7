"""Where text goes: results to stdout or a file, everything else to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TextIO

from orchestrator.errors import OrchestratorError
from orchestrator.render.text import WIDTH_MIN, Look, colour_wanted, unicode_wanted

WIDTH_DEFAULT = 100  # where there is no terminal to ask: logs, files


def look_of(stream: TextIO, flag: str = "auto") -> Look:
    """What a stream can show."""
    is_terminal = stream.isatty()
    columns = shutil.get_terminal_size((WIDTH_DEFAULT, 24)).columns
    width = columns if is_terminal or os.environ.get("COLUMNS") else WIDTH_DEFAULT
    return Look(
        width=max(WIDTH_MIN, width),
        colour=colour_wanted(flag, os.environ, is_terminal=is_terminal),
        unicode=unicode_wanted(stream.encoding),
    )


def write_result(text: str, output: Path | None) -> None:
    """Writes a command's result to stdout, or to the file of `-o` in one step.

    Raises:
        OrchestratorError: the file cannot be written.
    """
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    write_file(output, text.encode())


def write_file(path: Path, data: bytes) -> None:
    """Writes a file beside its final name and renames it: there is never half a result.

    Raises:
        OrchestratorError: the file cannot be written.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        message = f"cannot write `{path}`: {error.strerror}"
        raise OrchestratorError(message) from error


def say(text: str) -> None:
    """A line for the person, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
