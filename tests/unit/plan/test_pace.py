from __future__ import annotations

import pytest

from orchestrator.plan.controls import Rate, RateIncrease
from orchestrator.plan.pace import pace_s

TWOFOLD = RateIncrease(2.0, 100, 200)


@pytest.mark.parametrize(
    ("rate", "count", "expected_s"),
    [
        (None, 100_000, 0),
        (Rate(20), 0, 0),
        (Rate(20), 1, 0),
        (Rate(20), 2, 3),
        (Rate(20), 21, 60),
        (Rate(20), 100, 297),
        (Rate(1), 61, 3600),
        # 99 distances of 3 s, then 100 each of 1.5 s, 0.75 s, 0.375 s, then 0.3 s
        (Rate(20, TWOFOLD), 100, 297),
        (Rate(20, TWOFOLD), 200, 447),
        (Rate(20, TWOFOLD), 400, 559),
        (Rate(20, TWOFOLD), 2400, 1159),
        (Rate(20, RateIncrease(1.0, 100, 200)), 200, 597),
        (Rate(20, RateIncrease(100.0, 10, 30)), 70, 147),
    ],
)
def test_pace_of_a_rate(rate: Rate | None, count: int, expected_s: float) -> None:
    assert pace_s(rate, count) == pytest.approx(expected_s)
