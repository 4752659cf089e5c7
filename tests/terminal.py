"""A program at a terminal, and somebody who answers what it asks."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COMMAND_S = 120.0


@dataclass(frozen=True)
class Seen:
    """All that stood on the terminal, and how the program ended."""

    text: str
    code: int


def on_terminal(
    words: Sequence[str], answers: Mapping[str, str], *, cwd: Path, env: Mapping[str, str]
) -> Seen:
    """Runs a program; what it prints that ends with one of the questions is answered.

    Args:
        words: the program and its arguments.
        answers: what is typed, by the end of the question.
        cwd: where.
        env: its environment.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        words, cwd=cwd, env={**env, "TERM": "xterm"}, start_new_session=True,
        stdin=theirs, stdout=theirs, stderr=theirs,
    ) as child:  # fmt: skip
        os.close(theirs)
        seen, unread = "", ""
        while data := _read(ours):
            seen, unread = seen + data, unread + data
            for question, answer in answers.items():
                if unread.endswith(question):
                    os.write(ours, f"{answer}\n".encode())
                    unread = ""
        os.close(ours)
        code = child.wait(COMMAND_S)
    return Seen(seen, code)


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode()
    except OSError:  # the program has ended
        return ""
