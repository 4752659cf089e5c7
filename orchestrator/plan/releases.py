"""Constraints on releases, as `>=7.3`: how versions compare, exactly and without surprises.

A version is its numbers and words between dots, dashes and the like. Numbers compare as numbers, a
missing part is 0, a word comes before any number (`7.3-rc1` before `7.3`), words compare as text.
Several constraints are separated by commas, and all must hold.
"""

from __future__ import annotations

import re
from itertools import zip_longest

_CONSTRAINT = re.compile(r"(>=|<=|==|!=|>|<|)\s*([0-9A-Za-z][0-9A-Za-z._+~-]{0,99})")
_PART = re.compile(r"\d+|[A-Za-z]+")
_Part = tuple[int, int, str]  # a word sorts before the 0 that a missing part stands for
_MISSING: _Part = (1, 0, "")


def constraint_problem(text: str) -> str:
    """What is wrong with a constraint, or ""."""
    for each in text.split(","):
        if not _CONSTRAINT.fullmatch(each.strip()):
            return f"`{each.strip()}` is no constraint on a release"
    return ""


def meets(release: str, constraint: str) -> bool:
    """Whether a release fulfils a constraint that has no problem; "" is fulfilled by any."""
    if not constraint:
        return True
    return all(_meets(release, each.strip()) for each in constraint.split(","))


def _meets(release: str, constraint: str) -> bool:
    match = _CONSTRAINT.fullmatch(constraint)
    assert match, "constraints are checked when the plan is read"
    found = _compared(release, match[2])
    return {
        ">=": found >= 0,
        "<=": found <= 0,
        ">": found > 0,
        "<": found < 0,
        "!=": found != 0,
    }.get(match[1], found == 0)


def _compared(left: str, right: str) -> int:
    """-1, 0 or 1, as `left` is before, at or after `right`."""
    pairs = zip_longest(_parts(left), _parts(right), fillvalue=_MISSING)
    return next((1 if one > other else -1 for one, other in pairs if one != other), 0)


def _parts(version: str) -> list[_Part]:
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part) for part in _PART.findall(version)
    ]
