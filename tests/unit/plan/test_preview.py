from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction

import pytest

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.model import Plan
from orchestrator.plan.preview import Preview, preview, worst_case
from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave
from orchestrator.plan.survey import Surveyed

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
GATES = "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
TARGET = "1" * 64


def answer(artifact: str, manifest: str = "2" * 64) -> Surveyed:
    return Surveyed(reachable=True, device_type="pi4", artifact=artifact, manifest=manifest)


def test_waves_add_up(plan: Parse, resolve: Resolve) -> None:
    shown = preview(resolve(plan("waves: [1, 20%, rest]\nsoak: 1h\n" + GATES)))

    assert [wave.devices_count for wave in shown.waves] == [1, 2, 7]
    assert [wave.cumulative_count for wave in shown.waves] == [1, 3, 10]
    assert shown.waves[1].cumulative_share == Fraction(3, 10)
    assert [wave.earliest_end_s for wave in shown.waves] == [3600, 7200, 10_800]
    assert shown.earliest_end_s == 10_800
    assert (shown.devices_count, shown.update_count) == (10, 10)
    assert shown.transfer_bytes == 10_000
    assert shown.confirm_s == 570


def test_what_devices_run_now_is_counted(plan: Parse, resolve: Resolve) -> None:
    survey = {
        DeviceId("gw-0"): answer("gw-1.0"),
        DeviceId("gw-1"): answer("gw-1.0"),
        DeviceId("gw-2"): answer("gw-1.4.2", TARGET),
        DeviceId("gw-3"): answer("", ""),
        DeviceId("gw-4"): Surveyed(reachable=False),
        DeviceId("gw-5"): Surveyed(reachable=True, enrolled=False),
    }

    shown = preview(resolve(plan("waves: [rest]\n" + GATES), 6, survey=survey))

    (wave,) = shown.waves
    assert dict(wave.current) == {"gw-1.0": 2, "gw-1.4.2": 1, "": 1, None: 1}
    assert wave.current[0] == ("gw-1.0", 2)
    assert (shown.update_count, shown.unchanged_count, shown.unknown_count) == (4, 1, 1)
    assert shown.skipped == ((Reason.NOT_ENROLLED, 1),)
    assert shown.has_changes


def test_fleet_at_the_target_has_no_changes(plan: Parse, resolve: Resolve) -> None:
    survey = {DeviceId(f"gw-{number}"): answer("gw-1.4.2", TARGET) for number in range(3)}

    shown = preview(resolve(plan("waves: [1, rest]\n" + GATES), 3, survey=survey))

    assert not shown.has_changes
    assert shown.transfer_bytes == 0
    assert [wave.worst_case_count for wave in shown.waves] == [0, 0]
    assert [wave.upper_bound for wave in shown.waves] == [1, 1]


def test_unchanged_devices_shrink_the_base(plan: Parse, resolve: Resolve) -> None:
    survey = {DeviceId(f"gw-{number}"): answer("gw-1.4.2", TARGET) for number in range(51)}

    (wave,) = preview(
        resolve(plan("waves: [rest]\nmax_fail_percentage: 2\n" + GATES), 100, survey=survey)
    ).waves

    assert wave.allowed_failures_count == 0  # floor of 2 % of 49
    assert wave.allowed_unreachable_count == 0


@pytest.mark.parametrize(
    ("slow_start", "max_parallel", "base_count", "allowed_count", "expected"),
    [
        (True, 50, 1000, 0, 1),
        (True, 50, 1000, 20, 21),
        (True, 5, 1000, 20, 21),
        (True, 50, 3, 20, 3),
        (True, 50, 0, 0, 0),
        (False, 50, 1000, 0, 50),
        (False, 50, 1000, 20, 70),
        (False, 50, 30, 20, 30),
    ],
)
def test_worst_case_of_a_release_that_breaks_everything(
    slow_start: bool, max_parallel: int, base_count: int, allowed_count: int, expected: int
) -> None:
    wave = ResolvedWave("w", "rest", (), slow_start=slow_start, max_parallel=max_parallel)

    assert worst_case(wave, base_count, allowed_count) == expected


def test_gates_are_listed_where_they_apply(plan: Parse, resolve: Resolve) -> None:
    shown = preview(
        resolve(
            plan(
                """\
                waves: [1, rest]
                gates:
                  - {name: a, check: x, success_when: result.exit == 0, count: 7, failure_limit: 3}
                  - name: b
                    command: [y]
                    success_when: result.exit == 0
                    waves: [wave-1]
                    initial_delay: 5m
                  - {name: c, check: z, success_when: result.exit == 0, stage: background, count: 99}
                  - {name: d, check: z, success_when: result.exit == 0, dry_run: true, count: 99}
                """
            )
        )
    )

    assert [gate.name for gate in shown.waves[0].gates] == ["a", "b", "c", "d"]
    assert [gate.name for gate in shown.waves[1].gates] == ["a", "c", "d"]
    assert [wave.earliest_end_s for wave in shown.waves] == [60 + 300, 360 + 60]


def test_devices_that_cannot_go_back_are_counted(plan: Parse, resolve: Resolve) -> None:
    survey = {
        DeviceId("gw-0"): Surveyed(reachable=True, device_type="pi4", keeps_previous=False),
        DeviceId("gw-1"): answer("a"),
    }

    (wave,) = preview(resolve(plan("waves: [rest]\n" + GATES), 2, survey=survey)).waves

    assert wave.final_count == 1


@pytest.mark.parametrize(
    ("slow_start", "max_parallel", "allowed_count", "other_count", "expected"),
    [
        # something else stops it earlier: what failed until then, and what is in flight
        (True, 5, 20, 3, 8),
        (True, 50, 20, 3, 21),  # R16 holds less in flight than max_parallel
        (True, 1, 20, 0, 1),
        (True, 5, 2, 30, 3),
        (False, 5, 20, 3, 8),
        (False, 5, 20, 30, 25),
    ],
)
def test_worst_case_where_bursts_and_budgets_stop_it(
    slow_start: bool, max_parallel: int, allowed_count: int, other_count: int, expected: int
) -> None:
    wave = ResolvedWave("w", "rest", (), slow_start=slow_start, max_parallel=max_parallel)

    assert worst_case(wave, 1000, allowed_count, other_count) == expected


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("", None),
        ("budget: {max_failures: 3}", 3),
        ("budget: {max_fail_percentage: 29}", 29),  # exactly, of the frozen 100
        ("budget: {max_fail_percentage: 2.5}", 2),
        ("budget: {max_failures: 3, max_fail_percentage: 29}", 3),
        ("budget: {max_failures: 30, max_fail_percentage: 29}", 29),
        ("budget: {max_failures: 0}", 0),
        ("budget: {window: {failures: 1, in: 5m}}", None),
    ],
)
def test_budget_of_the_rollout(
    plan: Parse, resolve: Resolve, budget: str, expected: int | None
) -> None:
    shown = preview(resolve(plan(f"{budget}\nwaves: [1, rest]\n" + GATES), 100))

    assert shown.budget_count == expected


def test_worst_case_of_each_wave_knows_the_budget(plan: Parse, resolve: Resolve) -> None:
    text = "budget: {max_failures: 1}\nmax_fail_percentage: 50\nmax_parallel: 2\nwaves: [1, rest]\n"

    shown = preview(resolve(plan(text + GATES), 100))

    assert [wave.allowed_failures_count for wave in shown.waves] == [0, 49]
    assert [wave.worst_case_count for wave in shown.waves] == [1, 3]


def test_rate_puts_the_end_off(plan: Parse, resolve: Resolve) -> None:
    text = "rate: {per_minute: 10}\nwaves: [10, rest]\nsoak: 1h\n"

    shown = preview(resolve(plan(text + GATES), 40))

    assert [wave.earliest_end_s for wave in shown.waves] == [3600 + 54, 7200 + 234]


def test_what_a_device_may_take_leaves_out_what_was_staged(plan: Parse, resolve: Resolve) -> None:
    window = 'windows: [{start: "01:00", duration: 4h, timezone: UTC}]\n'
    tail = "waves: [rest]\n" + GATES

    assert preview(resolve(plan(window + tail))).needs_s == 2710
    staged = preview(resolve(plan("stage_outside_window: true\n" + window + tail)))
    assert staged.needs_s == 910


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("", None),
        ("start_at: 2023-11-14T00:00:00Z", None),  # the plan was made at 22:13:20 of that day
        ("start_at: 2023-11-15T00:00:00Z", "2023-11-15T00:00:00Z"),
        ('windows: [{start: "22:00", duration: 1h, timezone: UTC}]', None),
        ('windows: [{start: "01:00", duration: 1h, timezone: UTC}]', "2023-11-15T01:00:00Z"),
        ('windows: [{start: "01:00", duration: 1h, timezone: Europe/Berlin}]',
         "2023-11-15T00:00:00Z"),
        # 45m10s do not fit into what is left of this hour
        ('windows: [{start: "22:00", duration: 46m, timezone: UTC, must_finish: true}]',
         "2023-11-15T22:00:00Z"),
        ("freezes: [{from: 2023-11-14T00:00:00Z, to: 2023-11-16T00:00:00Z}]",
         "2023-11-16T00:00:00Z"),
        (('windows: [{days: [tue], start: "01:00", duration: 1h, timezone: UTC}]\n'
         "freezes: [{from: 2023-11-20T00:00:00Z, to: 2023-11-22T00:00:00Z}]"),
         "2023-11-28T01:00:00Z"),
    ],
)  # fmt: skip
def test_first_start_is_known(
    plan: Parse, resolve: Resolve, schedule: str, expected: str | None
) -> None:
    shown = preview(resolve(plan(f"{schedule}\nwaves: [rest]\n" + GATES)))

    wanted = None if expected is None else datetime.fromisoformat(expected).timestamp()
    assert shown.starts_at == wanted


EVERY_DAY = "days: [mon, tue, wed, thu, fri, sat, sun]"
HOUR = 3600.0


def ends(shown: Preview) -> list[float]:
    """Hours after the first start."""
    return [wave.earliest_end_s / HOUR for wave in shown.waves]


def test_a_wave_cannot_start_before_the_next_window(plan: Parse, resolve: Resolve) -> None:
    window = f"windows: [{{{EVERY_DAY}, start: '02:00', duration: 2h, timezone: UTC}}]\n"

    shown = preview(resolve(plan("waves: [1, 20%, rest]\nsoak: 5h\n" + window + GATES)))

    assert ends(shown) == [5, 24 + 5, 48 + 5]
    starts_at = shown.plan.made_at if shown.starts_at is None else shown.starts_at
    assert shown.earliest_end_at == starts_at + (48 + 5) * HOUR


def test_a_wave_that_is_over_in_the_window_is_followed_at_once(
    plan: Parse, resolve: Resolve
) -> None:
    window = f"windows: [{{{EVERY_DAY}, start: '02:00', duration: 2h, timezone: UTC}}]\n"
    start = "start_at: 2030-01-01T02:00:00Z\n"

    shown = preview(resolve(plan("waves: [1, rest]\nsoak: 30m\n" + start + window + GATES)))

    assert ends(shown) == [0.5, 1]


def test_a_window_whose_rest_is_too_short_holds_up_a_wave(plan: Parse, resolve: Resolve) -> None:
    window = (
        f"windows: [{{{EVERY_DAY}, start: '02:00', duration: 2h, timezone: UTC, "
        "must_finish: true}]\n"
    )
    start = "start_at: 2030-01-01T02:00:00Z\n"

    shown = preview(resolve(plan("waves: [1, rest]\nsoak: 110m\n" + start + window + GATES)))

    assert ends(shown) == [pytest.approx(110 / 60), pytest.approx(24 + 110 / 60)]


def test_a_freeze_between_two_waves_is_waited_for(plan: Parse, resolve: Resolve) -> None:
    text = (
        "waves: [1, rest]\nsoak: 1h\nstart_at: 2030-01-01T00:00:00Z\n"
        "freezes: [{from: 2030-01-01T00:30:00Z, to: 2030-01-03T00:00:00Z, reason: fair}]\n"
    )

    assert ends(preview(resolve(plan(text + GATES)))) == [1, 48 + 1]


def test_a_wave_of_several_zones_ends_after_the_last_of_their_windows(
    plan: Parse, resolve: Resolve, fleet: Callable[[int], list[Device]]
) -> None:
    zones = ("UTC", "Etc/GMT+8")
    devices = [
        dataclasses.replace(device, labels={"timezone": zones[number % 2]})
        for number, device in enumerate(fleet(10))
    ]
    text = (
        "waves: [2, rest]\nstart_at: 2030-01-01T00:00:00Z\n"
        f"windows: [{{{EVERY_DAY}, start: '02:00', duration: 1h, timezone: device}}]\n"
    )

    shown = preview(resolve(plan(text + GATES), devices=devices))

    assert ends(shown)[-1] == 8


def test_what_differences_would_save_is_told_beside_what_is_sent_at_most(
    plan: Parse, resolve: Resolve
) -> None:
    survey = {
        DeviceId("gw-0"): answer("gw-1.0", "2" * 64),
        DeviceId("gw-1"): answer("gw-1.1", "3" * 64),
        DeviceId("gw-2"): answer("gw-1.4.2", TARGET),
        DeviceId("gw-3"): answer("gw-1.0", "2" * 64),
        DeviceId("gw-4"): Surveyed(reachable=False),
    }
    resolved = resolve(plan("waves: [rest]\n" + GATES), 5, survey=survey)

    bare, shown = preview(resolved), preview(resolved, saves={"2" * 64: 900})

    assert (bare.transfer_bytes, bare.least_bytes, bare.difference_count) == (4000, 4000, 0)
    assert (shown.transfer_bytes, shown.least_bytes, shown.difference_count) == (4000, 2200, 2)
