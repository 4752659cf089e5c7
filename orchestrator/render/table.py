"""Columns that fit the width: wide terminals show all, narrow ones drop what matters least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.render.text import Look, Style, cells, clip, clip_start, fold, pad

GAP = "  "
FLEX_CELLS_MIN = 16  # a flexible column narrower than this says nothing
LABEL_CELLS = 13


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    `flex` columns shrink first, by clipping. `drop` above 0 lets the whole column go where there
    is no room, the highest first; 0 stays always. With `end` its end stays where it is clipped, as
    of a path, whose beginning many have in common.
    """

    title: str
    right: bool = False
    flex: bool = False
    drop: int = 0
    end: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of a table, already escaped, with its role."""

    text: str
    style: Style = Style.PLAIN


Row = Sequence[Cell | str]


def table(
    columns: Sequence[Column], rows: Sequence[Row], look: Look, *, indent: str = ""
) -> list[str]:
    """Lines of a table with a head line, none wider than `look.width` where that can be.

    Columns without any text are left out.
    """
    grid = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    keep = [i for i, _ in enumerate(columns) if any(row[i].text for row in grid)]
    room = look.width - cells(indent)
    widths = _widths(columns, grid, keep)
    while _total(widths, keep) > room and (worst := _droppable(columns, widths, keep, room)) >= 0:
        keep.remove(worst)
    _shrink(columns, widths, keep, room)
    head = [
        Cell(columns[i].title, Style.DIM) if i in keep else Cell("") for i in range(len(columns))
    ]
    return [indent + _line(columns, row, widths, keep, look) for row in [head, *grid]]


def listed(pairs: Sequence[tuple[str, str]], look: Look) -> str:
    """Labels with what stands behind them, painted or not; broken at blanks, digests never."""
    indent = " " * LABEL_CELLS
    lines = (f"{pad(label, LABEL_CELLS)}{text}".rstrip() for label, text in pairs)
    return "".join(f"{part}\n" for line in lines for part in fold(line, look.width, indent=indent))


def _widths(
    columns: Sequence[Column], grid: Sequence[Sequence[Cell]], keep: list[int]
) -> dict[int, int]:
    return {i: max([cells(columns[i].title), *(cells(row[i].text) for row in grid)]) for i in keep}


def _total(widths: dict[int, int], keep: list[int]) -> int:
    return sum(widths[i] for i in keep) + len(GAP) * max(0, len(keep) - 1)


def _droppable(
    columns: Sequence[Column], widths: dict[int, int], keep: list[int], room: int
) -> int:
    """The column to drop next, or -1 where shrinking the flexible ones is enough or all must stay."""
    slack = sum(max(0, widths[i] - FLEX_CELLS_MIN) for i in keep if columns[i].flex)
    if _total(widths, keep) - slack <= room:
        return -1
    candidates = [i for i in keep if columns[i].drop]
    return max(candidates, key=lambda i: columns[i].drop, default=-1)


def _shrink(columns: Sequence[Column], widths: dict[int, int], keep: list[int], room: int) -> None:
    over = _total(widths, keep) - room
    for i in sorted((i for i in keep if columns[i].flex), key=lambda i: -widths[i]):
        if over <= 0:
            return
        cut = min(over, max(0, widths[i] - FLEX_CELLS_MIN))
        widths[i] -= cut
        over -= cut


def _line(
    columns: Sequence[Column],
    row: Sequence[Cell],
    widths: dict[int, int],
    keep: list[int],
    look: Look,
) -> str:
    parts = []
    for i in keep:
        cut = clip_start if columns[i].end else clip
        text = cut(row[i].text, widths[i], look)
        filled = pad(text, widths[i], right=columns[i].right)
        last = i == keep[-1] and not columns[i].right
        parts.append(look.paint(filled.rstrip() if last else filled, row[i].style))
    return GAP.join(parts).rstrip()
