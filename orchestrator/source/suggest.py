"""What the author probably meant: the closest known word, and the quoted form of a value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from orchestrator.source.node import ScalarNode

_CUTOFF = 0.6  # of difflib's ratio: `cannary` finds `canary`, `foo` finds nothing
_CANDIDATES_MAX = 2000  # difflib is quadratic in the length of words; a fleet has 100k names
_WORD_CHARS_MAX = 64


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Text to append to a message: "; did you mean `canary`?", or "" when nothing is close."""
    best = closest(word, candidates)
    return f"; did you mean `{best}`?" if best else ""


def closest(word: str, candidates: Iterable[str]) -> str:
    """The candidate most like `word`, the first of equals, or ""."""
    if len(word) > _WORD_CHARS_MAX:
        return ""
    names = [name for _, name in zip(range(_CANDIDATES_MAX), candidates, strict=False)]
    folded = {name.lower().replace("-", "_"): name for name in reversed(names)}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=_CUTOFF)
    return folded[found[0]] if found else ""


def quoted(node: ScalarNode) -> str:
    """The value as its author should write it to get text: `1.10` gives `"1.10"`."""
    if "\\" in node.text or '"' in node.text:
        return "'" + node.text.replace("'", "''") + "'"
    return f'"{node.text}"'
