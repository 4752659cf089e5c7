"""Ctrl-C and SIGTERM where no work has a way of its own to end: at the start, in imports, at a question.

Law: whenever a signal comes, it has its exit code and a line. So this stands before all other
imports, and has none that cost time.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM; cleans up as Ctrl-C does."""


def arm() -> None:
    """From here on SIGTERM is raised; SIGINT is by itself."""
    signal.signal(signal.SIGTERM, _terminate)


def ended_by(stop: KeyboardInterrupt) -> int:
    """Says what ended the program; gives the exit code."""
    from orchestrator.errors import ExitCode

    terminated = isinstance(stop, Terminated)
    if sys.stderr is not None:
        sys.stderr.write("terminated\n" if terminated else "interrupted\n")
    return int(ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
