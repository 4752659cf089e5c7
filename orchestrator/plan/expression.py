"""Conditions of gates: a tiny typed language over the fields of one sample.

Grammar: fields (`result.exit`), numbers, texts, `true`, `false`, `and`, `or`, `not`, chained
comparisons, `in` with a list or a text, parentheses.

Laws:
1. All fields of a condition are looked at before it is evaluated: one that is absent, empty or
   not finite is no data, whatever the rest says (rollout-rules R9).
2. A boolean is no number, and values of different kinds are not unequal but an error.
3. Nothing of a sample is executed, formatted or searched for attributes.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import assert_never

from orchestrator.plan.expression_model import (
    All,
    AnyOf,
    Choices,
    Comparison,
    Expression,
    ExpressionError,
    Kind,
    Literal,
    Name,
    Not,
    Part,
    Scalar,
    Scope,
)
from orchestrator.plan.expression_parser import kind_of, parse_expression

__all__ = [
    "ANY_SCOPE", "Expression", "ExpressionError", "ExpressionTypeError", "Kind", "NoData",
    "Scope", "evaluate", "parse_expression",
]  # fmt: skip

ANY_SCOPE = Scope(
    {"value": Kind.ANY, "successes": Kind.NUMBER, "failures": Kind.NUMBER}, open_prefix="result."
)  # every name of the language; resolved plans were checked against narrower scopes at load

_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CACHED_MAX = 256  # a plan has some dozen conditions, each evaluated per device


class NoData(Exception):  # noqa: N818  it is no error but a verdict of its own
    """A field that the condition reads is absent, empty or not finite."""

    def __init__(self, field: str) -> None:
        super().__init__(f"no data in `{field}`")
        self.field = field


class ExpressionTypeError(Exception):
    """A field has another kind than the condition compares it with."""


def evaluate(
    expression: Expression | str, fields: Mapping[str, str | int | float | bool | None]
) -> bool:
    """Whether the condition holds for one sample.

    Args:
        expression: a checked condition, or its text as a resolved plan holds it.
        fields: the sample by bare field name: `exit` is what `result.exit` reads.

    Raises:
        NoData: a field is absent, empty or not finite.
        ExpressionTypeError: a field has the wrong kind.
        ExpressionError: the text is no condition (a plan is checked at load, so a bug).
    """
    if isinstance(expression, str):
        expression = _parsed(expression)
    values: dict[str, Scalar] = {}
    for name in sorted(expression.names):
        key = name.removeprefix("result.")
        value = fields.get(key)
        if value is None or value == "" or not _finite(value):
            raise NoData(name)
        values[key] = value
    return _truth(expression.root, values)


@functools.lru_cache(maxsize=_CACHED_MAX)
def _parsed(text: str) -> Expression:
    return parse_expression(text, ANY_SCOPE)


def _finite(value: Scalar) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _truth(part: Part, values: Mapping[str, Scalar]) -> bool:
    assert not isinstance(part, Choices), "a list stands right of `in` only"
    match part:
        case All(operands):
            truths = [_truth(operand, values) for operand in operands]  # none hides a wrong kind
            return all(truths)
        case AnyOf(operands):
            truths = [_truth(operand, values) for operand in operands]
            return any(truths)
        case Not(operand):
            return not _truth(operand, values)
        case Comparison(first, rest):
            return _compare(first, rest, values)
        case Literal() | Name():
            value = _scalar(part, values)
            if not isinstance(value, bool):
                message = f"`{_shown(part)}` is {kind_of(value)}, not true or false"
                raise ExpressionTypeError(message)
            return value
        case _:
            assert_never(part)


def _compare(first: Part, rest: tuple[tuple[str, Part], ...], values: Mapping[str, Scalar]) -> bool:
    holds = True
    left = first
    for sign, right in rest:
        holds = _pair(left, sign, right, values) and holds
        left = right
    return holds


def _pair(left: Part, sign: str, right: Part, values: Mapping[str, Scalar]) -> bool:
    value = _scalar(left, values)
    if sign in ("in", "not in"):
        return _contains(value, right, values) is (sign == "in")
    other = _scalar(right, values)
    _same_kind(value, other, f"`{_shown(left)}` and `{_shown(right)}`")
    if sign in ("==", "!="):
        return (value == other) is (sign == "==")
    if isinstance(value, str | bool) or isinstance(other, str | bool):
        message = f"`{sign}` compares numbers, `{_shown(left)}` is {kind_of(value)}"
        raise ExpressionTypeError(message)
    return _ORDER[sign](value, other)


def _contains(value: Scalar, right: Part, values: Mapping[str, Scalar]) -> bool:
    if isinstance(right, Choices):
        _same_kind(value, right.values[0], "the value and the list")
        return value in right.values
    text = _scalar(right, values)
    if not isinstance(value, str) or not isinstance(text, str):
        message = f"`in` looks for text in text, `{_shown(right)}` is {kind_of(text)}"
        raise ExpressionTypeError(message)
    return value in text


def _scalar(part: Part, values: Mapping[str, Scalar]) -> Scalar:
    if isinstance(part, Literal):
        return part.value
    if isinstance(part, Name):
        return values[part.key]
    return _truth(part, values)


def _same_kind(left: Scalar, right: Scalar, what: str) -> None:
    if kind_of(left) is not kind_of(right):
        message = f"{what} are {kind_of(left)} and {kind_of(right)}"
        raise ExpressionTypeError(message)


def _shown(part: Part) -> str:
    if isinstance(part, Name):
        return part.text
    return repr(part.value) if isinstance(part, Literal) else "(...)"
