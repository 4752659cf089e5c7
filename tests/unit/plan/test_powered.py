"""Comparisons of a plan against the waves that it gets: R11's `underpowered`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pytest

from orchestrator.device.model import Device, DeviceId
from orchestrator.errors import Diagnostic, PlanError
from orchestrator.plan.model import Plan
from orchestrator.plan.powered import what_it_finds
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.survey import Surveyed

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
PROM = "prometheus: {url: 'http://h/', query: up, label: device}"


def text(compare: str, *, waves: str = "[10, rest]", more: str = "", head: str = "") -> str:
    gate = f"{{name: g, {PROM}, compare: {{to: control, {compare}}}, waves: [wave-1]{more}}}"
    return f"{head}waves: {waves}\ngates: [{gate}]\n"


def refusal(resolve: Resolve, plan: Plan, count: int) -> Sequence[Diagnostic]:
    with pytest.raises(PlanError) as caught:
        resolve(plan, count)
    return [found for found in caught.value.diagnostics if found.code == "P220"]


@pytest.mark.parametrize(
    ("compare", "waves", "count"),
    [
        ("alpha: 0.02, min_effect: 1.1", "[10, rest]", 400),  # the example of the plan language
        ("min_effect: 1.1", "[20, rest]", 100),
        ("min_effect: 1.5, min_samples: 4", "[4, rest]", 40),
        ("test: fisher, min_effect: 5", "[20, rest]", 200),
        ("test: ratio, min_effect: 1.01, min_samples: 1", "[1, rest]", 2),
        ("direction: decrease, min_effect: 0.8", "[10, rest]", 100),
    ],
)
def test_waves_that_are_large_enough_are_fine(
    plan: Parse, resolve: Resolve, compare: str, waves: str, count: int
) -> None:
    assert resolve(plan(text(compare, waves=waves)), count).gates[0].compare is not None


@pytest.mark.parametrize(
    ("compare", "waves", "count", "message", "hint"),
    [
        (
            "min_effect: 2, min_samples: 1", "[1, rest]", 11,
            "1 updated device against 10 controls cannot reach p below 0.05 (0.0909 at best)",
            "2 against 9 would do",
        ),
        (
            "alpha: 0.02, min_effect: 1.05", "[10, rest]", 400,
            "10 updated devices against 390 controls find a factor of 1.1 with 80% power, not 1.05",
            "against",
        ),
        (
            "min_effect: 2", "[5, rest]", 100,
            "5 updated devices against 95 controls are fewer than `min_samples` 8",
            "8 against 92 would do",
        ),
        (
            "test: fisher, min_effect: 2", "[20, rest]", 200,
            "not 2", "10% of the controls are hit",
        ),
        (
            "test: ratio, min_effect: 2", "[5, rest]", 100,
            "fewer than `min_samples` 8", "8 against 92 would do; or name other `waves`",
        ),
    ],
)  # fmt: skip
def test_waves_that_are_too_small_are_refused_with_the_sizes_that_would_do(
    plan: Parse, resolve: Resolve, compare: str, waves: str, count: int, message: str, hint: str
) -> None:
    [found] = refusal(resolve, plan(text(compare, waves=waves)), count)

    assert "gate `g` is underpowered in wave `wave-1`: " in found.message
    assert message in found.message
    assert hint in found.hint


def test_last_wave_has_no_controls(plan: Parse, resolve: Resolve) -> None:
    every_wave = text("min_effect: 2").replace(", waves: [wave-1]", "")

    [found] = refusal(resolve, plan(every_wave), 100)

    assert "wave `wave-2`: 90 updated devices against 0 controls" in found.message


def test_devices_are_compared_with_themselves_in_any_wave(plan: Parse, resolve: Resolve) -> None:
    every_wave = text("min_effect: 1.5").replace(", waves: [wave-1]", "")

    assert resolve(plan(every_wave.replace("to: control", "to: before")), 100).gates


def test_gate_on_a_dry_run_may_be_as_weak_as_it_likes(plan: Parse, resolve: Resolve) -> None:
    assert resolve(plan(text("min_effect: 1.01", more=", dry_run: true")), 20).gates[0].dry_run


def test_only_controls_of_the_same_strata_count(
    plan: Parse, resolve: Resolve, fleet: Callable[[int], list[Device]]
) -> None:
    devices = [
        dataclasses.replace(device, labels={"site": f"site-{number % 6}"})
        for number, device in enumerate(fleet(60))
    ]
    asked = plan(
        text("min_effect: 1.5, min_samples: 1", waves="[1, rest]", head="spread: [site]\n")
    )

    with pytest.raises(PlanError) as caught:
        resolve(asked, devices=devices)

    assert "1 updated device against 9 controls" in caught.value.diagnostics[0].message


OLD, NEW = "0" * 64, "1" * 64


def survey(plan: ResolvedPlan, *waves: dict[str, int]) -> dict[DeviceId, Surveyed]:
    """So many devices of each wave run these; one left over does not answer."""
    found = {}
    for wave, runs in zip(plan.waves, waves, strict=True):
        manifests = [manifest for manifest, count in runs.items() for _ in range(count)]
        for device, manifest in zip(wave.devices, manifests, strict=False):
            found[device] = Surveyed(True, device_type="pi4", artifact="gw", manifest=manifest)
    return found


def test_devices_that_run_the_release_already_or_are_not_known_are_no_controls(
    plan: Parse, resolve: Resolve
) -> None:
    asked = plan(text("min_effect: 1.5"))
    runs = survey(resolve(asked, 40), {OLD: 10}, {OLD: 12, NEW: 10})  # of 8 nothing is known

    shown = resolve(asked, 40, survey=runs)

    [found] = what_it_finds(shown, shown.gates[0])
    assert (found.sizes.treated, found.sizes.control) == (10, 12)


def test_a_plan_whose_controls_run_the_release_already_is_refused(
    plan: Parse, resolve: Resolve
) -> None:
    asked = plan(text("min_effect: 1.5"))
    runs = survey(resolve(asked, 40), {OLD: 9, NEW: 1}, {OLD: 3, NEW: 27})

    with pytest.raises(PlanError) as caught:
        resolve(asked, 40, survey=runs)

    [found] = caught.value.diagnostics
    assert "9 updated devices against 3 controls are fewer than `min_samples` 8" in found.message


def test_a_wave_that_runs_the_release_already_compares_nothing(
    plan: Parse, resolve: Resolve
) -> None:
    asked = plan(text("min_effect: 1.5"))
    shown = resolve(asked, 40, survey=survey(resolve(asked, 40), {NEW: 10}, {NEW: 30}))

    assert what_it_finds(shown, shown.gates[0]) == ()


def test_a_weak_comparison_that_decides_nothing_is_a_risk(plan: Parse, resolve: Resolve) -> None:
    weak = "min_effect: 2, min_samples: 1"

    resolved = resolve(plan(text(weak, waves="[1, rest]", more=", dry_run: true")), 11)

    (risk,) = [risk for risk in resolved.risks if risk.code == "P934"]
    assert risk.line == 6
    assert risk.message.startswith("gate `g` is underpowered in wave `wave-1`: 1 updated device")
    assert "as a dry run it shows little (2 against 9 would do" in risk.message
