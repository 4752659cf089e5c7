"""What the tree builder keeps of a collection that is still open, and the events it reads."""

from __future__ import annotations

from typing import Protocol

from orchestrator.source.node import Entry, Node, ScalarNode


class Mark(Protocol):
    """A place as the parser counts it: from 0."""

    line: int
    column: int


class Event(Protocol):
    """The attributes of parser events that are read here; which exist depends on the kind."""

    start_mark: Mark
    anchor: str | None
    tag: str | None
    value: str
    style: str | None
    version: tuple[int, int] | None
    tags: dict[str, str] | None


class LimitReachedError(Exception):
    """A limit of the policy ended the reading; the finding is already noted."""


class Frame:
    """A collection that is still open. `height` and `size` count what it expands to."""

    __slots__ = (
        "anchor", "column", "entries", "height", "items", "key", "key_is_next",
        "line", "mapping", "merges", "seen", "size", "tag",
    )  # fmt: skip

    def __init__(self, event: Event, *, mapping: bool) -> None:
        mark = event.start_mark
        self.line: int = mark.line + 1
        self.column: int = mark.column + 1
        self.anchor: str | None = event.anchor
        self.tag: str = event.tag or ""
        self.mapping = mapping
        self.entries: list[Entry] = []
        self.items: list[Node] = []
        self.merges: list[Node] = []
        self.seen: dict[str, ScalarNode] = {}
        self.key: ScalarNode | None = None
        self.key_is_next = mapping
        self.height = 1
        self.size = 1
