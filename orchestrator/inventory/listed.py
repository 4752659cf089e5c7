"""Inventories as programs list them: the JSON of `--list`, `_meta` and all.

Source: inventory.md, "Dynamic scripts". Groups are mappings of `hosts`, `vars` and `children`, or
a list of hosts; `_meta.hostvars` has the variables of hosts. Names are names: no ranges, no ports.

Laws:
1. A host is there because a group names it. One that stands in `_meta` alone is a warning.
2. Numbers without end, keys twice and nesting without end are errors, as in every other form.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.errors import Diagnostic, Severity, Where
from orchestrator.inventory.graph import Graph, Group, Variables
from orchestrator.inventory.members import Members
from orchestrator.inventory.names import host_name_problem
from orchestrator.inventory.secret import opened
from orchestrator.source import (
    UNSAFE_TAG,
    VAULT_TAG,
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    shown,
)
from orchestrator.strict_json import KeyTwiceError, loads

META = "_meta"
_KEYS = ("hosts", "vars", "children")
_DEPTH_MAX = 64  # as in YAML
_NODES_MAX = 2_000_000


class ListingError(ValueError):
    """The text is no listing at all."""


def read_listing(
    data: bytes, file: str, graph: Graph, *, is_secret: bool = False, is_unsafe: bool = False
) -> tuple[Diagnostic, ...]:
    """Adds what a program listed to a graph, and gives what is wrong with it.

    Args:
        data: JSON, as the program wrote it.
        file: what to call it in findings.
        graph: hosts and groups so far.
        is_secret: its variables come from an encrypted file.
        is_unsafe: whoever wrote it is not to have templates rendered.
    """
    reader = _Reader(file, graph, is_secret=is_secret, is_unsafe=is_unsafe)
    try:
        listing = parse(data)
    except ListingError as error:
        reader.report(Where(file), "I104", str(error), "it prints what Ansible's scripts print")
        return tuple(reader.found)
    reader.read(listing)
    return tuple(reader.found)


def parse(data: bytes) -> Mapping[str, object]:
    """The mapping that a program printed.

    Raises:
        ListingError: it is not one JSON object, or a key stands twice in one.
    """
    try:
        listing = loads(data.decode("utf-8"))
    except KeyTwiceError as error:
        raise ListingError(f"key `{shown(error.key)}` stands twice in one object") from error
    except ValueError as error:
        raise ListingError(f"what it lists is no JSON: {error}") from error
    if not isinstance(listing, dict):
        raise ListingError("what it lists is not one JSON object")
    return listing


class _Reader:
    def __init__(self, file: str, graph: Graph, *, is_secret: bool, is_unsafe: bool) -> None:
        self._is_secret = is_secret
        self._is_unsafe = is_unsafe
        self._where = Where(file)
        self._file = file
        self._graph = graph
        self._members = Members(graph, self.report)
        self._node_count = 0
        self.found: list[Diagnostic] = []

    def report(self, where: Where, code: str, message: str, hint: str = "") -> None:
        self.found.append(Diagnostic(where, code, message, hint))

    def read(self, listing: Mapping[str, object]) -> None:
        for name, content in listing.items():
            if name != META:
                self._group(name, content)
        meta = listing.get(META, {})
        hostvars = meta.get("hostvars", {}) if isinstance(meta, dict) else None
        if not isinstance(hostvars, dict):
            self._error(f"`{META}` is not a mapping with `hostvars` in it")
            return
        for host, variables in hostvars.items():
            self._host_variables(host, variables)

    def _group(self, name: str, content: object) -> None:
        group = self._members.group(name, self._where)
        if group is None:
            return
        if isinstance(content, list):
            content = {"hosts": content}
        if not isinstance(content, dict):
            self._error(f"group `{name}` is neither a mapping nor a list of hosts")
            return
        unknown = [key for key in content if key not in _KEYS]
        if unknown:
            self._error(f"unknown key `{shown(unknown[0])}` in group `{name}`")
            return
        for host in self._names(content, "hosts", name):
            self._host(group, host)
        for child in self._names(content, "children", name):
            self._child(group, child)
        group.variables.update(self._variables(content.get("vars", {}), f"`vars` of `{name}`"))
        self._members.settle_priority(group)

    def _names(self, content: Mapping[str, object], key: str, group: str) -> list[str]:
        names = content.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._error(f"`{key}` of group `{group}` is not a list of names")
            return []
        return names

    def _host(self, group: Group, name: str) -> None:
        problem = host_name_problem(name)
        if problem:
            self.report(self._where, "I106", f"`{shown(name)}`: {problem}")
            return
        self._graph.add_host(name, group, self._where, None)

    def _child(self, parent: Group, name: str) -> None:
        if name == "ungrouped" and parent.name == "all":
            return  # every listing says so
        if not self._members.may_be_child(parent, name, self._where):
            return
        child = self._members.group(name, self._where)
        if child is not None:
            parent.children.setdefault(child.name, self._where)

    def _host_variables(self, name: str, variables: object) -> None:
        host = self._graph.hosts.get(name)
        if host is None:
            message = f"variables for host `{shown(name)}`, which no group names"
            self.found.append(Diagnostic(self._where, "I120", message, "", Severity.WARNING))
            return
        host.variables.update(self._variables(variables, f"host `{name}`"))

    def _variables(self, content: object, owner: str) -> Variables:
        if not isinstance(content, dict):
            self._error(f"{owner} is not a mapping")
            return {}
        try:
            return {name: self._entry(name, value) for name, value in content.items()}
        except ListingError as error:
            self._error(f"{owner}: {error}")
            return {}

    def _entry(self, name: str, value: object) -> Entry:
        node = self._node(value, 0)
        if self._is_unsafe and node.tag != VAULT_TAG:
            node = replace(node, tag=UNSAFE_TAG)  # which holds for all that is in it
        entry = Entry(self._scalar(name), node)
        return opened(entry) if self._is_secret else entry

    def _node(self, value: object, depth: int) -> Node:
        self._node_count += 1
        if depth > _DEPTH_MAX or self._node_count > _NODES_MAX:
            limit = f"{_DEPTH_MAX} levels" if depth > _DEPTH_MAX else f"{_NODES_MAX} values"
            raise ListingError(f"more than {limit}")
        place = (self._file, 0, 0)
        match value:
            case {"__ansible_vault": str(text)}:
                return ScalarNode(text, text, True, *place, VAULT_TAG)
            case {"__ansible_unsafe": str(text)}:
                return ScalarNode(text, text, True, *place, UNSAFE_TAG)
            case dict():
                entries = (
                    Entry(self._scalar(name), self._node(item, depth + 1))
                    for name, item in value.items()
                )
                return MappingNode(tuple(entries), *place)
            case list():
                return SequenceNode(tuple(self._node(item, depth + 1) for item in value), *place)
            case float() if not math.isfinite(value):
                raise ListingError("a number without end")
            case None | bool() | int() | float():
                return ScalarNode(value, json.dumps(value), False, *place)
            case _:
                return self._scalar(str(value))

    def _scalar(self, text: str) -> ScalarNode:
        return ScalarNode(text, text, True, self._file, 0, 0)

    def _error(self, message: str) -> None:
        self.report(self._where, "I104", message)
