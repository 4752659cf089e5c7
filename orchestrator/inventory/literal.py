"""Values of INI inventories: Python literals where they are some, text everywhere else.

Source: the cases of inventory.md, "INI", each run through Ansible. `5` is a number, `True` a
boolean, `true` text, `0755` text (no literal), `0o755` 493, `1,2` a list, `{1}` the list [1].
"""

from __future__ import annotations

import ast
import math
import warnings

from orchestrator.errors import Where
from orchestrator.source import (
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    ScalarValue,
    SequenceNode,
    shown,
)

_LITERAL_CHARS_MAX = 64 * 1024  # longer values are text; people write a few hundred characters
_DEPTH_MAX = 64  # as in YAML


class LiteralError(ValueError):
    """A value that Ansible takes and no plan could use; `hint` says what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read_literal(text: str, where: Where) -> Node:
    """The tree of one value; every part of it has the place of the whole.

    Raises:
        LiteralError: a number without end, a key that is no text, or more than 64 levels.
    """
    if len(text) > _LITERAL_CHARS_MAX:
        return _scalar(text, text, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # `"\d"`: Ansible reads it too
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _scalar(text, text, where)
    return _node(value, text, where, depth=0)


def _node(value: object, text: str, where: Where, depth: int) -> Node:
    if depth > _DEPTH_MAX:
        raise LiteralError(f"more than {_DEPTH_MAX} levels", "write flatter values")
    match value:
        case list() | tuple() | set():
            items = sorted(value, key=repr) if isinstance(value, set) else value
            nodes = (_node(item, repr(item), where, depth + 1) for item in items)
            return SequenceNode(tuple(nodes), where.file, where.line, where.column)
        case dict():
            entries = (
                Entry(_key(key, where), _node(item, repr(item), where, depth + 1))
                for key, item in value.items()
            )
            return MappingNode(tuple(entries), where.file, where.line, where.column)
        case float() if not math.isfinite(value):
            message = f"`{shown(text)}` is no finite number"
            raise LiteralError(message, "leave it out, or make it text: \"'...'\"")
        case str() | bytes():
            decoded = value if isinstance(value, str) else value.decode("utf-8", "replace")
            return _scalar(decoded, decoded, where, quoted=True)
        case None | bool() | int() | float():
            return _scalar(value, text, where)
        case _:  # a complex number, an ellipsis: text to Ansible
            return _scalar(text, text, where)


def _key(key: object, where: Where) -> ScalarNode:
    if not isinstance(key, str):
        message = f"the key `{shown(repr(key))}` is no text"
        raise LiteralError(message, "put the keys into quotes")
    return _scalar(key, key, where, quoted=True)


def _scalar(value: ScalarValue, text: str, where: Where, *, quoted: bool = False) -> ScalarNode:
    return ScalarNode(value, text, quoted, where.file, where.line, where.column)
