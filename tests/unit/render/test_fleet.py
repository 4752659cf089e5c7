"""The fleet at a glance, in text, JSON and CSV: counts, groups, and who stands out."""

from __future__ import annotations

import csv
import io
import json

import jsonschema
import pytest

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.render import drift as drift_render
from orchestrator.render.fleet import FleetFacts, document, text
from orchestrator.render.fleet_csv import COLUMNS, csv_text
from orchestrator.render.text import Look, cells
from orchestrator.rollout.drift import FleetDevice, fleet_device
from orchestrator.rollout.held import Held
from orchestrator.rollout.sightings import (
    Known,
    Left,
    Remembered,
    Seen,
    SeenBy,
    Standing,
    Trouble,
)
from tests.unit.render.conftest import START
from tests.unit.store.samples import REPOSITORY

NEW, OLD, ODD = "d" * 64, "c" * 64, "e" * 64
NAMES = {NEW: "gateway-1.4.2", OLD: "gateway-1.4.1"}
SITES = ("berlin", "paris", "madrid")


def ids(first: int, last: int) -> list[DeviceId]:
    return [DeviceId(f"gw-{number:03}") for number in range(first, last + 1)]


def fleet_of(*, asked: bool = False) -> FleetFacts:
    """Thirty devices, of which some stand out in each way."""
    known: dict[DeviceId, Known] = {}
    held: dict[DeviceId, Held] = {}
    for place, device in enumerate(ids(1, 20)):
        at = START + 60.0 * place
        left = Left("r-7f3a", at, Standing.PROVEN, NEW)
        known[device] = Known(left, Seen(at, SeenBy.ROLLOUT, NEW), hardware="rpi4")
    for device in ids(4, 5):  # a later plan saw something else there
        known[device].seen = Seen(START + 86400.0, SeenBy.PLAN, ODD, "gateway-debug \x1b[2J")
    for device in ids(21, 24):
        left = Left("r-6b01", START - 9e5, Standing.PROVEN, OLD)
        known[device] = Known(left, Seen(START - 9e5, SeenBy.ROLLOUT, OLD), hardware="rpi4")
    for device in ids(21, 22):
        held[device] = Held(device, START, "failed (check_failed)", "r-7f3a", False)
    held[DeviceId("gw-023")] = Held(DeviceId("gw-023"), START, "rollback failed", "r-7f3a", True)
    known[DeviceId("gw-025")] = Known(
        Left("r-7f3a", START, Standing.UNCOMMITTED, NEW),
        Seen(START, SeenBy.ROLLOUT, NEW, settled=False),
    )
    known[DeviceId("gw-026")] = Known(Left("r-7f3a", START, Standing.UNKNOWN))
    known[DeviceId("gw-027")] = Known(trouble=Trouble(START, Reason.OLD_HELPER, "its `1.0.0`"))
    away = Trouble(START, Reason.UNREACHABLE, "no route to host")
    known[DeviceId("gw-028")] = Known(trouble=away)
    remembered = Remembered(known, held, NAMES)
    devices = [
        fleet_device(device, {"site": SITES[place % 3]} if place < 28 else {}, remembered)
        for place, device in enumerate(ids(1, 30))
    ]
    return FleetFacts("all", "main", START + 90000.0, asked, devices)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_fleet_by_version(width, golden) -> None:
    shown = text(fleet_of(), "version", Look(width))

    assert all(cells(line) <= width for line in shown.splitlines())
    golden(f"fleet-{width}.txt", shown)


def test_fleet_by_site(golden) -> None:
    golden("fleet-site-80.txt", text(fleet_of(asked=True), "site", Look(80)))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_drift(width, golden) -> None:
    shown = drift_render.text(fleet_of(asked=True), Look(width))

    assert all(cells(line) <= width for line in shown.splitlines())
    golden(f"drift-{width}.txt", shown)


def test_colour_is_there_only_where_it_is_wanted_and_no_sign_is_outside_ascii_without_unicode() -> (
    None
):
    plain = text(fleet_of(), "version", Look(80, unicode=False))

    assert plain.isascii()
    assert "\x1b" not in plain
    assert "\x1b[1;31m" in text(fleet_of(), "version", Look(80, colour=True))


def test_fleet_of_nobody_is_a_sentence() -> None:
    nobody = FleetFacts("lab", "main", START, True, [])

    assert text(nobody, "version", Look(80)).startswith("0 devices of lab: 0 versions; 0 answered")
    assert drift_render.text(nobody, Look(80)).startswith("0 devices of lab: 0 as")


@pytest.mark.parametrize("shown", ["fleet", "drift"])
def test_devices_that_are_away_are_one_kind_whatever_their_addresses(shown) -> None:
    def away(place: int, device: DeviceId) -> Known:
        detail = f"device at `{device}.example` port {2000 + place} is unreachable: refused"
        return Known(trouble=Trouble(START, Reason.UNREACHABLE, detail))

    remembered = Remembered({each: away(at, each) for at, each in enumerate(ids(1, 30))}, {}, {})
    devices = [fleet_device(each, {}, remembered) for each in ids(1, 30)]
    facts = FleetFacts("all", "main", START, True, devices)

    said = (
        drift_render.text(facts, Look(100))
        if shown == "drift"
        else text(facts, "version", Look(100))
    )

    assert said.count("unreachable") == 1
    assert "(29 more wordings with other numbers or names)" in " ".join(said.split())
    assert "gw-0{01..30}" in said


def test_many_kinds_of_results_do_not_flood_the_screen() -> None:
    left = Left("r-1", 1.0, Standing.PROVEN, NEW)
    devices = [
        fleet_device(
            device, {}, Remembered({device: Known(left, Seen(9.0, SeenBy.PLAN, "", f"v{device}"))})
        )
        for device in ids(1, 50)
    ]
    facts = FleetFacts("all", "main", START, True, devices)

    shown = drift_render.text(facts, Look(80))

    assert "and 40 kinds more: `--format json` has all" in shown
    assert len(shown.splitlines()) < 30


def schema(name: str) -> dict[str, object]:
    return json.loads((REPOSITORY / "schemas" / name).read_text())


@pytest.mark.parametrize("by", ["version", "site", "hardware"])
def test_document_of_the_fleet_fits_its_schema_and_its_counts(by) -> None:
    facts = fleet_of()

    found = document(facts, by)

    jsonschema.validate(found, schema("fleet.v1.json"))
    assert found["counts"] == {
        "devices": 30, "drifted": 2, "quarantined": 1, "held": 3, "unconfirmed": 1,
        "old_helper": 1, "never_seen": 4,
    }  # fmt: skip
    assert sum(group["count"] for group in found["groups"]) == 30


def test_document_of_drift_lists_all_but_the_same() -> None:
    found = drift_render.document(fleet_of(asked=True))

    jsonschema.validate(found, schema("drift.v1.json"))
    assert found["counts"] == {"same": 0, "differs": 2, "unknown": 28}
    assert [each["device"] for each in found["devices"] if each["drift"] == "differs"] == [
        "gw-004", "gw-005",
    ]  # fmt: skip


def hostile(text: str) -> FleetDevice:
    device = DeviceId(text)
    seen = Seen(9.0, SeenBy.ASKED, ODD, text, state=text, helper=text)
    known = Known(Left("r-1", 1.0, Standing.PROVEN, NEW), trouble=Trouble(8.0, Reason.IO, text))
    return fleet_device(device, {"site": text, "x": text}, Remembered({device: known}), seen, text)


@pytest.mark.parametrize(
    "said", ["=cmd|' /C calc'!A0", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1"]
)
def test_spreadsheet_calculates_nothing_that_a_device_said(said) -> None:
    facts = FleetFacts("all", "main", START, True, [hostile(said)])

    rows = list(csv.DictReader(io.StringIO(csv_text(facts, "site"))))

    assert list(rows[0]) == list(COLUMNS)
    for value in rows[0].values():
        assert not value.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert rows[0]["version"].startswith("'") or "\\x" in rows[0]["version"]


def test_rows_are_complete_and_say_times_and_reasons() -> None:
    rows = {row["device"]: row for row in csv.DictReader(io.StringIO(csv_text(fleet_of(), "site")))}

    assert len(rows) == 30
    fourth = rows["gw-004"]
    assert (fourth["group"], fourth["drift"], fourth["left_version"]) == (
        "berlin", "differs", "gateway-1.4.2",
    )  # fmt: skip
    assert fourth["seen_at"] == "2026-11-19T11:06:40Z"
    assert rows["gw-023"]["quarantined"] == "yes"
    assert rows["gw-029"]["seen_at"] == ""


def test_nothing_that_a_device_said_acts_on_a_terminal() -> None:
    facts = FleetFacts("all", "main", START, True, [hostile("a\x1b[2J\u202eb\nc")])

    for shown in (
        text(facts, "version", Look(80)),
        text(facts, "site", Look(80)),
        drift_render.text(facts, Look(80)),
        csv_text(facts, "x"),
    ):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "\nc" not in shown
