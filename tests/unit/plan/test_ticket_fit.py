"""Waves against the `open` lines of a ticket; buckets of serial 1 are those of `sha256sum`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.device.bucket import bucket
from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.plan.model import Plan
from orchestrator.plan.preview import Preview, preview
from orchestrator.plan.resolve import resolve_plan
from orchestrator.plan.resolved import (
    PlannedArtifact,
    PlannedOpening,
    PlannedTicket,
    PlannedTrust,
    ResolvedPlan,
)
from orchestrator.plan.survey import Surveyed
from orchestrator.plan.ticket_fit import opens_at

Parse = Callable[[str], Plan]
Planning = Callable[..., ResolvedPlan]
GATES = "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
NOW = 1_700_000_000.0
HOUR = 3600.0
TRUST = PlannedTrust(1, "acme", 0, 0, ("ecdsa-p256",))
ROOTED = Surveyed(reachable=True, device_type="pi4", artifact="old", trust=TRUST)
ROOTLESS = replace(ROOTED, trust=None)
SITES = ("ber", "lis", "den")


@pytest.fixture
def planning(artifact: PlannedArtifact) -> Planning:
    def planned(
        plan: Plan,
        count: int,
        *lines: tuple[int, float],
        expires_s: float = 1e9,
        survey: Mapping[DeviceId, Surveyed] | None = None,
    ) -> ResolvedPlan:
        openings = tuple(PlannedOpening(percent, NOW + after_s) for percent, after_s in lines)
        ticket = PlannedTicket(
            "0" * 64, "1" * 64, "acme", 1, NOW + expires_s, 7, ("pi4",), openings
        )
        return resolve_plan(
            plan,
            devices=[
                Device(DeviceId(f"gw-{n}"), Address("192.0.2.1"), {"site": SITES[n % 7 % 3]})
                for n in range(count)
            ],
            artifact=replace(artifact, ticket=ticket),
            survey=survey,
            claims={},
            set_vars={},
            plan_sha256="a" * 64,
            inventory_sha256="b" * 64,
            now=NOW,
            tool_version="0",
        )

    return planned


def stops(shown: Preview) -> list[list[tuple[int | None, int, float | None]]]:
    """For each wave the lines that stop it: percent, devices, hours from now."""
    return [
        [
            (
                each.percent,
                len(each.devices),
                None if each.opens_at is None else (each.opens_at - NOW) / HOUR,
            )
            for each in wave.openings
            if each.stops
        ]
        for wave in shown.waves
    ]


def test_waves_that_come_before_their_line_wait_there(plan: Parse, planning: Planning) -> None:
    text = "waves: [10%, 40%, rest]\nsoak: 1h\n" + GATES

    resolved = planning(plan(text), 100, (20, 0), (60, 0.5 * HOUR), (100, 48 * HOUR))
    shown = preview(resolved)

    below_20 = sum(bucket(1, device) < 20 for device in resolved.devices)
    below_60 = sum(bucket(1, device) < 60 for device in resolved.devices)
    assert 10 < below_20 < 50 < below_60 < 100
    assert [[len(each.devices) for each in wave.openings] for wave in shown.waves] == [
        [10], [below_20 - 10, 50 - below_20], [below_60 - 50, 100 - below_60],
    ]  # fmt: skip
    assert stops(shown) == [[], [], [(100, 100 - below_60, 48.0)]]
    assert [wave.earliest_end_s / HOUR for wave in shown.waves] == [1, 2, 49]


def test_a_line_behind_the_one_that_was_waited_for_stops_nobody_again(
    plan: Parse, planning: Planning
) -> None:
    text = "waves: [60%, rest]\nsoak: 3h\n" + GATES

    shown = preview(planning(plan(text), 100, (1, 0), (30, 5 * HOUR), (100, 6 * HOUR)))

    assert [len(each) for each in stops(shown)] == [2, 0]
    assert [wave.earliest_end_s / HOUR for wave in shown.waves] == [9, 12]


def test_devices_without_a_root_or_at_the_target_wait_for_nothing(
    plan: Parse, planning: Planning, artifact: PlannedArtifact
) -> None:
    done = replace(ROOTED, artifact="gw-1.4.2", manifest=artifact.manifest_sha256)
    survey = {DeviceId(f"gw-{n}"): answer for n, answer in enumerate((ROOTED, ROOTLESS, done))}

    resolved = planning(plan("waves: [rest]\n" + GATES), 4, (100, HOUR), survey=survey)

    assert {device: opens_at(resolved, device) for device in resolved.devices} == {
        "gw-0": NOW + HOUR, "gw-1": 0.0, "gw-2": 0.0, "gw-3": NOW + HOUR,
    }  # fmt: skip
    assert stops(preview(resolved)) == [[(100, 2, 1.0)]]


def test_devices_of_no_line_are_named_where_nobody_knows_whether_they_have_a_root(
    plan: Parse, planning: Planning
) -> None:
    resolved = planning(plan("waves: [rest]\n" + GATES), 100, (50, 0))

    (wave,) = preview(resolved).waves
    never = wave.openings[-1]
    assert (never.percent, never.opens_at, never.stops) == (None, None, True)
    assert set(never.devices) == {d for d in resolved.devices if bucket(1, d) >= 50}


def test_a_ticket_that_ends_before_a_wave_is_warned_about(plan: Parse, planning: Planning) -> None:
    text = "waves: [1, rest]\nsoak: 2h\n" + GATES

    shown = preview(planning(plan(text), 9, expires_s=HOUR))

    expired = [risk.message for risk in shown.risks if risk.code == "P930"]
    assert expired == ["the ticket expires before wave `wave-2` can begin"]


@pytest.mark.parametrize(
    ("zones", "zone"),
    [
        ((), "UTC"),
        (("Europe/Berlin",), "Europe/Berlin"),
        (("Europe/Berlin", "Europe/Berlin"), "Europe/Berlin"),
        (("Europe/Berlin", "Asia/Tokyo"), "UTC"),
    ],
)
def test_times_are_shown_in_the_zone_of_the_windows(
    plan: Parse, planning: Planning, zones: tuple[str, ...], zone: str
) -> None:
    windows = ", ".join(
        f'{{start: "0{n}:00", duration: 1h, timezone: {each}}}' for n, each in enumerate(zones)
    )
    text = "waves: [rest]\n" + f"windows: [{windows}]\n" * bool(zones)

    assert preview(planning(plan(text + GATES), 3)).zone == zone


def test_the_order_of_the_plan_decides_among_equal_buckets(plan: Parse, planning: Planning) -> None:
    """`sticky` and `order` keep their meaning within a bucket (R3)."""
    resolved = planning(plan("order: reverse_sorted\nwaves: [rest]\n" + GATES), 400, (100, 0))

    devices = resolved.waves[0].devices
    assert list(devices) == sorted(
        sorted(devices, reverse=True), key=lambda device: bucket(1, device)
    )


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(
    count=st.integers(2, 40),
    percents=st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True),
    canary=st.integers(1, 5),
    spread=st.booleans(),
    cover=st.booleans(),
)
def test_every_device_stands_once_and_is_accounted_to_the_line_that_lets_it_in(
    plan: Parse,
    planning: Planning,
    count: int,
    percents: list[int],
    canary: int,
    spread: bool,
    cover: bool,
) -> None:
    text = f"waves: [{{name: canary, size: {canary}{', cover: [site]' * cover}}}, 30%, rest]\n"
    text += "spread: [site]\n" * spread
    lines = [(percent, HOUR * at) for at, percent in enumerate(sorted(percents))]

    resolved = planning(plan(text + GATES), count, *lines)
    shown = preview(resolved)

    placed = [device for wave in resolved.waves for device in wave.devices]
    assert sorted(placed) == sorted(resolved.devices)
    for wave in shown.waves:
        told = {device: each for each in wave.openings for device in each.devices}
        assert sorted(told) == sorted(wave.devices)
        for device, each in told.items():
            lets_in = [p for p in sorted(percents) if bucket(1, device) < p]
            assert each.percent == (lets_in[0] if lets_in else None)
    if not (spread or cover):
        assert placed == sorted(placed, key=lambda device: bucket(1, device))
