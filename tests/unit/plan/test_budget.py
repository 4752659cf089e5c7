from fractions import Fraction

import pytest

from orchestrator.plan.budget import allowed_failures, allowed_unreachable
from orchestrator.plan.resolved import ResolvedWave


@pytest.mark.parametrize(
    ("base_count", "max_failures", "share", "allowed"),
    [
        (100, None, Fraction(29, 100), 29),  # not 28, as floats would have it
        (49, None, Fraction(2, 100), 0),
        (10, None, Fraction(0), 0),
        (10, 2, Fraction(0), 2),
        (10, 2, Fraction(1, 10), 1),
        (100, 2, Fraction(1, 10), 2),
        (100, 3, Fraction(1), 3),
        (2, 3, Fraction(1), 2),
        (3, None, Fraction(1, 3), 1),
        (2, None, Fraction(1, 3), 0),
        (0, None, Fraction(1, 2), 0),
        (10, 0, Fraction(1, 2), 0),
    ],
)
def test_r6_allowed_failures_are_the_smaller_limit_exactly(
    base_count: int, max_failures: int | None, share: Fraction, allowed: int
) -> None:
    wave = ResolvedWave("w", "rest", (), max_failures=max_failures, max_fail_share=share)

    assert allowed_failures(wave, base_count) == allowed


@pytest.mark.parametrize(
    ("base_count", "share", "allowed"),
    [(10, Fraction(0), 0), (10, Fraction(1, 5), 2), (9, Fraction(1, 5), 1)],
)
def test_allowed_unreachable_are_the_exact_floor(
    base_count: int, share: Fraction, allowed: int
) -> None:
    wave = ResolvedWave("w", "rest", (), max_unreachable_share=share)

    assert allowed_unreachable(wave, base_count) == allowed
