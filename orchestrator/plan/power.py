"""What a comparison of planned sizes can find, so that a plan never rests on one that finds nothing.

Laws:
1. Power is the chance that a harmful change of a given size gives p below alpha. It depends on how
   healthy devices differ, which no plan knows; both assumptions are named constants and are shown
   to people with every number made from them.
2. Chances come from the very tests of `plan.comparison`: for Fisher's by adding up the tables that
   would trip (groups of at most `EXACT_COUNT_MAX` on the smaller side), for Mann-Whitney from mean
   and variance of its statistic under a shift of normal values.
3. `ratio` makes no claim about chance: only `min_samples` speaks of its sizes.

Source: rollout-rules R11. Checked against simulated experiments in tests/unit/plan/test_power.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from orchestrator.plan.comparison import critical_wins, fisher_p, smallest_p
from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Direction

POWER = 0.8
SPREAD_SHARE = (
    0.1  # assumed: standard deviation of healthy devices' values, as a share of their mean
)
BASE_SHARE = 0.1  # assumed for Fisher's test: one control in ten has what harms
EXACT_COUNT_MAX = 200
EXACT_PAIRS_MAX = 100  # of power; beyond it the approximation of the critical value is near enough
_CAPPED_COUNT = 2_000  # a larger second group adds nothing to a first one of 200
_DEVICES_MAX = 2**22
_STEPS = 400  # of an integral over sixteen standard deviations
_NO_VARIANCE = 1e-9
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Sizes:
    """Devices of both groups."""

    treated: int
    control: int


@dataclass(frozen=True, slots=True)
class Underpowered:
    """Why sizes do not suffice; `would_do` are sizes that would, None where none could.

    `effect` is the smallest that the sizes find with 80 % power, None where they find none.
    """

    sizes: Sizes
    smallest_p: float
    effect: float | None
    would_do: Sizes | None


def underpowered(compare: Compare, sizes: Sizes) -> Underpowered | None:
    """What is wrong with comparing groups of these sizes; None when nothing is.

    Cost: up to a tenth of a second; the search for sizes that would do up to a second.
    """
    if _does(compare, sizes):
        return None
    return Underpowered(
        sizes,
        smallest_p(sizes.treated, sizes.control),
        smallest_effect(compare, sizes),
        _would_do(compare, sizes),
    )


def smallest_effect(compare: Compare, sizes: Sizes) -> float | None:
    """The factor nearest to 1 that groups of these sizes find with 80 % power.

    None where they find none, and for `ratio`, which every factor beyond `min_effect` trips.
    """
    if compare.test is CompareTest.RATIO or not _reaches_alpha(compare, sizes):
        return None
    far = _farthest(compare)
    if power(compare, sizes, far) < POWER:
        return None
    near = 1.0
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (near, middle) if power(compare, sizes, middle) >= POWER else (middle, far)
    return far


def power(compare: Compare, sizes: Sizes, effect: float) -> float:
    """The chance that a change by this factor gives p below alpha."""
    if compare.test is CompareTest.FISHER:
        return _fisher_power(compare, sizes, effect)
    return _rank_power(compare, sizes, effect)


def _does(compare: Compare, sizes: Sizes) -> bool:
    if min(sizes.treated, sizes.control) < max(1, compare.min_samples):
        return False
    if compare.test is CompareTest.RATIO:
        return True
    enough = _reaches_alpha(compare, sizes)
    return enough and power(compare, sizes, compare.min_effect) >= POWER


def _reaches_alpha(compare: Compare, sizes: Sizes) -> bool:
    return smallest_p(sizes.treated, sizes.control) < compare.alpha


def _farthest(compare: Compare) -> float:
    if compare.direction is Direction.DECREASE:
        return 0.0
    return 1 / BASE_SHARE if compare.test is CompareTest.FISHER else 1e6


def _would_do(compare: Compare, sizes: Sizes) -> Sizes | None:
    """A larger first group of the same fleet, or else the smallest fleet halved."""
    total = sizes.treated + sizes.control
    if compare.to is CompareTo.CONTROL and _does(compare, Sizes(total // 2, total - total // 2)):
        count = _first(lambda n: _does(compare, Sizes(n, total - n)), sizes.treated, total // 2)
        return Sizes(count, total - count)
    top = max(2, sizes.treated)
    while not _does(compare, Sizes(top, top)):
        top *= 2
        if top > _DEVICES_MAX:
            return None
    count = _first(lambda n: _does(compare, Sizes(n, n)), 0, top)
    return Sizes(count, count)


def _first(does: Callable[[int], bool], low: int, high: int) -> int:
    """The first number above `low` that does; `high` is known to."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if does(middle) else (middle, high)
    return high


# -- Mann-Whitney ---------------------------------------------------------------------------------


def _rank_power(compare: Compare, sizes: Sizes, effect: float) -> float:
    ours, theirs = sizes.treated, sizes.control
    shift = abs(effect - 1) / SPREAD_SHARE
    if effect != 1 and (effect > 1) is not (compare.direction is Direction.INCREASE):
        shift = -shift
    wins, both = _winning(shift)
    mean = ours * theirs * (wins - 0.5)
    others = ours + theirs - 2
    variance = ours * theirs * (wins * (1 - wins) + others * (both - wins * wins))
    unchanged = math.sqrt(ours * theirs * (ours + theirs + 1) / 12)
    critical = 0.5 + _NORMAL.inv_cdf(1 - compare.alpha) * unchanged
    if ours * theirs <= EXACT_PAIRS_MAX:  # where the approximation would ask for the impossible
        critical = _critical(ours, theirs, compare.alpha) - ours * theirs / 2 - 0.5
    if variance <= _NO_VARIANCE:  # every pair is won, or every pair lost
        return float(mean > critical)
    return _NORMAL.cdf((mean - critical) / math.sqrt(variance))


_critical = lru_cache(maxsize=4096)(critical_wins)


@lru_cache(maxsize=4096)
def _winning(shift: float) -> tuple[float, float]:
    """Chance that one treated is above one control, and above both of two (Simpson's rule)."""
    width = 16 / _STEPS
    both = 0.0
    for step in range(_STEPS + 1):
        z = -8 + step * width
        weight = 1 if step in (0, _STEPS) else 4 if step % 2 else 2
        both += weight * _NORMAL.cdf(z + shift) ** 2 * _NORMAL.pdf(z)
    return _NORMAL.cdf(shift / math.sqrt(2)), both * width / 3


# -- Fisher ---------------------------------------------------------------------------------------


def _fisher_power(compare: Compare, sizes: Sizes, effect: float) -> float:
    base = BASE_SHARE
    changed = min(1.0, base * effect)
    if compare.direction is Direction.DECREASE:  # what is lost is what harms
        changed = 1 - min(1.0, (1 - base) * effect)
    if min(sizes.treated, sizes.control) > EXACT_COUNT_MAX:
        return _arcsine_power(sizes, base, changed, compare.alpha)
    ours, theirs = min(sizes.treated, _CAPPED_COUNT), min(sizes.control, _CAPPED_COUNT)
    reached = _tails(ours, changed)
    return math.fsum(
        _chance(theirs, hits, base) * reached[least]
        for hits, least in enumerate(_tripping_hits(ours, theirs, compare.alpha))
    )


@lru_cache(maxsize=64)
def _tripping_hits(ours: int, theirs: int, alpha: float) -> tuple[int, ...]:
    """For each number of hits among the controls, the fewest among the treated with p < alpha."""
    found = []
    least = 0
    for hits in range(theirs + 1):
        while least <= ours and fisher_p(least, ours, hits, theirs) >= alpha:
            least += 1
        found.append(least)
    return tuple(found)


def _tails(count: int, share: float) -> list[float]:
    """Chance of at least so many hits among `count`, for 0 to `count + 1`."""
    tails = [0.0]
    for hits in range(count, -1, -1):
        tails.append(tails[-1] + _chance(count, hits, share))
    return tails[::-1]


def _chance(count: int, hits: int, share: float) -> float:
    if share <= 0 or share >= 1:
        return float(hits == (count if share >= 1 else 0))
    logs = math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
    return math.exp(logs + hits * math.log(share) + (count - hits) * math.log1p(-share))


def _arcsine_power(sizes: Sizes, base: float, changed: float, alpha: float) -> float:
    apart = 2 * (math.asin(math.sqrt(changed)) - math.asin(math.sqrt(base)))
    noise = math.sqrt(1 / sizes.treated + 1 / sizes.control)
    return _NORMAL.cdf(apart / noise - _NORMAL.inv_cdf(1 - alpha))
