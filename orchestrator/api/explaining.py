"""What each code means, from the reference pages themselves: nothing is written twice.

The pages are shipped with the program. Codes of findings, reasons of devices and exit codes are
explained by their row in a table whose first column is `code`, and codes of findings also by the
sentences elsewhere that name them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import orchestrator
from orchestrator.errors import PlanError
from orchestrator.source import did_you_mean, shown

PASSAGES_MAX = 6
CODE, MEANING = "code", "meaning"  # heads of the columns
_CODE = re.compile(r"\b[A-Z][0-9]{3}\b")
_BAR = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r":?-+:?")
_SENTENCE_END = re.compile(r"(?<=[a-z`)]\.) (?=[A-Z`])")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_PAGES = ("reference", "how-to/audit.md")


@dataclass(frozen=True, slots=True)
class Explanation:
    """A code, its meaning, the page that has it, and sentences of all pages that name it."""

    code: str
    meaning: str
    page: str
    passages: tuple[str, ...]


def explain(code: str) -> Explanation:
    """What a code means.

    Raises:
        PlanError: there is no such code.
    """
    known = _explanations()
    found = known.get(code) or known.get(code.upper())
    if found is None:
        words = filter(str.islower, known)  # of two numbers none is more like a third
        message = f"there is no code `{shown(code)}`{did_you_mean(code, words)}"
        hint = "codes are as `P203`, `check_failed` or `5`; `rollout explain` lists them"
        raise PlanError(message, hint=hint, code="S130")
    return found


def explanations() -> tuple[Explanation, ...]:
    """All codes in order: those of findings, reasons, exit codes."""
    return tuple(_explanations().values())


def meanings() -> Mapping[str, str]:
    """The codes of findings with their meanings, in order."""
    return {code: found.meaning for code, found in _explanations().items() if _CODE.fullmatch(code)}


@functools.cache
def _explanations() -> Mapping[str, Explanation]:
    rows: dict[str, Explanation] = {}
    said: dict[str, list[str]] = {}
    for page, text in _pages():
        heads: list[str] = []
        for passage in _passages(text):
            cells = _cells(passage)
            if cells[0] == CODE and MEANING in cells:
                heads = cells
            elif not cells[0]:
                heads = []  # the table is over
            elif _RULE.fullmatch(cells[0]):
                continue
            elif heads and len(cells) == len(heads):
                rows.setdefault(cells[0], _of_row(dict(zip(heads, cells, strict=True)), page))
                continue
            for sentence in _SENTENCE_END.split(_plain(passage)):
                for code in dict.fromkeys(_CODE.findall(sentence)):
                    said.setdefault(code, []).append(sentence)
    return {
        code: replace(found, passages=(*found.passages, *said.get(code, ()))[:PASSAGES_MAX])
        for code, found in sorted(rows.items(), key=_rank)
    }


def _rank(item: tuple[str, Explanation]) -> tuple[int, int, str]:
    code = item[0]
    kind = 0 if _CODE.fullmatch(code) else 2 if code.isdigit() else 1
    return kind, int(code) if code.isdigit() else 0, code


def _of_row(row: Mapping[str, str], page: str) -> Explanation:
    others = (
        f"{head}: {_plain(cell)}"
        for head, cell in row.items()
        if cell and head not in {CODE, MEANING}
    )
    return Explanation(row[CODE], _plain(row[MEANING]), page, tuple(others))


def _cells(passage: str) -> list[str]:
    """The cells of a row, the first without its marks; one empty cell for what is no row."""
    if not passage.startswith("|"):
        return [""]
    first, *others = (cell.strip() for cell in _BAR.split(passage.strip("|")))
    return [first.strip("`"), *others]


def _pages() -> Iterator[tuple[str, str]]:
    package = Path(orchestrator.__file__).parent
    shipped = package / "pages"
    root = shipped if shipped.is_dir() else package.parent / "docs"
    for name in _PAGES:
        place = root / name
        for path in sorted(place.glob("*.md")) if place.is_dir() else [place]:
            yield f"docs/{path.relative_to(root)}", path.read_text(encoding="utf-8")


def _passages(text: str) -> Iterator[str]:
    """Rows of tables, items of lists and paragraphs, each as one line."""
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        begins = not line.strip() or line.startswith(("|", "- ", "#", "```"))
        if begins and lines:
            yield " ".join(" ".join(lines).split())
            lines = []
        if line.strip():
            lines.append(line.strip())


def _plain(text: str) -> str:
    """A passage without the marks of Markdown that mean nothing on a terminal."""
    plain = _LINK.sub(r"\1", text).replace("**", "").removeprefix("- ")
    return plain.strip("| ").replace(" | ", ": ")
