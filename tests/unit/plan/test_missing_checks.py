from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.model import Plan
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.survey import Surveyed

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
GATE = "waves: [rest]\ngates: [{name: ok, check: %s, success_when: result.exit == 0}]\n"


def answers(*checks: set[str]) -> dict[DeviceId, Surveyed]:
    return {
        DeviceId(f"gw-{rank}"): Surveyed(True, device_type="pi4", checks=frozenset(each))
        for rank, each in enumerate(checks)
    }


def warnings(resolved: ResolvedPlan) -> list[str]:
    return [risk.message for risk in resolved.risks if risk.code == "P925"]


def test_check_that_a_device_lacks_is_warned_about(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan(GATE % "service"), 2, survey=answers({"service"}, {"servcie"}))

    (warning,) = warnings(resolved)
    assert warning == (
        "`gw-1` has no health check `service`: the release has to bring it, or gate `ok` has no "
        "data there; did you mean `servcie`?"
    )


def test_devices_that_lack_the_same_check_are_counted(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan(GATE % "svc"), 3, survey=answers(set(), set(), {"svc"}))

    (warning,) = warnings(resolved)
    assert warning.startswith("2 devices, as `gw-0`, have no health check `svc`:")


def test_check_of_each_device_is_looked_for_there(plan: Parse, resolve: Resolve) -> None:
    # the variable `site` of the fleet is s0, s1
    resolved = resolve(plan(GATE % '"{{ site }}"'), 2, survey=answers({"s0"}, {"s0"}))

    (warning,) = warnings(resolved)
    assert warning.startswith("`gw-1` has no health check `s1`")


@pytest.mark.parametrize(
    "survey",
    [
        None,
        {DeviceId("gw-0"): Surveyed(False, reason=Reason.UNREACHABLE)},
        {DeviceId("gw-0"): Surveyed(True, reason=Reason.PROTOCOL)},
    ],
)
def test_nothing_is_said_of_devices_that_did_not_answer(
    plan: Parse, resolve: Resolve, survey: dict[DeviceId, Surveyed] | None
) -> None:
    assert warnings(resolve(plan(GATE % "svc"), 1, survey=survey)) == []


def test_checks_that_the_helper_brings_are_everywhere(plan: Parse, resolve: Resolve) -> None:
    assert warnings(resolve(plan(GATE % "{load: 4}"), 1, survey=answers(set()))) == []
