from __future__ import annotations

from datetime import datetime, timedelta
from importlib.resources import files

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.plan.schedule import Schedule, Window
from orchestrator.plan.zones import (
    device_zone,
    load_zone,
    zone_names,
    zone_problem,
    zone_problems,
)


def device(name: str, zone: str = "") -> Device:
    return Device(DeviceId(name), Address("192.0.2.1"), {"timezone": zone} if zone else {})


def test_every_zone_with_a_name_can_be_loaded():
    names = zone_names()

    assert len(names) > 400
    assert {"UTC", "Europe/Berlin", "Pacific/Apia", "US/Eastern"} <= names
    assert all(load_zone(name).key == name for name in names)


def test_names_that_only_some_machines_know_are_no_zones():
    assert zone_names().isdisjoint({"localtime", "posixrules", "posix/UTC", "right/UTC"})


def test_rules_are_those_of_the_installed_package_whatever_the_machine_says(monkeypatch):
    monkeypatch.setenv("PYTHONTZPATH", "/nowhere")
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    zone = load_zone("Asia/Kolkata")

    assert zone.utcoffset(datetime(2026, 1, 1)) == timedelta(hours=5, minutes=30)  # noqa: DTZ001
    assert files("tzdata").joinpath("zoneinfo", "Asia", "Kolkata").is_file()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Europe/Berlin", ""),
        ("UTC", ""),
        ("Europe/Berln", "`Europe/Berln` is no time zone; did you mean `Europe/Berlin`?"),
        ("europe/berlin", "`europe/berlin` is no time zone; did you mean `Europe/Berlin`?"),
        ("Berlin", "`Berlin` is no time zone; did you mean `Europe/Berlin`?"),
        ("New_York", "`New_York` is no time zone; did you mean `America/New_York`?"),
        ("+02:00", "`+02:00` is no time zone; write it as `Europe/Berlin` or `UTC`"),
        ("", "`` is no time zone; write it as `Europe/Berlin` or `UTC`"),
        (
            "../../etc/passwd",
            "`../../etc/passwd` is no time zone; write it as `Europe/Berlin` or `UTC`",
        ),
    ],
)
def test_unknown_name_of_a_zone_is_told_with_the_closest_one(name, problem):
    assert zone_problem(name, zone_names()) == problem


def test_file_outside_the_rules_is_never_read():
    with pytest.raises(ValueError, match="is no time zone"):
        load_zone("../zones")


def schedule(*zones: str) -> Schedule:
    return Schedule(windows=tuple(Window(("mon",), "01:00", 3600.0, zone) for zone in zones))


def test_zone_of_a_device_is_its_label_where_a_window_asks():
    assert device_zone(schedule("UTC", "device"), device("a", "Asia/Tokyo")) == "Asia/Tokyo"
    assert device_zone(schedule("device"), device("a")) == ""
    assert device_zone(schedule("UTC"), device("a", "Asia/Tokyo")) == ""


def test_known_zones_are_no_problem():
    fleet = [device("a", "UTC"), device("b", "Asia/Tokyo")]

    assert zone_problems(schedule("device", "Europe/Berlin"), fleet) == ()


def test_zones_of_devices_matter_only_where_a_window_asks():
    assert zone_problems(schedule("UTC"), [device("a"), device("b", "Mars")]) == ()
    assert zone_problems(Schedule(), [device("a")]) == ()


def test_unknown_zone_of_windows_is_told_once():
    (problem,) = zone_problems(schedule("Europe/Berln", "UTC", "Europe/Berln"), [])

    assert problem.startswith("a window has an unknown `timezone`: `Europe/Berln` is no time zone")


def test_device_without_a_zone_is_named():
    problems = zone_problems(schedule("device"), [device("gw-1", "UTC"), device("gw-2")])

    assert problems == ("device `gw-2` has no `timezone`, but a window asks for it",)


def test_devices_with_an_unknown_zone_are_named_once_for_each_name():
    fleet = [device(f"gw-{number}", "Europe/Berln") for number in range(5)]

    problems = zone_problems(schedule("device"), [*fleet, device("pi", "Mars")])

    assert [problem.partition(": ") for problem in problems] == [
        (
            "devices `gw-0`, `gw-1`, `gw-2` and 2 more have an unknown `timezone`",
            ": ",
            "`Europe/Berln` is no time zone; did you mean `Europe/Berlin`?",
        ),
        (
            "device `pi` has an unknown `timezone`",
            ": ",
            "`Mars` is no time zone; write it as `Europe/Berlin` or `UTC`",
        ),
    ]


def test_many_unknown_zones_are_counted():
    fleet = [device(f"gw-{number}", f"Mars/{number}") for number in range(1000)]

    problems = zone_problems(schedule("device"), fleet)

    assert len(problems) == 21
    assert problems[-1] == "980 more names of zones are unknown, the first is `Mars/20`"
