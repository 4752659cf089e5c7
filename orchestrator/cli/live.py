"""The live view of a rollout on a terminal: the same for `apply`, `resume` and `watch`.

Law: it draws `FRAME_S` apart, however much happens; what is told in between comes with the next
frame. A key and a new size are answered at once.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import replace
from typing import TextIO

from orchestrator.api import Status
from orchestrator.cli.region import Region
from orchestrator.cli.session import Session
from orchestrator.cli.shown_status import facts_of
from orchestrator.cli.watching import PlainView
from orchestrator.render.controls import Controls
from orchestrator.render.screen import screen
from orchestrator.render.standing import foot, waits_foot
from orchestrator.render.text import Look

FRAME_S = 0.24  # about four times a second: no eye needs more, and devices could use the time
NOTICE_S = 10.0  # for so long stands what came of a key
TOLD_MAX = 5000  # lines that wait for a frame; more were told to nobody for a long time
WIDTH_MIN = 10  # of a line; a terminal that is narrower breaks it
LINES_ABOVE = 6  # rows of the terminal that are left to what stays
_INDENT = " " * 6  # what a line begins with: the time


class LiveView(PlainView):
    """Keeps a few lines at the bottom of the terminal up to date, under the plain lines."""

    def __init__(self, session: Session, stream: TextIO = sys.stderr) -> None:
        super().__init__(session)
        self.controls: Controls | None = None
        self._region = Region(stream)
        self._told: deque[str] = deque(maxlen=TOLD_MAX)
        self._drawn_at = 0.0
        self._noticed_at = 0.0
        self._is_hidden = False

    def tick(self, now: float) -> None:
        """Time passed."""
        if self.board is None:
            return
        self.board.take_time(now)
        since = time.monotonic()
        if self.controls is not None and since - self._noticed_at >= NOTICE_S:
            self.controls = replace(self.controls, notice="")
        if since - self._drawn_at >= FRAME_S:
            self.draw()

    def stands(self, status: Status) -> None:
        """Stands below the live lines for as long as it is so."""
        self.status = status

    def tell(self, text: str) -> None:
        """A line above the live ones; below them it would be drawn over."""
        self._told.append(text)
        self.draw()

    def control(self, controls: Controls | None) -> None:
        """What keys do now, and what came of them."""
        self.controls, self._noticed_at = controls, time.monotonic()
        self.draw()

    def draw(self) -> None:
        """Draws at once."""
        if self._is_hidden:
            return
        self._drawn_at = time.monotonic()
        lines: list[str] = []
        if self.board is not None:
            size = self._region.size()
            look: Look = replace(self.session.err, width=max(WIDTH_MIN, size.columns - 1))
            below = self._below(look)
            height = size.lines - 1 - min(LINES_ABOVE, size.lines // 4)
            lines = screen(self.board, look, height, below, self.controls)
        self._region.draw(lines, tuple(self._told), indent=_INDENT)
        self._told.clear()

    def _below(self, look: Look) -> list[str]:
        if self.status is not None:
            return foot(facts_of(self.status), look)
        return [] if self._waits is None else waits_foot(self._waits, look)

    def hide(self) -> None:
        """Leaves the terminal to others until `draw` is wanted again."""
        self._is_hidden = True
        self._take_away()

    def unhide(self) -> None:
        """Comes back to a terminal on which others may have written."""
        self._is_hidden = False
        self.draw()

    def close(self) -> None:
        """Takes the live lines away: the summary says the same and stays."""
        self._take_away()

    def _take_away(self) -> None:
        self._region.take_away(tuple(self._told), indent=_INDENT)
        self._told.clear()

    def _print(self, lines: list[str]) -> None:
        self._told.extend(lines)
