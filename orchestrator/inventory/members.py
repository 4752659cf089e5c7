"""How names become groups and hosts of the graph, for every form an inventory is written in.

Law: a bad name adds nothing and is reported at its place; the rest of the file is still read.
"""

from __future__ import annotations

from typing import Protocol

from orchestrator.errors import Where
from orchestrator.inventory.graph import Graph, Group, Variables
from orchestrator.inventory.names import ALL, UNGROUPED, group_name_problem, host_name_problem
from orchestrator.inventory.ranges import HOSTS_MAX, RangeError, expand, split_port
from orchestrator.source import ScalarNode, shown

PRIORITY_VARIABLE = "ansible_group_priority"


class Report(Protocol):
    """Takes one error: place, code, message, hint."""

    def __call__(self, where: Where, code: str, message: str, hint: str = "") -> None:
        """Notes it; the reading goes on."""


class Members:
    """Adds what a file names to a graph."""

    def __init__(self, graph: Graph, report: Report) -> None:
        self._graph = graph
        self._report = report

    def group(self, name: str, where: Where) -> Group | None:
        """The group of this name, made if it is new; None if it cannot be called so."""
        problem = group_name_problem(name)
        if problem:
            hint = "use letters, digits, `_`, `-` and `.`"
            self._report(where, "I110", f"`{shown(name)}`: {problem}", hint)
            return None
        group = self._graph.group(name, where)
        if not group.where.line:
            group.where = where
        return group

    def may_be_child(self, parent: Group, name: str, where: Where) -> bool:
        """Whether a group of this name may stand below the parent."""
        if name in (ALL, UNGROUPED):
            message = f"`{name}` is never a child; it is there by itself"
            self._report(where, "I110", message, "name the groups you mean")
            return False
        if parent.name == UNGROUPED:
            hint = "move the group out of it"
            self._report(where, "I110", f"`{UNGROUPED}` has no children", hint)
            return False
        return True

    def hosts(self, group: Group, key: str, where: Where, variables: Variables) -> None:
        """The hosts of a name with ranges and a port, each with the same variables."""
        if len(self._graph.hosts) >= HOSTS_MAX:
            return  # already reported
        try:
            pattern, port = split_port(key)
            names = expand(pattern)
            if len(self._graph.hosts) + len(names) > HOSTS_MAX:
                raise RangeError(f"`{shown(key)}` makes more than {HOSTS_MAX} hosts")
        except RangeError as error:
            self._report(where, "I108", str(error), error.hint)
            return
        problem = next(filter(None, map(host_name_problem, names)), "")
        if problem:
            hint = "use letters, digits, `.`, `-`, `_`, `@`, `+`, or an IPv6 address"
            self._report(where, "I106", f"`{shown(key)}`: {problem}", hint)
            return
        for name in names:
            host = self._graph.add_host(name, group, where, port)
            if variables:
                host.variables.update(variables)

    def settle_priority(self, group: Group) -> None:
        """Takes the priority out of the group's variables."""
        entry = group.variables.pop(PRIORITY_VARIABLE, None)
        if entry is None:
            return
        value = entry.value
        text = value.text if isinstance(value, ScalarNode) else ""
        if not text.lstrip("-").isascii() or not text.lstrip("-").isdecimal():
            message = f"`{PRIORITY_VARIABLE}` is {value.kind}; it is a whole number"
            self._report(value.where, "I125", message)
            return
        group.priority = int(text[:9])
