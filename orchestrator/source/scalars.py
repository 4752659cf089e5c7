"""What unquoted values mean: YAML 1.2's core schema in plans, Ansible's YAML 1.1 in inventories.

Laws:
1. In plans a value that YAML 1.1 and 1.2 read differently is an error with the fix, except
   `yes`, `no`, `on`, `off`, which are text (`ScalarNode.meant_bool` helps boolean fields).
2. In inventories a value is what PyYAML's safe loader, and so Ansible, makes of it; dates and
   times become ISO text.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from orchestrator.errors import Severity
from orchestrator.source.node import ScalarValue
from orchestrator.source.policy import Policy


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an unquoted value is refused or doubtful."""

    code: str
    message: str
    hint: str
    severity: Severity = Severity.ERROR


Resolved = tuple[ScalarValue, Problem | None]
Resolver = Callable[[str], Resolved]

_WORDS: dict[str, ScalarValue] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMERIC = re.compile(r"[-+]?\.?[0-9]|[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)$")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(?:\.[0-9]*)?")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]+(?::[0-9]+)+(?:\.[0-9]*)?")
_EXPONENT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+")
_OTHER_1_1 = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)")
_EXPONENT_MAX = 30


def resolver(policy: Policy) -> Resolver:
    """The function that gives value and problem of an unquoted text under a policy."""
    resolve = _resolve_compat if policy.compat else _resolve_core

    def resolve_text(text: str) -> Resolved:
        if len(text) > policy.digits_max and sum(map(str.isdigit, text)) > policy.digits_max:
            long = _long_number(text, policy)
            if long:
                return text, long
        return resolve(text)

    return resolve_text


def _long_number(text: str, policy: Policy) -> Problem | None:
    if not (_OTHER_1_1.fullmatch(text) or _SEXAGESIMAL.fullmatch(text)):
        return None
    message = f"a number of {len(text)} digits; at most {policy.digits_max} are exact everywhere"
    return Problem("Y120", message, "quote it if it is text, such as a serial number")


def _resolve_core(text: str) -> Resolved:
    if text in _WORDS:
        return _WORDS[text], None
    if not _NUMERIC.match(text):
        return text, None
    if _INTEGER.fullmatch(text):
        return int(text), None
    if _FLOAT.fullmatch(text):
        return float(text), None
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, 0), None
    return text, _core_problem(text)


def _core_problem(text: str) -> Problem | None:
    if _LEADING_ZERO.fullmatch(text):
        octal = text.lstrip("+-").lstrip("0")
        fix = f" or 0o{octal}" if re.fullmatch("[0-7]+", octal) and text[0] == "0" else ""
        message = f"`{text}` begins with 0: octal for some readers, decimal for others"
        return Problem("Y118", message, f'write "{text}" in quotes{fix}')
    if _SEXAGESIMAL.fullmatch(text):
        message = f"`{text}` without quotes is a base-60 number for many readers of YAML"
        return Problem("Y119", message, f'write "{text}" in quotes')
    if _EXPONENT.fullmatch(text):
        message = f"`{text}` is a number for some readers of YAML and text for others"
        return Problem("Y127", message, _exponent_hint(text))
    if _NOT_FINITE.fullmatch(text):
        return Problem("Y126", f"`{text}` is not a finite number", "quote it if it is text")
    if "_" in text and _OTHER_1_1.fullmatch(text):
        message = f"`{text}` is a number for some readers of YAML and text for others"
        return Problem("Y127", message, f'write {text.replace("_", "")}, or "{text}" in quotes')
    return None


def _exponent_hint(text: str) -> str:
    exponent = int(re.split("[eE]", text)[1][:4])
    if 0 <= exponent <= _EXPONENT_MAX:
        number = float(text)
        written = str(int(number)) if number.is_integer() else str(number)
        return f'write {written}, or "{text}" in quotes if it is text'
    return f'write it without `e`, or "{text}" in quotes if it is text'


_YAML_1_1 = yaml.SafeLoader("")  # only its tables and pure conversions are used
_TABLE_1_1: dict[str, list[tuple[str, re.Pattern[str]]]] = yaml.SafeLoader.yaml_implicit_resolvers
_PREFIX = "tag:yaml.org,2002:"


def _resolve_compat(text: str) -> Resolved:
    if not text:
        return None, None
    tag = _tag_1_1(text)
    if tag == "str":
        return text, None
    convert = _CONVERSIONS_1_1.get(tag)
    if convert is None:
        message = f"`{text}` without quotes has a meaning of its own in YAML 1.1"
        return text, Problem("Y128", message, f'write "{text}" in quotes')
    return convert(text)


def _tag_1_1(text: str) -> str:
    for tag, expression in _TABLE_1_1.get(text[0], ()):
        if expression.match(text):
            return tag.removeprefix(_PREFIX)
    return "str"


def _number_1_1(tag: str, text: str) -> Resolved:
    node = yaml.ScalarNode(_PREFIX + tag, text)
    try:
        if tag == "int":
            value: int | float = _YAML_1_1.construct_yaml_int(node)
        else:
            value = _YAML_1_1.construct_yaml_float(node)
    except (ValueError, OverflowError):
        message = f"`{text}` looks like a number but has no value"
        return text, Problem("Y120", message, f'write "{text}" in quotes')
    if isinstance(value, float) and not math.isfinite(value):
        return text, Problem("Y126", f"`{text}` is not a finite number", "quote it if it is text")
    if ":" in text:
        message = f"`{text}` without quotes is the base-60 number {value}, as Ansible reads it"
        return value, Problem(
            "Y119", message, f'write "{text}" in quotes if it is text', Severity.WARNING
        )
    return value, None


def _timestamp_1_1(text: str) -> Resolved:
    node = yaml.ScalarNode(_PREFIX + "timestamp", text)
    try:
        value: dt.date = _YAML_1_1.construct_yaml_timestamp(node)
    except (ValueError, OverflowError):
        message = f"`{text}` looks like a date but there is no such day or time"
        return text, Problem("Y129", message, f'write "{text}" in quotes if it is text')
    return value.isoformat(), None


_CONVERSIONS_1_1: dict[str, Resolver] = {
    "null": lambda _: (None, None),
    "bool": lambda text: (_YAML_1_1.bool_values[text.lower()], None),
    "int": lambda text: _number_1_1("int", text),
    "float": lambda text: _number_1_1("float", text),
    "timestamp": _timestamp_1_1,
}
