"""The tree of a YAML file: every key and every value knows its place.

Laws:
1. Keys of mappings are strings and occur once; the loader has reported everything else.
2. `ScalarNode.text` is what the author wrote (without quotes), `value` what the policy makes
   of it, so that a reader of a text field can tell `1.10` from `"1.10"`.
3. Nodes are shared where an inventory uses aliases; nobody changes a node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, assert_never

from orchestrator.errors import Where

ScalarValue: TypeAlias = str | int | float | bool | None
Plain: TypeAlias = "ScalarValue | list[Plain] | dict[str, Plain]"

UNSAFE_TAG = "!unsafe"  # Ansible: text that is never a template
VAULT_TAG = "!vault"  # Ansible: text that its vault has closed
_TRUE_WORDS = frozenset({"yes", "on", "y"})
_FALSE_WORDS = frozenset({"no", "off", "n"})


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A value without parts. `quoted` is true for quotes and for block text (`|`, `>`)."""

    value: ScalarValue
    text: str
    quoted: bool
    file: str
    line: int
    column: int
    tag: str = ""

    @property
    def where(self) -> Where:
        """Place of the first character."""
        return Where(self.file, self.line, self.column)

    @property
    def meant_bool(self) -> bool | None:
        """What an unquoted `yes`, `no`, `on`, `off`, `y`, `n` was perhaps meant to be."""
        if self.quoted or not isinstance(self.value, str):
            return None
        word = self.value.lower()
        if word in _TRUE_WORDS:
            return True
        return False if word in _FALSE_WORDS else None

    @property
    def kind(self) -> str:
        """The value in words, for messages: `the number 1.1`, `the text "a"`, `nothing`."""
        match self.value:
            case None:
                return "nothing"
            case bool():
                return f"the boolean {str(self.value).lower()}"
            case int() | float():
                return f"the number {self.value}"
            case str():
                return f'the text "{_clipped(self.value)}"'


class Entry(NamedTuple):
    """One `key: value` of a mapping; the key's text is `key.text`."""

    key: ScalarNode
    value: Node


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Keys and values in the order of the file."""

    entries: tuple[Entry, ...]
    file: str
    line: int
    column: int
    tag: str = ""

    @property
    def where(self) -> Where:
        """Place of the first key (or of the brace)."""
        return Where(self.file, self.line, self.column)

    @property
    def kind(self) -> str:
        """The value in words, for messages."""
        return "a mapping"

    def get(self, name: str) -> Node | None:
        """The value of a key, None where the key is not there (cost: the number of keys)."""
        for key, value in self.entries:
            if key.text == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    items: tuple[Node, ...]
    file: str
    line: int
    column: int
    tag: str = ""

    @property
    def where(self) -> Where:
        """Place of the first item (or of the bracket)."""
        return Where(self.file, self.line, self.column)

    @property
    def kind(self) -> str:
        """The value in words, for messages."""
        return "a list"


Node: TypeAlias = ScalarNode | MappingNode | SequenceNode


def to_plain(node: Node) -> Plain:
    """The values of a tree as plain Python; its depth is limited by the loader."""
    match node:
        case ScalarNode():
            return node.value
        case MappingNode():
            return {key.text: to_plain(value) for key, value in node.entries}
        case SequenceNode():
            return [to_plain(item) for item in node.items]
        case _:
            assert_never(node)


def _clipped(text: str, chars_max: int = 40) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 3] + "..."
