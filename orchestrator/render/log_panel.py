"""The last entries of the journal about the devices that somebody asks about: slow and failed ones."""

from __future__ import annotations

from orchestrator.render.board import Board
from orchestrator.render.entries import entry_words
from orchestrator.render.text import Look, Style, clip, escape
from orchestrator.render.words import DEVICE_STYLES, DEVICE_WORDS, clock

FAILED_MAX = 6  # of each cause one at first, then the others
SLOW_MAX = 6
_CAUSES_MAX = 3


def log_lines(board: Board, look: Look, rows: int) -> list[str]:
    """At most so many lines: each device with what was last heard of it."""
    lines = [look.paint(" last events of slow and failed devices", Style.DIM)]
    for name in _asked(board):
        line = board.devices[name]
        state = look.paint(DEVICE_WORDS[line.state], DEVICE_STYLES.get(line.state, Style.PLAIN))
        told = [
            f"     {clock(max(0.0, entry.at - board.started_at))} {entry_words(entry)}"
            for entry in board.last.get(name, ())
        ]
        if len(lines) + 1 >= rows:
            break
        room = rows - len(lines) - 1
        lines.append(f"   {clip(escape(name), look.width // 2, look)} {state}")
        lines += [clip(text, look.width, look) for text in told[-room:]]
    if len(lines) == 1:
        lines.append("   no device is slow or in trouble")
    return lines


def _asked(board: Board) -> list[str]:
    """Failed ones of each cause, then slow ones, then those longest at work; each once."""
    groups = board.causes.greatest(_CAUSES_MAX)
    names = [name for group in groups for name in group.some(FAILED_MAX // max(1, len(groups)))]
    names += [line.name for line in board.at_work.slow(board.now, SLOW_MAX)]
    if not names:
        names = [line.name for line in board.at_work.shown(SLOW_MAX)]
    return [name for name in dict.fromkeys(names) if name in board.last]
