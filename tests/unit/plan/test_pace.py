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
        (Rate(20), 20, 0),
        (Rate(20), 21, 3),
        (Rate(20), 100, 240),
        (Rate(1), 61, 3600),
        # 100 at 20 a minute are 5 minutes, 100 at 40 are 2.5, one minute's worth goes at once
        (Rate(20, TWOFOLD), 100, 240),
        (Rate(20, TWOFOLD), 200, 390),
        # 5 + 2.5 + 1.25 + 0.625 minutes, then 200 a minute
        (Rate(20, TWOFOLD), 400, 502),
        (Rate(20, TWOFOLD), 2400, 1102),
        (Rate(20, RateIncrease(1.0, 100, 200)), 200, 540),
        (Rate(20, RateIncrease(100.0, 10, 30)), 70, 90),
    ],
)
def test_pace_of_a_rate(rate: Rate | None, count: int, expected_s: float) -> None:
    assert pace_s(rate, count) == pytest.approx(expected_s)
