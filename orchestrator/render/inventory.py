"""Inventories for people and programs: groups, the tree of groups, all that is written for a device."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Protocol

from orchestrator.errors import Where
from orchestrator.render.names import fold_line
from orchestrator.render.table import Cell, Column, Row, table
from orchestrator.render.text import Look, Style, escape, number, plural

FORMAT_VERSION = "1.0"
_NAME_CELLS = 40
_HIDDEN = "(hidden)"
_UNGROUPED = "ungrouped"


class Group(Protocol):
    """A group with the groups below it and the hosts that stand in it by name."""

    @property
    def name(self) -> str:
        """Of the group."""

    @property
    def children(self) -> Sequence[Group]:
        """In the order of the files."""

    @property
    def hosts(self) -> Sequence[str]:
        """In the order of the files."""


class Value(Protocol):
    """A value as it is written somewhere."""

    @property
    def step(self) -> str:
        """Which step of the order it belongs to."""

    @property
    def where(self) -> Where:
        """Place of the variable's name."""

    @property
    def value(self) -> object:
        """Plain; None where it is secret."""

    @property
    def secret(self) -> bool:
        """Whether it must not be shown."""


class Variable(Protocol):
    """A variable with every value written for a device, low to high."""

    @property
    def name(self) -> str:
        """Of the variable."""

    @property
    def values(self) -> Sequence[Value]:
        """At least one; the last counts."""


class Host(Protocol):
    """A device with its groups and variables; all of it is untrusted text."""

    @property
    def name(self) -> str:
        """Of the device."""

    @property
    def groups(self) -> Sequence[str]:
        """Sorted, without `all`."""

    @property
    def variables(self) -> Sequence[Variable]:
        """In the order to show."""


def inventory_text(root: Group, look: Look) -> str:
    """Groups with all their devices counted, and those named that stand in a group itself."""
    groups = _by_name(root)
    rows: list[Row] = [
        [
            Cell(escape(name, limit=_NAME_CELLS), Style.BOLD),
            number(len(_everyone(group))),
            ", ".join(escape(child.name, limit=_NAME_CELLS) for child in _below(group)),
            fold_line(list(group.hosts), look.width, look) if group.hosts else "",
        ]
        for name, group in sorted(groups.items(), key=lambda item: (item[0] != root.name, item[0]))
    ]
    columns = (
        Column("group"),
        Column("devices", right=True),
        Column("children", flex=True, drop=1),
        Column("members", flex=True),
    )
    return "\n".join(table(columns, rows, look)) + "\n"


def graph_text(group: Group, look: Look) -> str:
    """The tree of groups with the devices of each, folded; a `@` marks groups as Ansible does."""
    return "".join(f"{line}\n" for line in _graph_lines(group, look, depth=0))


def _graph_lines(group: Group, look: Look, depth: int) -> list[str]:
    indent = "  " * depth
    title = look.paint(f"@{escape(group.name, limit=_NAME_CELLS)}", Style.BOLD)
    count = look.paint(plural(len(_everyone(group)), "device"), Style.DIM)
    lines = [f"{indent}{title}  {count}"]
    for child in _below(group):
        lines += _graph_lines(child, look, depth + 1)
    if group.hosts:
        room = look.width - len(indent) - 2
        lines.append(f"{indent}  {fold_line(list(group.hosts), room, look)}")
    return lines


def _below(group: Group) -> list[Group]:
    """The groups below one; `ungrouped` only where somebody is in it."""
    return [child for child in group.children if child.name != _UNGROUPED or child.hosts]


def _by_name(group: Group) -> dict[str, Group]:
    """A group and all that stand below it; one below two others is the same in both places."""
    found = {group.name: group}
    for child in _below(group):
        found |= _by_name(child)
    return found


def _everyone(group: Group) -> frozenset[str]:
    return frozenset(group.hosts).union(*map(_everyone, group.children))


def host_document(host: Host) -> dict[str, object]:
    """A device with every value written for it; the last of a variable counts."""
    return {
        "format_version": FORMAT_VERSION,
        "host": host.name,
        "groups": list(host.groups),
        "variables": [
            {"name": variable.name, "values": [_value(value) for value in variable.values]}
            for variable in host.variables
        ],
    }


def _value(value: Value) -> dict[str, object]:
    where = value.where
    document: dict[str, object] = {
        "step": value.step, "file": where.file, "line": where.line, "column": where.column,
        "secret": value.secret,
    }  # fmt: skip
    return document if value.secret else document | {"value": value.value}


def host_text(host: Host, look: Look) -> str:
    """Groups and variables of a device, each variable with the place that counts."""
    rows: list[Row] = [
        [
            Cell(escape(variable.name, limit=_NAME_CELLS), Style.BOLD),
            _shown(variable.values[-1]),
            _place(variable.values[-1].where),
        ]
        for variable in host.variables
    ]
    columns = (
        Column("variable"),
        Column("value", flex=True),
        Column("written in", flex=True, drop=1, end=True),
    )
    return _head(host) + "".join(f"{line}\n" for line in table(columns, rows, look))


def explained_text(host: Host, look: Look) -> str:
    """Every value written for each variable: the one that counts first, then what it overrides."""
    rows: list[Row] = []
    for variable in host.variables:
        for rank, value in enumerate(reversed(variable.values)):
            counts = rank == 0
            style = Style.PLAIN if counts else Style.DIM
            rows.append(
                [
                    Cell("counts" if counts else "overridden", Style.GOOD if counts else Style.DIM),
                    Cell(_shown(value), style),
                    Cell(escape(value.step, limit=_NAME_CELLS), style),
                    Cell(_place(value.where), style),
                ]
            )
    columns = (
        Column(""), Column("value", flex=True), Column("written for", drop=1),
        Column("in", flex=True, end=True),
    )  # fmt: skip
    told = iter(table(columns, rows, look, indent="  ")[1:])
    lines = []
    for variable in host.variables:
        lines.append(look.paint(escape(variable.name, limit=_NAME_CELLS), Style.BOLD))
        lines += itertools.islice(told, len(variable.values))
    return _head(host) + "".join(f"{line}\n" for line in lines)


def _head(host: Host) -> str:
    groups = ", ".join(escape(name, limit=_NAME_CELLS) for name in host.groups)
    return f"{escape(host.name)} in {groups}\n\n"


def _shown(value: Value) -> str:
    if value.secret:
        return _HIDDEN
    return escape(json.dumps(value.value, ensure_ascii=False))


def _place(where: Where) -> str:
    return escape(f"{where.file}:{where.line}" if where.line else where.file)
