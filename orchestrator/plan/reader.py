"""Typed values out of a tree with positions; notes every problem and goes on.

Laws:
1. A reader gives None for a value that is absent or refused; refused ones are in `findings`.
2. Nothing is converted silently: a number is no text, `yes` is no boolean, `30` is no duration.
3. A misspelt key refuses the file and is read as the one that was probably meant: what else is
   wrong is told, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from orchestrator.errors import Diagnostic, PlanError, Severity, Where
from orchestrator.plan.host_pattern import split_pattern
from orchestrator.plan.language import FOREIGN_KEYS, Section
from orchestrator.plan.model import Text
from orchestrator.plan.template import TemplateError, check_template, is_template
from orchestrator.source import Document, MappingNode, Node, ScalarNode, SequenceNode
from orchestrator.source.suggest import closest, did_you_mean, quoted
from orchestrator.units import parse_duration

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TEXT_CHARS_MAX = 4096
COUNT_MAX = 1_000_000  # more devices, samples or tries than this is a typing error

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Fields:
    """The values of one mapping by key, its place, and what it is in words."""

    section: Section
    values: dict[str, Node]
    keys: dict[str, ScalarNode]
    where: Where
    refused: bool = False  # some key was unknown

    def get(self, key: str) -> Node | None:
        """The value of a key of the section."""
        assert key in self.section.keys, f"`{key}` is not in the table of keys"
        return self.values.get(key)

    def key_where(self, key: str) -> Where:
        """The place of a key, or of the mapping where it is absent."""
        return self.keys[key].where if key in self.keys else self.where


class Reader:
    """Reads one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._lines = document.source.text.split("\n")
        self.findings: list[Diagnostic] = []

    # -- findings -------------------------------------------------------------------------

    def error(self, where: Where, code: str, message: str, hint: str = "") -> None:
        """Notes what refuses the file."""
        self.findings.append(self._document.diagnostic(where, code, message, hint))

    def warn(self, where: Where, code: str, message: str, hint: str = "") -> None:
        """Notes what the author should know."""
        found = self._document.diagnostic(where, code, message, hint, Severity.WARNING)
        self.findings.append(found)

    def has_errors(self, since: int = 0) -> bool:
        """Whether findings from the given number on refuse anything."""
        return any(found.severity is Severity.ERROR for found in self.findings[since:])

    # -- collections ----------------------------------------------------------------------

    def mapping(self, node: Node, section: Section, what: str = "") -> Fields | None:
        """The fields of a mapping, with all its keys checked against the section."""
        what = what or f"`{section.name}`"
        if not isinstance(node, MappingNode):
            message = f"{what} is a mapping of keys, not {node.kind}"
            self.error(node.where, "P101", message, "as " + _example(section))
            return None
        return self.fields(node, section, what)

    def fields(self, node: MappingNode, section: Section, what: str) -> Fields:
        """The fields of what is known to be a mapping."""
        values: dict[str, Node] = {}
        keys: dict[str, ScalarNode] = {}
        meant: list[str] = []
        written = {key.text for key, _ in node.entries}
        for key, value in node.entries:
            name = key.text
            if name not in section.keys:
                name = self._unknown(key, section, what)
                meant.append(name)
                foreign = key.text in FOREIGN_KEYS  # another tool's, of another form
                if not name or foreign or name in written or name in keys:
                    continue
            keys[name] = key
            if isinstance(value, ScalarNode) and value.value is None:
                message = f"`{key.text}` has no value"
                self.error(key.where, "P103", message, "write a value or remove the key")
                continue
            values[name] = value
        if self._document.ok:  # otherwise the loader may have dropped the very key
            for name in section.required:
                if name not in keys and name not in meant:
                    self.error(node.where, "P102", f"{what} needs the key `{name}`")
        return Fields(section, values, keys, node.where, refused=bool(meant))

    def _unknown(self, key: ScalarNode, section: Section, what: str) -> str:
        """Notes a key that is not read; returns the one that was probably meant, or ""."""
        name = key.text
        foreign = FOREIGN_KEYS.get(name, "")
        if foreign in section.keys:
            best, guess = foreign, f"; here it is called `{foreign}`"
        else:
            best = closest(name, section.keys)
            guess = f"; did you mean `{best}`?" if best else ""
        hint = "" if guess else f"keys of {what}: " + ", ".join(section.keys)
        self.error(key.where, "P107", f"unknown key `{name}` in {what}{guess}", hint)
        return best

    def sequence(self, node: Node | None, key: str, example: str) -> tuple[Node, ...] | None:
        """The items of a list."""
        if node is None:
            return None
        if not isinstance(node, SequenceNode):
            message = f"`{key}` is a list, not {node.kind}"
            self.error(node.where, "P101", message, f"as `{key}: {example}`")
            return None
        return node.items

    # -- texts ----------------------------------------------------------------------------

    def text(self, node: Node | None, key: str) -> Text | None:
        """A text without templates."""
        scalar = self._text_scalar(node, key)
        return None if scalar is None else self._placed(scalar)

    def template(self, node: Node | None, key: str) -> Text | None:
        """A text that may hold `{{ }}`, which is checked here and rendered by `resolve`."""
        text = self.text(node, key)
        if text is None:
            return None
        try:
            check_template(text.text)
        except TemplateError as error:
            self.error(text.at(error.offset), "P112", error.message, error.hint)
            return None
        return text

    def hosts(self, node: Node | None) -> Text | None:
        """A host pattern, which may hold `{{ }}`; without them its form is looked at here."""
        text = self.template(node, "hosts")
        if text is None or is_template(text.text):
            return text
        try:
            split_pattern(text.text)
        except PlanError as error:
            self.error(text.where, error.code, error.message, error.hint)
            return None
        return text

    def name(self, node: Node | None, key: str) -> str | None:
        """A name: letters, digits, `.`, `_`, `-`."""
        text = self.text(node, key)
        if text is None:
            return None
        if not NAME.fullmatch(text.text):
            message = f"`{key}` holds a name, not `{text.text}`"
            hint = "letters, digits, `.`, `_` and `-`, at most 64, beginning with a letter or digit"
            self.error(text.where, "P110", message, hint)
            return None
        return text.text

    def word(self, node: Node | None, key: str, words: type[_Word]) -> _Word | None:
        """One of the words of a closed set, as its member."""
        text = self.choice(node, key, list(words))
        return None if text is None else words(text)

    def choice(self, node: Node | None, key: str, words: Iterable[str]) -> str | None:
        """One of a few words."""
        known = tuple(words)
        if node is None or (isinstance(node, ScalarNode) and node.value in known):
            return None if node is None else node.text
        shown = ", ".join(f"`{word}`" for word in known)
        found = f"`{node.text}`" if isinstance(node, ScalarNode) else node.kind
        guess = did_you_mean(node.text, known) if isinstance(node, ScalarNode) else ""
        message = f"`{key}` is one of {shown}, not {found}{guess}"
        self.error(node.where, "P105", message)
        return None

    def _text_scalar(self, node: Node | None, key: str) -> ScalarNode | None:
        if node is None:
            return None
        if not isinstance(node, ScalarNode):
            self.error(node.where, "P101", f"`{key}` is a text, not {node.kind}")
            return None
        if node.value is None:
            self.error(node.where, "P103", f"`{key}` has no value")
            return None
        if not isinstance(node.value, str):
            message = f"`{key}` is a text, but `{node.text}` is {node.kind} in YAML"
            self.error(node.where, "Y902", message, f"quote it: {key}: {quoted(node)}")
            return None
        if node.meant_bool is not None:
            message = f"`{node.text}` is a text here, not true or false"
            self.warn(node.where, "P911", message, f"quote it: {key}: {quoted(node)}")
        if not node.text.strip() or len(node.text) > TEXT_CHARS_MAX:
            wrong = "is empty" if not node.text.strip() else f"is longer than {TEXT_CHARS_MAX}"
            self.error(node.where, "P110", f"`{key}` {wrong}")
            return None
        return node

    def _placed(self, node: ScalarNode) -> Text:
        """The text with the place of its characters, where the file has them one to one."""
        line = self._lines[node.line - 1] if 0 < node.line <= len(self._lines) else ""
        for shift in (0, 1):
            if line.startswith(node.text, node.column - 1 + shift):
                inner = Where(node.file, node.line, node.column + shift)
                return Text(node.text, node.where, inner)
        return Text(node.text, node.where)

    # -- numbers and truth ------------------------------------------------------------------

    def boolean(self, node: Node | None, key: str) -> bool | None:
        """`true` or `false`; nothing else."""
        if node is None:
            return None
        if isinstance(node, ScalarNode) and isinstance(node.value, bool):
            return node.value
        meant = node.meant_bool if isinstance(node, ScalarNode) else None
        hint = "" if meant is None else f"write `{key}: {str(meant).lower()}`"
        shown = f"`{node.text}`" if isinstance(node, ScalarNode) else node.kind
        self.error(node.where, "P109", f"`{key}` is true or false, not {shown}", hint)
        return None

    def integer(
        self, node: Node | None, key: str, *, least: int = 0, most: int = COUNT_MAX
    ) -> int | None:
        """A whole number within limits."""
        if node is None:
            return None
        value = node.value if isinstance(node, ScalarNode) else None
        if not isinstance(value, int) or isinstance(value, bool):
            self.error(node.where, "P101", f"`{key}` is a whole number, not {node.kind}")
            return None
        if not least <= value <= most:
            message = f"`{key}` is between {least} and {most}, not {value}"
            self.error(node.where, "P104", message)
            return None
        return value

    def number(self, node: Node | None, key: str, *, least: int, most: int) -> Fraction | None:
        """An exact decimal number within limits."""
        if node is None:
            return None
        value = node.value if isinstance(node, ScalarNode) else None
        if not isinstance(value, int | float) or isinstance(value, bool):
            hint = ""
            if isinstance(value, str) and value.rstrip().endswith("%"):
                hint = f"the key says it already: `{key}: {value.rstrip()[:-1].rstrip()}`"
            self.error(node.where, "P101", f"`{key}` is a number, not {node.kind}", hint)
            return None
        exact = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
        if not least <= exact <= most:
            message = f"`{key}` is between {least} and {most}, not {value}"
            self.error(node.where, "P104", message)
            return None
        return exact

    def share(self, node: Node | None, key: str) -> Fraction | None:
        """A percentage written as a number, 0 to 100, as a share."""
        percent = self.number(node, key, least=0, most=100)
        return None if percent is None else percent / 100

    def duration(self, node: Node | None, key: str, *, positive: bool = False) -> float | None:
        """Seconds of a duration with its unit."""
        if node is None:
            return None
        value = node.value if isinstance(node, ScalarNode) else None
        if not isinstance(value, str):
            bare = isinstance(value, int | float) and not isinstance(value, bool)
            hint = f"`{value}s` or `{value}m`?" if bare else "as `30s`, `5m`, `4h`"
            message = f"`{key}` is a duration with its unit, not {node.kind}"
            self.error(node.where, "P108", message, hint)
            return None
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            self.error(node.where, "P108", f"`{key}`: {error}")
            return None
        if positive and not seconds:
            self.error(node.where, "P104", f"`{key}` is longer than no time")
            return None
        return seconds


def _example(section: Section) -> str:
    required = section.required or tuple(section.keys)[:1]
    return "`" + ", ".join(f"{key}: ..." for key in required) + "`"
