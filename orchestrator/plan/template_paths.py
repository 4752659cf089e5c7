"""Why a part of a variable, as `zones[5]` or `site.zone`, is not there: in words for its author."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.source.suggest import did_you_mean

if TYPE_CHECKING:
    from jinja2 import nodes

_FILTERED = object()  # what a filter made: a text, which has no parts
KEYS_MAX = 8  # of a mapping that a message names
_KINDS: dict[type, str] = {
    bool: "true or false", int: "a number", float: "a number", str: "a text",
    type(None): "nothing (`null`)",
}  # fmt: skip


def missing_part(
    tree: nodes.Template, known: Mapping[str, object], names: Iterable[str]
) -> tuple[str, str]:
    """Message and hint for the first variable, or part of one, that is not there.

    Args:
        tree: the template, of names and their parts only.
        known: the variables that it reads, as plain data.
        names: what may have been meant.
    """
    for chain in _chains(tree):
        found = _walk(chain, known)
        if not isinstance(found, _Missing):
            continue
        if found.name:
            message = f"`{found.name}` is undefined{did_you_mean(found.name, names)}"
            return message, "set it under `vars:`, in the inventory, or with `-e name=value`"
        place = f"mend `{found.root}` under `vars:`, in the inventory or with `-e`; "
        return found.message, f"{place}`| default(...)` stands in for what may be missing"
    message = "a part of what a filter made is not there"
    return message, "filters make texts, which have no parts"


@dataclass(frozen=True, slots=True)
class _Missing:
    """A part that is not there: a variable by its name, or what is wrong with a part of one."""

    name: str = ""
    root: str = ""
    message: str = ""


def _chains(node: nodes.Node) -> Iterator[nodes.Expr]:
    """The outermost parts of variables, but those that a default stands in for."""
    from jinja2 import nodes

    if isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Name):
        yield node
        return
    children = node.iter_child_nodes()
    if isinstance(node, nodes.Filter) and node.name == "default":
        children = iter(node.args)
    for child in children:
        yield from _chains(child)


def _walk(node: nodes.Node, known: Mapping[str, object]) -> object:
    """The value of a part, or what is missing of it; `_FILTERED` for what a filter made."""
    from jinja2 import nodes

    match node:
        case nodes.Name():
            return known.get(node.name, _Missing(name=node.name))
        case nodes.Const():
            return node.value
        case nodes.Getattr():
            return _part(node.node, node.attr, known)
        case nodes.Getitem():
            key = _walk(node.arg, known)
            known_key = not isinstance(key, _Missing) and key is not _FILTERED
            return _part(node.node, key, known) if known_key else key
        case _:
            return _FILTERED


def _part(node: nodes.Node, key: object, known: Mapping[str, object]) -> object:
    value = _walk(node, known)
    if isinstance(value, _Missing) or value is _FILTERED:
        return value
    whole, root = _written(node)
    if isinstance(value, dict) and isinstance(key, str) and key in value:
        return value[key]
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    part = f"{whole}.{key}" if isinstance(key, str) else f"{whole}[{key}]"
    return _Missing(
        root=root, message=f"`{part}` is not there: `{whole}` {_shape(value, key, whole)}"
    )


def _shape(value: object, key: object, whole: str) -> str:
    """What a value is, instead of one that has such a part."""
    match value:
        case dict():
            shown = ", ".join(f"`{name}`" for name in list(value)[:KEYS_MAX])
            more = f" and {len(value) - KEYS_MAX} more" if len(value) > KEYS_MAX else ""
            guess = did_you_mean(str(key), value)
            return f"is a mapping of {shown}{more}{guess}" if value else "is an empty mapping"
        case []:
            return "is an empty list"
        case list() if isinstance(key, int):
            last = len(value) - 1
            return f"is a list of {len(value)}, `{whole}[0]` to `{whole}[{last}]`"
        case list():
            return f"is a list of {len(value)}; its parts have numbers, as `{whole}[0]`"
        case _:
            return f"is {_KINDS.get(type(value), 'a value')} and has no parts"


def _written(node: nodes.Node) -> tuple[str, str]:
    """A part as an author writes it, and the variable that it is of."""
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        return node.name, node.name
    assert isinstance(node, nodes.Getattr | nodes.Getitem), "only parts of variables are walked"
    whole, root = _written(node.node)
    if isinstance(node, nodes.Getattr):
        return f"{whole}.{node.attr}", root
    if not isinstance(node.arg, nodes.Const):
        return f"{whole}[{_written(node.arg)[0]}]", root
    key = node.arg.value
    return (f"{whole}.{key}" if isinstance(key, str) else f"{whole}[{key}]"), root
