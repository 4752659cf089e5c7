"""How many devices of a wave may fail or stay unreachable: the same for preview and rollout.

Law: allowances are exact, floors of fractions and never floats (R6).

Source: design "rollout-rules" R6, R7.
"""

from __future__ import annotations

from fractions import Fraction

from orchestrator.plan.resolved import Budget, ResolvedWave


def allowed_failures(wave: ResolvedWave, base_count: int) -> int:
    """Failures that do not trip the wave (R6): the smaller of number and share of the base.

    A share of 0 beside a number is the default of a wave, not a limit of its own.
    """
    by_share_count = floor_share(wave.max_fail_share, base_count)
    if wave.max_failures is None:
        return by_share_count
    return min(wave.max_failures, by_share_count) if wave.max_fail_share else wave.max_failures


def allowed_unreachable(wave: ResolvedWave, base_count: int) -> int:
    """Devices that may stay unreachable before the wave pauses (R7)."""
    return floor_share(wave.max_unreachable_share, base_count)


def allowed_in_all(budget: Budget, device_count: int) -> int | None:
    """Failures of all waves together that do not halt the rollout; None: no such limit (R6)."""
    limits = []
    if budget.max_failures is not None:
        limits.append(budget.max_failures)
    if budget.max_fail_share is not None:
        limits.append(floor_share(budget.max_fail_share, device_count))
    return min(limits, default=None)


def floor_share(share: Fraction, count: int) -> int:
    """A share of a count, rounded down, exactly."""
    return share.numerator * count // share.denominator
