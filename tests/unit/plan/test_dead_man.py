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
WAVES = "waves: [rest]\n"


def answers(*kinds: str) -> dict[DeviceId, Surveyed]:
    return {
        DeviceId(f"gw-{rank}"): Surveyed(True, device_type="pi4", deadman=kind)
        for rank, kind in enumerate(kinds)
    }


def warnings(resolved: ResolvedPlan) -> list[str]:
    return [risk.message for risk in resolved.risks if risk.code == "P939"]


def test_a_dead_man_that_no_boot_hook_follows_is_warned_about(
    plan: Parse, resolve: Resolve
) -> None:
    resolved = resolve(plan(WAVES), 2, survey=answers("systemd", "process"))

    (warning,) = warnings(resolved)
    assert warning.startswith("`gw-1` has no boot hook: the dead-man is a process")


def test_devices_without_a_boot_hook_are_counted(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan(WAVES), 3, survey=answers("process", "cron", "process"))

    (warning,) = warnings(resolved)
    assert warning.startswith("2 devices, as `gw-0`, have no boot hook:")


@pytest.mark.parametrize(
    "survey",
    [
        None,
        answers("systemd", "init", "cron", ""),
        {DeviceId("gw-0"): Surveyed(True, deadman="process", reason=Reason.PROTOCOL)},
    ],
    ids=["offline", "kept", "no answer"],
)
def test_who_keeps_it_or_said_nothing_is_no_risk(
    plan: Parse, resolve: Resolve, survey: dict[DeviceId, Surveyed] | None
) -> None:
    assert warnings(resolve(plan(WAVES), 4, survey=survey)) == []
