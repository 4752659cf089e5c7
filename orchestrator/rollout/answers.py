"""What comes of an operator's request: done, so already, or refused; decided before anything is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What came of a request; a stable interface (journal, `answer`)."""

    DONE = "done"
    ALREADY = "already"  # it is so; nothing changes
    REFUSED = "refused"  # does not fit the state; nothing changes


def _nothing() -> None:
    """Changes nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `text` is for people; `hint` names what would do; `do` makes it so."""

    kind: Kind
    text: str = ""
    hint: str = ""
    do: Callable[[], None] = _nothing


def done(do: Callable[[], None], text: str = "") -> Answer:
    """It fits the state: `do` makes it so."""
    return Answer(Kind.DONE, text, do=do)


def already(text: str) -> Answer:
    """It is so; nothing is to be done."""
    return Answer(Kind.ALREADY, text)


def refused(text: str, hint: str = "") -> Answer:
    """It does not fit the state."""
    return Answer(Kind.REFUSED, text, hint)
