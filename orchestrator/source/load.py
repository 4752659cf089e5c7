"""Loads one YAML file strictly: a tree with positions, and every finding at once.

Order: size, encoding, characters, then the parser's events through the guard of `build`.
Cost: 10 000 devices take half a second; libyaml parses, the garbage collector is off.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml

from orchestrator.errors import Diagnostic, Severity, Where
from orchestrator.source.build import TreeBuilder
from orchestrator.source.characters import decode
from orchestrator.source.frame import Event, LimitReachedError
from orchestrator.source.node import Node
from orchestrator.source.policy import Policy
from orchestrator.source.text import Findings, SourceText

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BARE_TEMPLATE = re.compile(r"(?:^|[:,\-\[]\s)\s*(\{\{)")
_LEADING_TAB = re.compile(r"[ ]*(\t)")
_START_CHARACTERS = "@`%"  # YAML reserves them at the start of an unquoted value


@dataclass(frozen=True, slots=True)
class Document:
    """What one file holds. With errors among `diagnostics`, `root` is only good for more checks.

    `root` is None for an empty file and where syntax ended the reading early.
    """

    source: SourceText
    root: Node | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def file(self) -> str:
        """The name the file was loaded under."""
        return self.source.file

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(found.severity is not Severity.ERROR for found in self.diagnostics)

    def diagnostic(
        self,
        where: Where | Node,
        code: str,
        message: str,
        hint: str = "",
        severity: Severity = Severity.ERROR,
    ) -> Diagnostic:
        """A finding of the reader of this document, with the text of the line."""
        place = where if isinstance(where, Where) else where.where
        return self.source.diagnostic(place, code, message, hint, severity)


def load_yaml(data: bytes, *, file: str, policy: Policy) -> Document:
    """Reads the bytes of a file; never raises for what they hold.

    Args:
        data: the whole file.
        file: name for positions, as people write it.
        policy: `PLAN_POLICY` or `INVENTORY_POLICY`.
    """
    source, findings = decode(data, file, policy)
    if findings.has_errors():
        return Document(source, None, findings.result())
    builder = TreeBuilder(policy, findings)
    with without_garbage_collection():
        try:
            builder.consume(_events(source.text))
        except LimitReachedError:
            pass
        except yaml.YAMLError as error:
            _note_syntax(error, findings)
    return Document(source, builder.root, findings.result())


def _events(text: str) -> Iterator[Event]:
    loader = _LOADER(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """A tree of a million nodes holds no cycles; looking for them costs four times the parse."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _note_syntax(error: yaml.YAMLError, findings: Findings) -> None:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "the text is not YAML"
    context = getattr(error, "context_mark", None)
    file = findings.source.file
    where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file)
    lines = [where.line] + ([context.line + 1] if context else [])
    if _note_template(findings, lines) or _note_tab(findings, where):
        return
    code, message, hint = _in_our_words(problem, findings.source, where)
    if context and context.line + 1 != where.line:
        hint = f"{hint}; " if hint else ""
        hint += f"it began on line {context.line + 1}"
    findings.add(where, code, message, hint)


def _note_template(findings: Findings, lines: list[int]) -> bool:
    if any(found.code == "Y117" for found in findings.result()):
        return True
    for line in lines:
        match = _BARE_TEMPLATE.search(findings.source.line(line))
        if match:
            where = Where(findings.source.file, line, match.start(1) + 1)
            message = "`{{` without quotes is YAML's own syntax, not a template"
            findings.add(where, "Y117", message, 'quote the whole value: "{{ ... }}"')
            return True
    return False


def _note_tab(findings: Findings, where: Where) -> bool:
    text = findings.source.line(where.line)
    match = _LEADING_TAB.match(text)
    column = match.start(1) + 1 if match else 0
    for near in (where.column, where.column - 1):
        if not column and near > 0 and text[near - 1 : near] == "\t":
            column = near
    if not column:
        return False
    place = Where(findings.source.file, where.line, column)
    message = f"tab at {where.line}:{column}; YAML indents with spaces"
    findings.add(place, "Y107", message, "replace the tab by spaces")
    return True


_WORDS: tuple[tuple[str, str, str, str], ...] = (  # libyaml's words; code, message, hint
    (
        "Unicode character escape",
        "Y121",
        "the escape names no character (half of a surrogate pair, or too large)",
        "write the character itself, or its one code point as \\UXXXXXXXX",
    ),
    (
        "mapping values are not allowed",
        "Y101",
        "a second `: ` where no mapping can begin",
        "quote a value that holds `: `, or correct the indentation",
    ),
    (
        "unexpected end of stream",
        "Y101",
        "the file ends inside a quoted value",
        "close the quotes",
    ),
    ("unknown directive", "Y123", "a `%` directive that is not known", "remove the line"),
    ("incompatible YAML", "Y123", "a `%YAML` version that is not known", "remove the line"),
    ("undefined tag handle", "Y116", "a tag with an unknown handle", "remove the tag"),
)


def _in_our_words(problem: str, source: SourceText, where: Where) -> tuple[str, str, str]:
    """Code, message and hint for a problem that libyaml describes for its own maintainers."""
    char = source.line(where.line)[where.column - 1 : where.column]
    if "cannot start any token" in problem and char and char in _START_CHARACTERS:
        return "Y101", f"a value cannot begin with `{char}`", "put the value into quotes"
    for theirs, code, message, hint in _WORDS:
        if theirs in problem:
            return code, message, hint
    if problem.startswith("did not find "):
        hint = "check the indentation, and that every bracket and quote is closed"
        return "Y101", f"{problem.removeprefix('did not find ')} is missing", hint
    return "Y101", problem, ""
