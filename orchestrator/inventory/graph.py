"""Hosts and groups while they are read, and the shape of the whole once they are.

Laws:
1. Every host is in `all` and either in a real group or in `ungrouped`.
2. Every group is a descendant of `all`; no group is its own descendant.
3. A group's depth is the longest path from `all`; orders follow the files, so the same files
   give the same order on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.errors import Where
from orchestrator.inventory.names import ALL, UNGROUPED
from orchestrator.source import Entry, ScalarNode

PORT_VARIABLE = "ansible_port"
Variables = dict[str, Entry]


@dataclass(slots=True)
class Group:
    """A group as the inventory files have it; group_vars files are not among `variables`."""

    name: str
    where: Where
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Where] = field(default_factory=dict)
    variables: Variables = field(default_factory=dict)
    depth: int = 0
    priority: int = 1


@dataclass(slots=True)
class Host:
    """A host as the inventory files have it; `groups` are the ones that name it."""

    name: str
    where: Where
    groups: list[str] = field(default_factory=list)
    variables: Variables = field(default_factory=dict)


class Graph:
    """All hosts and groups by name, in the order of the files. Not changed after loading."""

    __slots__ = ("groups", "hosts")

    def __init__(self) -> None:
        nowhere = Where("")
        self.groups = {name: Group(name, nowhere) for name in (ALL, UNGROUPED)}
        self.groups[ALL].children[UNGROUPED] = nowhere
        self.hosts: dict[str, Host] = {}

    def group(self, name: str, where: Where) -> Group:
        """The group of this name, made if it is new."""
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Group(name, where)
        return group

    def add_host(self, name: str, group: Group, where: Where, port: int | None) -> Host:
        """The host of this name, made if it is new, as a member of `group`.

        The port behind a name counts where the name is first written, as a variable of the host.
        """
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host(name, where)
            if port is not None:
                host.variables[PORT_VARIABLE] = _port_entry(port, where)
        if name not in group.hosts:
            group.hosts[name] = None
            host.groups.append(group.name)
        return host

    def find_cycle(self) -> tuple[str, ...]:
        """The names along one cycle of groups, or nothing. Without recursion."""
        done: set[str] = set()
        for start in self.groups:
            path: list[str] = []
            on_path: set[str] = set()
            stack: list[tuple[str, bool]] = [(start, True)]
            while stack:
                name, entering = stack.pop()
                if not entering:
                    path.pop()
                    on_path.discard(name)
                    done.add(name)
                elif name in on_path:
                    return (*path[path.index(name) :], name)
                elif name not in done:
                    path.append(name)
                    on_path.add(name)
                    stack.append((name, False))
                    stack.extend((child, True) for child in reversed(self.groups[name].children))
        return ()

    def settle(self) -> None:
        """Ties loose groups to `all` and loose hosts to `ungrouped`, and computes depths.

        There must be no cycle.
        """
        top = self.groups[ALL]
        has_parent = {child for group in self.groups.values() for child in group.children}
        for name, group in self.groups.items():
            if name not in has_parent and name != ALL:
                top.children[name] = group.where
        loose = self.groups[UNGROUPED]
        for host in self.hosts.values():
            real = [name for name in host.groups if name not in (ALL, UNGROUPED)]
            if real and UNGROUPED in host.groups:
                del loose.hosts[host.name]
                host.groups.remove(UNGROUPED)
            elif not real and UNGROUPED not in host.groups:
                loose.hosts[host.name] = None
                host.groups.append(UNGROUPED)
        self._measure_depths()

    def _measure_depths(self) -> None:
        for name in self._parents_first():
            group = self.groups[name]
            for child in group.children:
                below = self.groups[child]
                below.depth = max(below.depth, group.depth + 1)

    def _parents_first(self) -> Iterator[str]:
        open_parents = dict.fromkeys(self.groups, 0)
        for group in self.groups.values():
            for child in group.children:
                open_parents[child] += 1
        ready = [name for name, count in open_parents.items() if count == 0]
        while ready:
            name = ready.pop()
            yield name
            for child in self.groups[name].children:
                open_parents[child] -= 1
                if open_parents[child] == 0:
                    ready.append(child)

    def members(self, name: str) -> list[str]:
        """Hosts of a group and of all groups below it: its own first, then level by level."""
        found: dict[str, None] = {}
        seen = {name}
        level = [name]
        while level:
            below: list[str] = []
            for group_name in level:
                group = self.groups[group_name]
                found.update(group.hosts)
                for child in group.children:
                    if child not in seen:
                        seen.add(child)
                        below.append(child)
            level = below
        return list(found)

    def ancestors(self) -> dict[str, frozenset[str]]:
        """For each group, itself and every group above it except `all`."""
        above: dict[str, set[str]] = {name: {name} for name in self.groups}
        for name in self._parents_first():
            for child in self.groups[name].children:
                above[child] |= above[name]
        return {name: frozenset(names - {ALL}) for name, names in above.items()}


def _port_entry(port: int, where: Where) -> Entry:
    place = (where.file, where.line, where.column)
    key = ScalarNode(PORT_VARIABLE, PORT_VARIABLE, False, *place)
    return Entry(key, ScalarNode(port, str(port), False, *place))
