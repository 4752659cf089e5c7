"""What a comparison of updated devices with others says (R11): one reading, with its numbers.

Laws:
1. Too few values on a side, or so few that not even the worst could be told from chance, are no
   data, never success.
2. Failed only when both hold: the factor between the groups is at least `min_effect`, and chance
   gives such ranks less often than alpha. A factor that large which chance may explain is
   inconclusive. Less of a factor is success, however small its p: it does not matter.
3. A value that is not finite is no value. A negative one has no ratio, and one that is neither 0
   nor 1 is no hit: both are errors.
4. Controls are devices not started yet, of strata that the updated ones are of.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.plan.comparison import fisher_p, mann_whitney_p, ratio, smallest_p
from orchestrator.plan.gate import Compare, CompareTest, Direction
from orchestrator.rollout.verdict import Reading

LONG_COUNT = 80  # values of which an exact comparison may take longer than a loop should wait
_HIT_VALUES = frozenset({0.0, 1.0})


@dataclass(frozen=True, slots=True)
class Comparison:
    """A reading with what it rests on; `p` is None where the test has none or was not made.

    `effect` is the mean of the updated over the mean of the controls.
    """

    reading: Reading
    treated_count: int
    control_count: int
    p: float | None = None
    effect: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Groups:
    """Values of both sides of a comparison."""

    treated: tuple[float, ...]
    control: tuple[float, ...]


def control_groups(
    values: Mapping[DeviceId, float],
    *,
    updated: Collection[DeviceId],
    not_started: Collection[DeviceId],
    strata: Mapping[DeviceId, tuple[str, ...]],
) -> Groups:
    """Values of one time range as groups; `strata` are the values of the plan's `spread` labels.

    A device without a stratum stands in the empty one: without `spread` all are comparable.
    """
    kinds = {strata.get(device, ()) for device in updated}
    alike = (device for device in not_started if strata.get(device, ()) in kinds)
    return Groups(_present(values, updated), _present(values, alike))


def before_groups(
    values: Mapping[DeviceId, float],
    before: Mapping[DeviceId, float],
    *,
    updated: Collection[DeviceId],
) -> Groups:
    """Values of the updated devices now, and theirs from before their update."""
    both = [device for device in updated if device in before]
    return Groups(_present(values, both), _present(before, both))


def compared(compare: Compare, groups: Groups) -> Comparison:
    """What the groups say of the updated devices.

    Cost: up to a second at 100 against 100 with ties (`plan.comparison`), a hundredth at 40
    against 40; `takes_long` tells in advance.
    """
    treated = [value for value in groups.treated if math.isfinite(value)]
    control = [value for value in groups.control if math.isfinite(value)]
    sizes = len(treated), len(control)
    lacking = _lacking(compare, *sizes)
    if lacking:
        return Comparison(Reading.NO_DATA, *sizes, reason=lacking)
    unusable = _unusable(compare, [*treated, *control])
    if unusable:
        return Comparison(Reading.ERROR, *sizes, reason=unusable)
    effect = ratio(treated, control)
    p = _p(compare, treated, control)
    if not _is_harmful(compare, effect):
        return Comparison(Reading.SUCCESS, *sizes, p, effect)
    if p is None or p < compare.alpha:
        return Comparison(Reading.FAILED, *sizes, p, effect)
    reason = f"the change is as large as `min_effect`, but chance may explain it (p = {p:.3g})"
    return Comparison(Reading.INCONCLUSIVE, *sizes, p, effect, reason)


def takes_long(compare: Compare, values_count: int) -> bool:
    """Whether comparing so many values in all may take longer than 20 ms."""
    return compare.test is CompareTest.MANN_WHITNEY and values_count > LONG_COUNT


def _present(values: Mapping[DeviceId, float], devices: Iterable[DeviceId]) -> tuple[float, ...]:
    return tuple(values[device] for device in devices if device in values)


def _lacking(compare: Compare, treated: int, control: int) -> str:
    for count, side in ((treated, "updated devices"), (control, "controls")):
        if count < max(1, compare.min_samples):
            return f"{count} of {compare.min_samples} values of {side}"
    least = smallest_p(treated, control)
    if compare.test is not CompareTest.RATIO and least >= compare.alpha:
        return f"{treated} against {control} values cannot reach p below {compare.alpha:g}"
    return ""


def _unusable(compare: Compare, values: Sequence[float]) -> str:
    if compare.test is CompareTest.FISHER and not _HIT_VALUES.issuperset(values):
        return "`fisher` compares values that are 0 or 1"
    if any(value < 0 for value in values):
        return "a value below 0 has no ratio: let the query give values from 0 up"
    return ""


def _is_harmful(compare: Compare, effect: float) -> bool:
    if compare.direction is Direction.INCREASE:
        return effect >= compare.min_effect
    return effect <= compare.min_effect


def _p(compare: Compare, treated: Sequence[float], control: Sequence[float]) -> float | None:
    match compare.test:
        case CompareTest.RATIO:
            return None
        case CompareTest.MANN_WHITNEY:
            return mann_whitney_p(treated, control, compare.direction)
        case CompareTest.FISHER:
            return _hits_p(compare.direction, treated, control)


def _hits_p(direction: Direction, treated: Sequence[float], control: Sequence[float]) -> float:
    ours, theirs = treated, control
    if direction is Direction.DECREASE:
        ours, theirs = control, treated
    return fisher_p(int(sum(ours)), len(ours), int(sum(theirs)), len(theirs))
