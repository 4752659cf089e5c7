"""Sizes of waves: what they say, whether they cover, how many devices they are (R2).

Laws:
1. Shares are exact fractions: 29 % of 100 devices are 29.
2. A wave is never empty while devices are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from orchestrator.units import format_percent


@dataclass(frozen=True, slots=True)
class CountSize:
    """So many devices."""

    count: int

    def __str__(self) -> str:
        return str(self.count)


@dataclass(frozen=True, slots=True)
class ShareSize:
    """A share of all eligible devices, rounded down, then kept between two counts."""

    share: Fraction
    min_count: int = 1
    max_count: int | None = None

    def __str__(self) -> str:
        low = f", at least {self.min_count}" if self.min_count > 1 else ""
        high = f", at most {self.max_count}" if self.max_count is not None else ""
        return format_percent(self.share) + low + high


@dataclass(frozen=True, slots=True)
class RestSize:
    """What is left."""

    def __str__(self) -> str:
        return "rest"


Size = CountSize | ShareSize | RestSize


@dataclass(frozen=True, slots=True)
class SizeProblem:
    """Why sizes cannot be used; `index` is the wave to look at."""

    code: str
    index: int
    message: str
    hint: str


def check_sizes(sizes: Sequence[Size | None]) -> tuple[SizeProblem, ...]:
    """What is wrong with sizes whatever the number of devices: gaps, sums, order.

    Of a size that could not be read (None) nothing is known: it may fill a gap.
    """
    problems = []
    total = Fraction(0)
    for index, size in enumerate(sizes):
        if isinstance(size, ShareSize):
            total += size.share
            if total > 1:
                problems.append(_exceeds(sizes, index, total))
                break
        if isinstance(size, RestSize) and index + 1 < len(sizes):
            message = "no device is left for the waves after `rest`"
            hint = "`rest` is the size of the last wave"
            problems.append(SizeProblem("P212", index, message, hint))
    known = [size for size in sizes if size is not None]
    if not problems and known and len(known) == len(sizes) and not _covers(known, total):
        problems.append(_gap(known, total))
    return tuple(problems)


def _covers(sizes: Sequence[Size], total: Fraction) -> bool:
    if isinstance(sizes[-1], RestSize):
        return True
    shares = [size for size in sizes if isinstance(size, ShareSize)]
    return total == 1 and shares[-1].max_count is None  # the wave that completes takes the rest


def _exceeds(sizes: Sequence[Size | None], index: int, total: Fraction) -> SizeProblem:
    shares = [size.share for size in sizes[: index + 1] if isinstance(size, ShareSize)]
    added = " + ".join(format_percent(share) for share in shares)
    left = 1 - (total - shares[-1])
    message = f"wave sizes add up to {format_percent(total)}, more than the whole fleet ({added})"
    hint = "sizes are shares of all devices and add up; "
    if left > 0:
        hint += f"write `rest` for what is left ({format_percent(left)})"
    else:
        hint += "the waves before take everything, remove this one"
    return SizeProblem("P203", index, message, hint)


def _gap(sizes: Sequence[Size], total: Fraction) -> SizeProblem:
    index = len(sizes) - 1
    if total == 1:
        message = "the wave that completes 100% has a `max`, so some devices may be in no wave"
        return SizeProblem("P201", index, message, "remove its `max` or add a last wave `rest`")
    message = "the waves do not cover all devices"
    if total:
        message += f": their shares add up to {format_percent(total)}"
    return SizeProblem("P201", index, message, "make `rest` the size of the last wave")


def size_count(size: Size, left_count: int, base_count: int, *, completes: bool) -> int:
    """Devices that a size takes of those left; shares are of the base (R2).

    Args:
        size: one of sizes that have passed `check_sizes`.
        left_count: devices that no wave has taken yet.
        base_count: devices that shares are of.
        completes: whether the shares up to this one add up to the whole.
    """
    match size:
        case CountSize(count):
            return min(count, left_count)
        case RestSize():
            return left_count
        case ShareSize(share, min_count, max_count):
            if completes and max_count is None:
                return left_count
            count = max(share.numerator * base_count // share.denominator, min_count)
            return min(count if max_count is None else min(count, max_count), left_count)
