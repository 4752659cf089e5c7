"""From the tree of one inventory file to hosts and groups, strict where Ansible shrugs.

Laws:
1. Sections are read in the order of the file, as Ansible does: later variables win.
2. An unknown key, a list where a mapping belongs, or a bad name is an error at its place;
   the rest of the file is still read, so that one run reports everything.
"""

from __future__ import annotations

from orchestrator.errors import Diagnostic, Where
from orchestrator.inventory.graph import Graph, Group, Variables
from orchestrator.inventory.grouping import GROUPS_BY, GroupBy, read_rules
from orchestrator.inventory.members import Members
from orchestrator.inventory.secret import opened
from orchestrator.source import Document, MappingNode, Node, ScalarNode, did_you_mean, shown

_SECTIONS = ("hosts", "vars", "children")


class FileReader:
    """Adds what one file says to a graph and keeps the findings."""

    def __init__(self, document: Document, graph: Graph, *, is_secret: bool = False) -> None:
        self._document = document
        self._is_secret = is_secret
        self._members = Members(graph, self._error)
        self.diagnostics: list[Diagnostic] = []
        self.rules: list[GroupBy] = []

    def read(self) -> None:
        """Reads the groups at the top of the file, and the rules of `groups_by`."""
        root = self._document.root
        if root is None or _is_nothing(root):
            return
        if not isinstance(root, MappingNode):
            message = f"an inventory is a mapping of groups, not {root.kind}"
            self._error(root, "I104", message, "begin with `all:` and `hosts:` below it")
            return
        for key, value in root.entries:
            if key.text == GROUPS_BY:
                self.rules.extend(read_rules(value, self._error))
            else:
                self._group(key, value)

    def _group(self, key: ScalarNode, value: Node) -> Group | None:
        group = self._members.group(key.text, key.where)
        if group is None:
            return None
        if _is_nothing(value):
            return group
        if not isinstance(value, MappingNode):
            message = f"group `{key.text}` is {value.kind}; it takes `hosts`, `vars`, `children`"
            self._error(value, "I104", message)
            return group
        for section, content in value.entries:
            self._section(group, section, content)
        return group

    def _section(self, group: Group, section: ScalarNode, content: Node) -> None:
        match section.text:
            case "hosts":
                for key, value in self._entries(section, content):
                    self._hosts(group, key, value)
            case "children":
                for key, value in self._entries(section, content):
                    self._child(group, key, value)
            case "vars":
                group.variables.update(self._variables(content, f"`vars` of `{group.name}`"))
                self._members.settle_priority(group)
            case unknown:
                message = f"unknown key `{shown(unknown)}` in group `{group.name}`"
                message += did_you_mean(unknown, _SECTIONS)
                hint = "a group takes `hosts`, `vars` and `children`"
                self._error(section, "I105", message, hint)

    def _entries(self, section: ScalarNode, content: Node) -> list[tuple[ScalarNode, Node]]:
        """Entries of `hosts` or `children`; one name may stand there as text."""
        if _is_nothing(content):
            return []
        if isinstance(content, MappingNode):
            return list(content.entries)
        if isinstance(content, ScalarNode) and isinstance(content.value, str):
            nothing = ScalarNode(None, "", False, content.file, content.line, content.column)
            return [(content, nothing)]
        message = f"`{section.text}` is {content.kind}; it is a mapping"
        self._error(content, "I104", message, "write each name on its own line with `:` behind it")
        return []

    def _child(self, parent: Group, key: ScalarNode, value: Node) -> None:
        if not self._members.may_be_child(parent, key.text, key.where):
            return
        child = self._group(key, value)
        if child is not None:
            parent.children.setdefault(child.name, key.where)

    def _hosts(self, group: Group, key: ScalarNode, value: Node) -> None:
        variables = {} if _is_nothing(value) else self._variables(value, f"host `{key.text}`")
        self._members.hosts(group, key.text, key.where, variables)

    def _variables(self, content: Node, owner: str) -> Variables:
        if _is_nothing(content):
            return {}
        if not isinstance(content, MappingNode):
            message = f"{owner} is {content.kind}; variables are a mapping"
            self._error(content, "I104", message, "write `name: value` below it")
            return {}
        entries = map(opened, content.entries) if self._is_secret else content.entries
        return {entry.key.text: entry for entry in entries}

    def _error(self, where: Node | Where, code: str, message: str, hint: str = "") -> None:
        self.diagnostics.append(self._document.diagnostic(where, code, message, hint))


def _is_nothing(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None
