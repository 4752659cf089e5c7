"""Reading a document field by field: what has another form becomes a problem with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.evidence.rules import EvidenceRule, Problem
from orchestrator.evidence.strict_json import Document, Path, StrictJsonError, parse

TEXT_CHARACTERS_MAX = 16 * 1024
ITEMS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Node:
    """An object of a document, where it stands, and the problems found in the document so far."""

    document: Document
    path: Path
    value: dict[str, object] = field(repr=False)
    problems: list[Problem] = field(repr=False)

    def report(self, rule: EvidenceRule, message: str, *at: str | int, hint: str = "") -> None:
        """Notes a problem, with the node or a field of it."""
        self.problems.append(Problem(rule, message, hint, self.document, (*self.path, *at)))

    def text(self, key: str, *, needed: bool = False) -> str:
        """A text; empty where there is none."""
        value = self.value.get(key)
        if isinstance(value, str) and len(value) <= TEXT_CHARACTERS_MAX and (value or not needed):
            return value
        if value is not None or needed:
            self._odd(key, "a text")
        return ""

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where there is none."""
        value = self.value.get(key, [])
        items = value if isinstance(value, list) and len(value) <= ITEMS_MAX else [None]
        if all(isinstance(item, str) and len(item) <= TEXT_CHARACTERS_MAX for item in items):
            return tuple(items)
        self._odd(key, "a list of texts")
        return ()

    def child(self, key: str, *, needed: bool = False) -> Node | None:
        """An object; None where there is none."""
        value = self.value.get(key)
        if isinstance(value, dict):
            return Node(self.document, (*self.path, key), value, self.problems)
        if value is not None or needed:
            self._odd(key, "an object")
        return None

    def children(self, key: str) -> Iterator[Node]:
        """The objects of a list; nothing where there is none."""
        value = self.value.get(key, [])
        if not isinstance(value, list) or len(value) > ITEMS_MAX:
            self._odd(key, "a list")
            return
        for number, item in enumerate(value):
            if isinstance(item, dict):
                yield Node(self.document, (*self.path, key, number), item, self.problems)
            else:
                self.report(EvidenceRule.FIELD, f"`{key}` is a list of objects", key, number)

    def _odd(self, key: str, wanted: str) -> None:
        what = f"is not {wanted}" if key in self.value else f"is missing: {wanted}"
        at = (key,) if key in self.value else ()
        self.report(EvidenceRule.FIELD, f"`{key}` {what}", *at)


def read_object(
    data: bytes, file: str, problems: list[Problem], *, size_bytes_max: int
) -> Node | None:
    """The object that a file holds; None, with a problem, where it holds something else."""
    try:
        document = parse(data, file, size_bytes_max=size_bytes_max)
    except StrictJsonError as error:
        rule = EvidenceRule.TWICE if error.is_twice else EvidenceRule.JSON
        problems.append(refusal(rule, error))
        return None
    if not isinstance(document.value, dict):
        problems.append(Problem(EvidenceRule.FORMAT, f"`{file}` is no object", document=document))
        return None
    return Node(document, (), document.value, problems)


def refusal(rule: EvidenceRule, error: StrictJsonError) -> Problem:
    """The problem of a text that is not JSON, at the place that the parser named."""
    return Problem(rule, error.message, where=error.where)
