"""Inventories in INI form: `[group]`, `[group:vars]`, `[group:children]`.

Laws:
1. Before the first section stand hosts without a group. Lines beginning with `#` or `;` are
   comments; on lines of hosts `#` ends the line, in `[group:vars]` it is part of the value.
2. A group that gets variables or is taken in as a child has a section of its own, in this
   file or in one read before.
3. What Ansible half reads or reads as something else is an error at its place.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from orchestrator.errors import Severity, Where
from orchestrator.inventory.graph import Graph, Group, Variables
from orchestrator.inventory.literal import LiteralError, read_literal
from orchestrator.inventory.members import Members
from orchestrator.inventory.names import UNGROUPED
from orchestrator.inventory.secret import opened
from orchestrator.source import INVENTORY_POLICY, Entry, ScalarNode, did_you_mean, shown
from orchestrator.source.characters import decode
from orchestrator.source.text import Findings

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_CHILD = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_SHELL = re.compile(r"['\"\\#]")
_PLAIN_WORD = re.compile(r"[^ \t\r]+")  # what `shlex` takes for blanks
_KINDS = ("hosts", "vars", "children")


class _Section(NamedTuple):
    kind: str  # one of _KINDS
    group: Group | None  # None: the header was refused, and what follows says nothing


class _Word(NamedTuple):
    text: str
    column: int
    raw: str  # from its first character to the end of the line


class _Child(NamedTuple):
    where: Where
    parent: Group
    name: str


def read_ini(data: bytes, file: str, graph: Graph, *, is_secret: bool = False) -> Findings:
    """Adds what one file says to a graph. Never raises for what the file holds."""
    source, findings = decode(data, file, INVENTORY_POLICY)
    if not findings.has_errors():
        _Reader(source.text, findings, graph, is_secret).read()
    return findings


class _Reader:
    def __init__(self, text: str, findings: Findings, graph: Graph, is_secret: bool) -> None:
        self._is_secret = is_secret
        self._text = text
        self._findings = findings
        self._graph = graph
        self._members = Members(graph, findings.add)
        self._declared = set(graph.groups)
        self._children: list[_Child] = []
        self._with_vars: dict[str, Where] = {}

    def read(self) -> None:
        section = _Section("hosts", self._graph.groups[UNGROUPED])
        for number, line in enumerate(self._text.split("\n"), start=1):
            text = line.strip()
            if not text or text[0] in "#;":
                continue
            where = Where(self._findings.source.file, number, line.index(text[0]) + 1)
            if text[0] == "[" and (text.endswith("]") or _SECTION.fullmatch(text)):
                section = self._section(text, where)
            elif section.group is not None:
                self._line(section.kind, section.group, line, where)
        self._adopt()
        for name, where in self._with_vars.items():
            self._members.settle_priority(self._graph.groups[name])
            self._check_declared(name, where, f"variables of `{name}`, which is no group")

    def _section(self, text: str, where: Where) -> _Section:
        match = _SECTION.fullmatch(text)
        kind = (match[2] or "hosts") if match else ""
        if not match or kind not in _KINDS:
            message = f"`{shown(text)}` is not the head of a section"
            if match:
                message += did_you_mean(kind, _KINDS)
            hint = "write `[group]`, `[group:vars]` or `[group:children]`, without blanks"
            self._findings.add(where, "I107", message, hint)
            return _Section("hosts", None)
        group = self._members.group(match[1], where)
        if group is not None and kind == "vars":
            self._with_vars.setdefault(group.name, where)
        elif group is not None:
            self._declared.add(group.name)
        return _Section(kind, group)

    def _line(self, kind: str, group: Group, line: str, where: Where) -> None:
        match kind:
            case "vars":
                self._variable(group, line, where)
            case "children":
                self._child(group, line.strip(), where)
            case _:
                self._host(group, line, where)

    def _host(self, group: Group, line: str, where: Where) -> None:
        try:
            words = list(_words(line))
        except ValueError:
            hint = "close it; a single quote needs a partner too"
            self._findings.add(where, "I107", "a quote that is never closed", hint)
            return
        self._warn_of_comment(words[-1], where)
        variables: Variables = {}
        for word in words[1:]:
            name, equals, value = word.text.partition("=")
            place = Where(where.file, where.line, word.column)
            if not equals or not name:
                message = f"`{shown(word.text)}` is no variable of the host"
                hint = "write `name=value`, without blanks around `=`; one host per line"
                self._findings.add(place, "I107", message, hint)
                continue
            self._set(variables, name, value, place)
        key = words[0].text
        if key.startswith("---") or (key.endswith(":") and len(words) == 1):
            hint = "give a file in YAML form a name that ends in `.yml`"
            message = f"`{shown(key)}` looks like YAML, and the file is read as INI"
            self._findings.add(where, "I107", message, hint)
            return
        self._members.hosts(group, key, where, variables)

    def _warn_of_comment(self, last: _Word, where: Where) -> None:
        """`color=#fff` is an empty text to Ansible, and perhaps not to its author."""
        at = last.raw.find("#")
        if at > 0 and "#" not in last.text and not last.raw[at - 1].isspace():
            place = Where(where.file, where.line, last.column + at)
            message = f"the line ends at `#`: `{shown(last.text)}` is all there is of this value"
            hint = "put the value into quotes, or a blank before a comment"
            self._findings.add(place, "I123", message, hint, Severity.WARNING)

    def _variable(self, group: Group, line: str, where: Where) -> None:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name:
            message = f"`{shown(line.strip())}` is no variable"
            self._findings.add(where, "I107", message, "write `name=value`")
            return
        self._set(group.variables, name, value, where)

    def _set(self, variables: Variables, name: str, value: str, where: Where) -> None:
        """One variable; a later one of the same name wins, as in Ansible."""
        try:
            node = read_literal(value, where)
        except LiteralError as error:
            self._findings.add(where, "I125", f"`{shown(name)}`: {error}", error.hint)
            return
        key = ScalarNode(name, name, False, where.file, where.line, where.column)
        entry = Entry(key, node)
        variables[name] = opened(entry) if self._is_secret else entry

    def _child(self, parent: Group, text: str, where: Where) -> None:
        match = _CHILD.fullmatch(text)
        if not match:
            message = f"`{shown(text)}` is no name of a group"
            self._findings.add(where, "I107", message, "write one name on each line")
            return
        if self._members.may_be_child(parent, match[1], where):
            self._children.append(_Child(where, parent, match[1]))

    def _adopt(self) -> None:
        """Ties children to parents once all groups of the file are known."""
        for where, parent, name in self._children:
            message = f"`{parent.name}` takes in `{shown(name)}`, which is no group"
            if self._check_declared(name, where, message):
                parent.children.setdefault(name, where)

    def _check_declared(self, name: str, where: Where, message: str) -> bool:
        if name in self._declared:
            return True
        message += did_you_mean(name, self._declared)
        hint = f"write `[{shown(name)}]` in this file or in one that is read before"
        self._findings.add(where, "I107", message, hint)
        return False


def _words(line: str) -> Iterator[_Word]:
    """The words of a host line by the shell's rules of quotes, with their columns.

    Raises:
        ValueError: an open quote.
    """
    if not _SHELL.search(line):  # nearly every line; the shell's rules cost thirty times as much
        for match in _PLAIN_WORD.finditer(line):
            yield _Word(match[0], match.start() + 1, match[0])
        return
    stream = io.StringIO(line)
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split = True
    at = 0
    while True:
        start = at + len(line[at:]) - len(line[at:].lstrip())
        text = lexer.get_token()
        if text is None:
            return
        yield _Word(text, start + 1, line[start:])
        at = stream.tell()
