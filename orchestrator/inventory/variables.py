"""Which value of a variable a host gets, and where it was written.

Order, low to high (inventory.md; play-level directories do not exist here):
1. `vars` of `all`                      4. group_vars/GROUP
2. `vars` of the host's groups          5. variables of the host in the inventory
3. group_vars/all                       6. host_vars/HOST
Within a step groups go by depth, `ansible_group_priority` and name; within the files of a step
a later `-i` wins. A later value replaces an earlier one whole: mappings are not merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from orchestrator.inventory.graph import Graph, Host, Variables
from orchestrator.inventory.names import ALL
from orchestrator.source import Node, ScalarNode, to_plain

VarsFiles = Mapping[str, Variables]  # group or host name -> variables, for one source


class Layer(NamedTuple):
    """Variables of one step and owner; `step` says in words where they are written."""

    step: str
    variables: Variables


class VariableTable:
    """Merges variables per host; what hosts of the same groups share is merged once."""

    def __init__(
        self,
        graph: Graph,
        group_files: Iterable[VarsFiles],
        host_files: Iterable[VarsFiles],
    ) -> None:
        self._graph = graph
        self._group_files = tuple(group_files)
        self._host_files = tuple(host_files)
        self._above = graph.ancestors()
        self._shared: dict[tuple[str, ...], Variables] = {}
        self._plain: dict[int, tuple[Node, object]] = {}

    def groups_of(self, host: Host) -> tuple[str, ...]:
        """Names of all groups of a host, direct and above, sorted, without `all`."""
        names: set[str] = set()
        for name in host.groups:
            names |= self._above[name]
        return tuple(sorted(names))

    def entries(self, host: Host) -> Variables:
        """The winning entry of each variable; its key has the place, its value the tree."""
        merged = dict(self._of_groups(self.groups_of(host)))
        for layer in self._host_layers(host):
            merged.update(layer.variables)
        return merged

    def layers(self, host: Host) -> Iterator[Layer]:
        """All that is written for a host, low to high; layers without variables are left out."""
        for layer in (*self._group_layers(self.groups_of(host)), *self._host_layers(host)):
            if layer.variables:
                yield layer

    def plain(self, host: Host) -> dict[str, object]:
        """The variables as Python values. Shared parts are the same objects: do not change them."""
        return {name: self._value(entry.value) for name, entry in self.entries(host).items()}

    def own_entry(self, host: Host, name: str) -> Node | None:
        """The value of one variable, without merging the others."""
        for files in reversed(self._host_files):
            entry = files.get(host.name, {}).get(name)
            if entry is not None:
                return entry.value
        entry = host.variables.get(name) or self._of_groups(self.groups_of(host)).get(name)
        return entry.value if entry is not None else None

    def _of_groups(self, names: tuple[str, ...]) -> Variables:
        shared = self._shared.get(names)
        if shared is None:
            shared = self._shared[names] = self._merge_groups(names)
        return shared

    def _merge_groups(self, names: tuple[str, ...]) -> Variables:
        merged: Variables = {}
        for layer in self._group_layers(names):
            merged.update(layer.variables)
        return merged

    def _group_layers(self, names: tuple[str, ...]) -> Iterator[Layer]:
        groups = [self._graph.groups[name] for name in names]
        groups.sort(key=lambda group: (group.depth, group.priority, group.name))
        for group in (self._graph.groups[ALL], *groups):
            yield Layer(f"group {group.name}", group.variables)
        for files in self._group_files:
            yield Layer(f"group_vars/{ALL}", files.get(ALL, {}))
        for files in self._group_files:
            for group in groups:
                yield Layer(f"group_vars/{group.name}", files.get(group.name, {}))

    def _host_layers(self, host: Host) -> Iterator[Layer]:
        yield Layer("host", host.variables)
        for files in self._host_files:
            yield Layer(f"host_vars/{host.name}", files.get(host.name, {}))

    def _value(self, node: Node) -> object:
        """The plain value; collections once per node, so that hosts of a group share them."""
        if isinstance(node, ScalarNode):
            return node.value
        known = self._plain.get(id(node))
        if known is None:
            known = self._plain[id(node)] = (node, to_plain(node))
        return known[1]
