from __future__ import annotations

import pytest

from orchestrator.plan.statistics import upper_bound


@pytest.mark.parametrize(
    ("devices_count", "percent"), [(5, 45), (59, 5), (299, 1), (1, 95), (0, 100), (-1, 100)]
)
def test_upper_bound_of_the_failure_rate(devices_count: int, percent: int) -> None:
    assert round(upper_bound(devices_count) * 100) == percent


def test_more_devices_prove_more() -> None:
    bounds = [upper_bound(count) for count in range(200)]

    assert bounds == sorted(bounds, reverse=True)
