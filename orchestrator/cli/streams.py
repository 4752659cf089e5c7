"""Where text goes: results to stdout or a file, everything else to stderr.

Law: a reader who goes away (`| head -1`, a closed terminal) changes neither what a command does
nor its exit code; a rollout least of all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from textwrap import TextWrapper
from typing import TextIO

from orchestrator.errors import OrchestratorError, system_reason
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
        unicode=unicode_wanted(stream.encoding, os.environ),
    )


def write_result(text: str, output: Path | None) -> None:
    """Writes a command's result to stdout, or to the file of `-o` in one step.

    Raises:
        OrchestratorError: the file cannot be written.
    """
    if output is None:
        put(text)
    else:
        write_file(output, text.encode())


def put(text: str, *, at_once: bool = True) -> bool:
    """Writes to stdout; gives False once nobody reads it any more.

    Args:
        text: whole lines.
        at_once: False lets it wait in a buffer for more.

    Raises:
        OrchestratorError: it cannot be written for another reason, such as a full disk.
    """
    try:
        sys.stdout.write(text)
        if at_once:
            sys.stdout.flush()
    except BrokenPipeError:
        mute(sys.stdout)
        return False
    except OSError as error:
        mute(sys.stdout)
        message = f"cannot write the result: {_reason(error)}"
        raise OrchestratorError(message) from error
    return True


def mute(stream: TextIO) -> None:
    """Sends what a broken stream still holds to nowhere, so that its end raises nothing."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: no file is behind it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def write_file(path: Path, data: bytes) -> None:
    """Writes a file beside its final name and renames it: there is never half a result.

    What is there and no regular file (`/dev/stdout`, a pipe) is written to, never replaced.

    Raises:
        OrchestratorError: the file cannot be written.
    """
    try:
        if path.is_dir() or (path.exists() and not path.is_file()):
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except OSError as error:
        message = f"cannot write `{path}`: {_reason(error)}"
        raise OrchestratorError(message) from error


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def say(text: str) -> None:
    """A line for the person, on stderr."""
    show(sys.stderr, text + "\n")


def say_folded(text: str, look: Look) -> None:
    """A sentence for the person, folded at blanks to the width; what is to be copied stays whole."""
    fold = TextWrapper(
        look.width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    say(fold.fill(text))


def show(stream: TextIO, text: str) -> None:
    """Writes what a person may read; nothing depends on it."""
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        mute(stream)


def _reason(error: OSError) -> str:
    return system_reason(error)
