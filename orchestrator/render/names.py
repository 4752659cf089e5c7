"""Names of many devices in little room: `gw-ber-0{44,51} gw-par-04{1..3}`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from orchestrator.render.text import Look, Symbol, cells, escape, wrap

FOLD_MAX = 20_000  # names folded at once; more are never one line anyway
NAME_CELLS_MAX = 40
RUN_MIN = 3  # numbers in a row worth a range: {41..43}, but {41,42}
_NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


def fold(names: Iterable[str]) -> list[str]:
    """The names with equal ones but for a number put together, in order of first appearance.

    Numbers of one group have equally many digits, so leading zeros stay true.
    """
    groups: dict[tuple[str, int, str], list[str]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match:
            groups.setdefault((match[1], len(match[2]), match[3]), []).append(match[2])
        else:
            groups.setdefault((name, 0, ""), []).append("")
    return [
        f"{escape(head)}{_braces(sorted(set(numbers)))}{escape(tail)}"
        for (head, _, tail), numbers in groups.items()
    ]


def _braces(numbers: Sequence[str]) -> str:
    if len(numbers) == 1:
        return numbers[0]
    common = _common_head(numbers)
    runs = _runs([number[len(common) :] for number in numbers])
    return f"{common}{{{','.join(runs)}}}"


def _common_head(numbers: Sequence[str]) -> str:
    first, last = numbers[0], numbers[-1]  # sorted and of one length: what these share, all do
    length = next(i for i, (a, b) in enumerate(zip(first, last, strict=True)) if a != b)
    return first[:length]


def _runs(numbers: Sequence[str]) -> list[str]:
    runs: list[list[str]] = []
    for number in numbers:
        if runs and int(number) == int(runs[-1][-1]) + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    out: list[str] = []
    for run in runs:
        out.extend([f"{run[0]}..{run[-1]}"] if len(run) >= RUN_MIN else run)
    return out


def fold_line(names: Sequence[str], width: int, look: Look, *, beyond: int = 0) -> str:
    """All names folded, if that fits in `width` cells; else the first ones and how many more.

    `beyond` is how many there are besides these.
    """
    if len(names) <= FOLD_MAX:
        whole = " ".join(fold(names)) + _tail(beyond, look)
        if cells(whole) <= width:
            return whole
    shown: list[str] = []
    used = 0
    for name in names:
        text = escape(name, limit=NAME_CELLS_MAX)
        tail = _tail(len(names) - len(shown) - 1 + beyond, look)
        if shown and used + cells(text) + cells(tail) > width:
            break
        shown.append(text)
        used += cells(text) + 1
    return " ".join(shown) + _tail(len(names) - len(shown) + beyond, look)


def fold_lines(
    names: Sequence[str], look: Look, *, first: str, indent: str, lines_max: int
) -> list[str]:
    """All names folded, in at most so many lines with no word broken; else some in one line."""
    room = look.width - cells(first)
    if len(names) <= FOLD_MAX:
        words = fold(names)
        lines = wrap(" ".join(words), look.width, first=first, indent=indent)
        if len(lines) <= lines_max and all(cells(word) <= room for word in words):
            return lines
    return [first + fold_line(names, room, look)]


def _tail(left_count: int, look: Look) -> str:
    return f" {look.sign(Symbol.ELLIPSIS)} +{left_count}" if left_count else ""
