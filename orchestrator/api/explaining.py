"""What each code means, from the reference pages themselves: nothing is written twice.

The pages are shipped with the program. A code is explained by its row in a table of codes, and by
the sentences elsewhere that name it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orchestrator
from orchestrator.errors import PlanError
from orchestrator.source import shown

PASSAGES_MAX = 6
_ROW = re.compile(r"\| `?([A-Z][0-9]{3})`? \| (.*) \|")
_CODE = re.compile(r"\b[A-Z][0-9]{3}\b")
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
    found = known.get(code.upper())
    if found is None:
        message = f"there is no code `{shown(code)}`"
        hint = "codes are a letter and three digits, as `P203`; `rollout explain` lists them"
        raise PlanError(message, hint=hint, code="S130")
    return found


def explanations() -> tuple[Explanation, ...]:
    """All codes, in order."""
    return tuple(_explanations().values())


def meanings() -> Mapping[str, str]:
    """All codes with their meanings, in order."""
    return {code: found.meaning for code, found in _explanations().items()}


@functools.cache
def _explanations() -> Mapping[str, Explanation]:
    rows: dict[str, tuple[str, str]] = {}
    passages: dict[str, list[str]] = {}
    for page, text in _pages():
        for passage in _passages(text):
            row = _ROW.fullmatch(passage)
            if row:
                rows.setdefault(row[1], (_plain(row[2]), page))
                continue
            for sentence in _SENTENCE_END.split(_plain(passage)):
                for code in dict.fromkeys(_CODE.findall(sentence)):
                    passages.setdefault(code, []).append(sentence)
    return {
        code: Explanation(code, meaning, page, tuple(passages.get(code, ())[:PASSAGES_MAX]))
        for code, (meaning, page) in sorted(rows.items())
    }


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
