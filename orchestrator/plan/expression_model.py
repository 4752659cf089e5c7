"""The parts of a condition, after checking: small values that are cheap to evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Scalar = str | int | float | bool


class Kind(StrEnum):
    """What a part of a condition gives; `ANY` is known only when a sample is there."""

    NUMBER = "a number"
    TEXT = "text"
    TRUTH = "true or false"
    LIST = "a list"
    ANY = "anything"


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the condition."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Name:
    """A field of the sample, as written: `result.exit`."""

    text: str

    @property
    def key(self) -> str:
        """The field's key in a sample: `exit` for `result.exit`."""
        return self.text.removeprefix("result.")


@dataclass(frozen=True, slots=True)
class Choices:
    """A list of literals of one kind, right of `in`."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """`not operand`."""

    operand: Part


@dataclass(frozen=True, slots=True)
class All:
    """`a and b and ...`."""

    operands: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`a or b or ...`."""

    operands: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`first < a <= b ...`: true when each neighbouring pair compares so."""

    first: Part
    rest: tuple[tuple[str, Part], ...]


Part = Literal | Name | Choices | Not | All | AnyOf | Comparison


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked condition; `names` are the fields it reads, as written."""

    text: str
    root: Part
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """The names a condition may use, with what they give.

    `open_prefix` (`result.` of a check) admits any field with that prefix as `Kind.ANY`.
    `elsewhere` explains names that exist in the language but not here.
    """

    names: Mapping[str, Kind]
    open_prefix: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)


class ExpressionError(ValueError):
    """A condition that cannot be used; `offset` counts characters from its start."""

    def __init__(self, message: str, *, offset: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint
