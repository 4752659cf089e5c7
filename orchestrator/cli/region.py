"""A few lines at the bottom of a terminal that are drawn over and over, under lines that stay.

Laws:
1. A frame is one write, without erasing first: nothing flickers, and a line that is as it was is
   not written again.
2. What was drawn is taken back line by line as the terminal shows it now: also after it was made
   narrower and has broken lines.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from typing import TextIO

from orchestrator.cli.streams import show
from orchestrator.render.text import cells, fold

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_REST_OF_LINE, _REST_OF_SCREEN = "\x1b[K", "\x1b[J"
_PAINT = re.compile(r"\x1b\[[0-9;]*m")


class Region:
    """The lines that are drawn, on one stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn: list[str] = []
        self._columns = 0

    def size(self) -> os.terminal_size:
        """Of the terminal, now."""
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):  # no file is behind it
            size = os.terminal_size((0, 0))
        return size if size.columns and size.lines else shutil.get_terminal_size()

    def draw(self, lines: Sequence[str], above: Sequence[str] = (), *, indent: str = "") -> None:
        """Draws the lines in place of those before; `above` are finished lines that stay.

        Args:
            lines: narrower than the terminal.
            above: of any width, broken at blanks.
            indent: of what is broken.
        """
        columns = self.size().columns
        kept = [part for line in above for part in fold(line, columns, indent=indent)]
        back = self._back(columns)
        if columns != self._columns:  # the terminal may have moved what was drawn
            back, self._drawn = back + _REST_OF_SCREEN, []
        before = self._drawn if not kept else []
        text = [f"{line}{_REST_OF_LINE}\n" for line in kept]
        for index, line in enumerate(lines):
            same = index < len(before) and before[index] == line
            text.append("\n" if same else f"{line}{_REST_OF_LINE}\n")
        shrunk = len(kept) + len(lines) < len(self._drawn)
        show(self._stream, "".join((_HIDE, back, *text, _REST_OF_SCREEN * shrunk)))
        self._drawn, self._columns = list(lines), columns

    def take_away(self, above: Sequence[str] = (), *, indent: str = "") -> None:
        """Leaves the terminal as if nothing had been drawn, but for lines that stay."""
        columns = self.size().columns
        kept = [part for line in above for part in fold(line, columns, indent=indent)]
        back = self._back(columns)
        text = "".join(f"{line}\n" for line in kept)
        show(self._stream, f"{back}{_REST_OF_SCREEN if back else ''}{text}{_SHOW}")
        self._drawn = []

    def _back(self, columns: int) -> str:
        """To the beginning of what was drawn."""
        rows = sum(max(1, -(-cells(_PAINT.sub("", line)) // columns)) for line in self._drawn)
        return f"\x1b[{rows}F" if rows else ""
