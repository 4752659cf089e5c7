from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.errors import Diagnostic, PlanError
from orchestrator.plan.model import Plan
from orchestrator.plan.resolved import ResolvedPlan

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
TAIL = "waves: [1, rest]\ngates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
WINDOW = 'windows: [{start: "01:00", duration: 4h, timezone: device}]\n'


def fleet(*labels: dict[str, str]) -> list[Device]:
    return [
        Device(DeviceId(f"gw-{rank}"), Address("192.0.2.1"), each)
        for rank, each in enumerate(labels)
    ]


def refusal(resolve: Resolve, plan: Plan, devices: list[Device]) -> Diagnostic:
    with pytest.raises(PlanError) as caught:
        resolve(plan, devices=devices)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("spread: [hardwear]", "p.yml:5:10"),
        ("cover: [hardwear]", "p.yml:5:9"),
        ("max_parallel_per: {hardwear: 2}", "p.yml:5:20"),
    ],
)
def test_label_that_no_device_has_is_a_typing_error(
    plan: Parse, resolve: Resolve, written: str, place: str
) -> None:
    devices = fleet({"hardware": "a"}, {"hardware": "b"})

    found = refusal(resolve, plan(f"{written}\n" + TAIL), devices)

    assert (found.code, str(found.where)) == ("P215", place)
    assert "no device has the label `hardwear`; did you mean `hardware`?" in found.message


def test_requirement_per_site_needs_sites(plan: Parse, resolve: Resolve) -> None:
    found = refusal(
        resolve, plan("requires: [{plan: modem, per: site}]\n" + TAIL), fleet({"rack": "1"})
    )

    assert (found.code, str(found.where)) == ("P215", "p.yml:5:1")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("spread: [site]", "`spread`: 1 device is without the label `site`, as `gw-1`"),
        ("cover: [site]", "nothing of theirs is covered"),
        ("max_parallel_per: {site: 1}", "they count as one group"),
    ],
)
def test_devices_without_a_label_are_told(
    plan: Parse, resolve: Resolve, written: str, words: str
) -> None:
    resolved = resolve(plan(f"{written}\n" + TAIL), devices=fleet({"site": "a"}, {}))

    assert words in resolved.risks[0].message


@pytest.mark.parametrize(
    ("timeouts", "duration", "fits"),
    [
        # connect 10s + transfer 30m + install 10m + reboot 5m = 45m10s
        ("", "45m10s", True),
        ("", "45m9s", False),
        ("stage_outside_window: true", "15m10s", True),
        ("stage_outside_window: true", "15m9s", False),
        ("timeouts: {transfer: 1h}", "1h15m", False),
        ("timeouts: {connect: 30s, install: 20m, reboot: 10m}", "1h30s", True),
    ],
)
def test_window_that_no_device_fits_into_is_refused(
    plan: Parse, resolve: Resolve, timeouts: str, duration: str, fits: bool
) -> None:
    window = f'{{start: "01:00", duration: {duration}, timezone: UTC, must_finish: true}}'
    read = plan(f"{timeouts}\nwindows: [{window}]\n" + TAIL)

    if fits:
        assert resolve(read, 2).schedule.windows[0].must_finish
        return
    found = refusal(resolve, read, fleet({}, {}))

    assert (found.code, str(found.where)) == ("P216", "p.yml:6:1")
    assert "never lets a device start" in found.message


def test_short_window_that_may_be_overrun_is_fine(plan: Parse, resolve: Resolve) -> None:
    text = 'windows: [{start: "01:00", duration: 1m, timezone: UTC}]\n'

    assert resolve(plan(text + TAIL), 2).schedule.windows[0].duration_s == 60


def test_zone_of_each_device_is_its_label(plan: Parse, resolve: Resolve) -> None:
    devices = fleet({"timezone": "Europe/Berlin"}, {"timezone": "Asia/Tokyo"})

    resolved = resolve(plan(WINDOW + TAIL), devices=devices)

    zones = {device: each.timezone for device, each in resolved.devices.items()}
    assert zones == {"gw-0": "Europe/Berlin", "gw-1": "Asia/Tokyo"}


@pytest.mark.parametrize("zone", ["", "Berlin time", "+01:00"])
def test_device_without_a_zone_is_refused_where_windows_ask_for_it(
    plan: Parse, resolve: Resolve, zone: str
) -> None:
    devices = fleet({"timezone": "Europe/Berlin"}, {"timezone": zone})

    found = refusal(resolve, plan(WINDOW + TAIL), devices)

    assert (found.code, str(found.where)) == ("P217", "p.yml:5:1")
    assert "device `gw-1` has" in found.message
