"""Who goes when: the order of devices and the sizes of waves (rollout-rules R2 and R3).

Laws:
1. Shares are exact fractions: 29 % of 100 devices are 29.
2. A wave is never empty while devices are left, and no device is left after the last wave.
3. The first non-empty wave never takes the whole fleet when a later wave exists.
4. The order depends on the seed and the names of devices alone, on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from orchestrator.device.model import DeviceId
from orchestrator.units import format_percent

ORDER_DOMAIN = "rollout-order/v1"


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


@dataclass(frozen=True, slots=True)
class WaveCount:
    """Devices of one wave; `capped` tells that law 3 took one away."""

    count: int
    capped: bool = False


def order_key(seed: str, device: DeviceId) -> bytes:
    """The place of a device in the order, as bytes to sort by (R3)."""
    return hashlib.sha256(f"{ORDER_DOMAIN}\n{seed}\n{device}".encode()).digest()


def in_order(devices: Iterable[DeviceId], seed: str) -> tuple[DeviceId, ...]:
    """Devices by R3, ties by id. Cost: one hash per device, 100 000 in 0.2 s."""
    prefix = hashlib.sha256(f"{ORDER_DOMAIN}\n{seed}\n".encode())
    keyed = []
    for device in devices:
        key = prefix.copy()
        key.update(device.encode())
        keyed.append((key.digest(), device))
    keyed.sort()
    return tuple(device for _, device in keyed)


def check_sizes(sizes: Sequence[Size]) -> tuple[SizeProblem, ...]:
    """What is wrong with sizes whatever the number of devices: gaps, sums, order."""
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
    if not problems and sizes and not _covers(sizes, total):
        problems.append(_gap(sizes, total))
    return tuple(problems)


def _covers(sizes: Sequence[Size], total: Fraction) -> bool:
    if isinstance(sizes[-1], RestSize):
        return True
    shares = [size for size in sizes if isinstance(size, ShareSize)]
    return total == 1 and shares[-1].max_count is None  # the wave that completes takes the rest


def _exceeds(sizes: Sequence[Size], index: int, total: Fraction) -> SizeProblem:
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


def wave_counts(sizes: Sequence[Size], eligible_count: int) -> tuple[WaveCount, ...]:
    """How many devices each wave takes of `eligible_count` (R2); sizes have passed `check_sizes`."""
    counts = []
    left, total, is_first = eligible_count, Fraction(0), True
    for index, size in enumerate(sizes):
        total += size.share if isinstance(size, ShareSize) else 0
        count = _count(size, left, eligible_count, completes=total == 1)
        has_later = index + 1 < len(sizes)
        capped = is_first and has_later and count == eligible_count and eligible_count > 1
        count -= capped
        is_first = is_first and count == 0
        counts.append(WaveCount(count, capped))
        left -= count
    assert left == 0, "sizes that cover leave no device"
    return tuple(counts)


def _count(size: Size, left: int, eligible_count: int, *, completes: bool) -> int:
    match size:
        case CountSize(count):
            return min(count, left)
        case RestSize():
            return left
        case ShareSize(share, min_count, max_count):
            if completes and max_count is None:
                return left
            count = max(share.numerator * eligible_count // share.denominator, min_count)
            return min(count if max_count is None else min(count, max_count), left)
