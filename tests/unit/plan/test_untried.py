from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.plan.model import Plan
from orchestrator.plan.preview import Preview, preview
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.survey import Surveyed

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
WAVES = (
    "waves: [1, {name: early, size: 2}, rest]\norder: inventory\n"
    "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
)


def told(shown: Preview) -> list[str]:
    return [risk.message for risk in shown.risks]


def runs(manifest: str) -> Surveyed:
    return Surveyed(reachable=True, device_type="pi4", artifact="any", manifest=manifest)


def pausing(plan: Parse, resolve: Resolve, updated: set[int], asked: bool = True) -> list[str]:
    """Waves of six devices that preview says will pause."""
    survey = {
        DeviceId(f"gw-{index}"): runs(("1" if index in updated else "2") * 64) for index in range(6)
    }
    shown = preview(resolve(plan(WAVES), 6, survey=survey if asked else None))
    return [text.split("`")[1] for text in told(shown) if "insufficient_evidence" in text]


@pytest.mark.parametrize(
    ("updated", "expected"),
    [
        ({0}, ["wave-1"]),
        ({0, 1, 2}, ["wave-1", "early"]),
        ({0, 1}, ["wave-1"]),
        ({1, 2}, []),  # the first wave has proven it by then
        ({3, 4, 5}, []),
        (set(), []),
        (set(range(6)), []),  # there is nothing to prove
    ],
)
def test_waves_that_will_pause_for_want_of_evidence_are_told_before(
    plan: Parse, resolve: Resolve, updated: set[int], expected: list[str]
) -> None:
    assert pausing(plan, resolve, updated) == expected


def test_devices_that_were_not_asked_are_no_reason_to_warn(plan: Parse, resolve: Resolve) -> None:
    assert pausing(plan, resolve, {0}, asked=False) == []


def test_warning_says_what_the_devices_run_and_what_to_do(plan: Parse, resolve: Resolve) -> None:
    survey = {DeviceId("gw-0"): runs("1" * 64)}

    warnings = told(preview(resolve(plan(WAVES), 6, survey=survey)))

    (warning,) = [text for text in warnings if "insufficient_evidence" in text]
    assert "its one device runs `gw-1.4.2` already" in warning
    assert "rollout promote --reason TEXT" in warning
