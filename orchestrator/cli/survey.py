"""How far the asking of devices is, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable

from orchestrator.cli.session import Session


def survey_line(session: Session) -> Callable[[int, int], None]:
    """A callback that keeps one line up to date on a terminal, and is silent elsewhere."""

    def show(done_count: int, total_count: int) -> None:
        if not session.live:
            return
        last = done_count >= total_count
        text = "" if last else f"asking devices: {done_count} of {total_count}"
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    return show
