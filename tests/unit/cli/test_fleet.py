"""`rollout fleet` and `rollout drift` over a real store: codes, formats, and wrong usage."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli.app import invoke
from orchestrator.device.model import Address, DeviceId
from orchestrator.engine.ports import Changes
from orchestrator.errors import ExitCode
from orchestrator.plan.digest import to_json
from orchestrator.plan.resolved import PlannedDevice, ResolvedWave
from orchestrator.rollout.events import JournalEntry
from orchestrator.store.sql import open_store
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import SimulatedArtifact, make_plan
from tests.in_process import empty_project, run

A, B = DeviceId("gw-1"), DeviceId("gw-2")
NEW = SimulatedArtifact.of("new")
HOSTS = (
    "gateways:\n"
    "  vars: {ansible_host: 127.0.0.1, ansible_port: 1}\n"
    "  hosts: {gw-1: {site: berlin}, gw-2: {site: paris, rack: r1}}\n"
)


@pytest.fixture
def seen(tmp_path: Path, monkeypatch) -> Callable[..., None]:
    """A project in which a rollout updated both devices; then a plan may have seen them again."""
    empty_project(tmp_path, monkeypatch)
    (tmp_path / "hosts.yml").write_text(HOSTS)
    (tmp_path / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
    plan = make_plan([ResolvedWave("all", "rest", (A, B))])
    hand = Hand(plan)
    hand.succeed(A)
    hand.succeed(B)

    def again(**found: tuple[str, str]) -> None:
        devices = {
            device: PlannedDevice(Address("127.0.0.1"), {}, *found[name])
            for device, name in ((A, "a"), (B, "b"))
            if name in found
        }
        later = replace(plan, made_at=time.time(), devices=devices)

        async def store() -> None:
            opened = await open_store(str(tmp_path / ".rollout/state.db"))
            changes = Changes(hand.rollout_row, hand.rows, tuple(hand.journal))
            await opened.create("r-hand", to_json(plan), changes)
            if found:
                entry = JournalEntry(1, later.made_at, "rollout_started")
                waits = Changes({"state": "scheduled"}, {}, (entry,))
                await opened.create("r-next", to_json(later), waits)
            await opened.close()

        asyncio.run(store())

    return again


SAME, OTHER = (NEW.name, NEW.manifest_sha256), ("other-3", "3" * 64)


def test_drift_that_was_seen_is_told_with_2(seen, capsys) -> None:
    seen(a=SAME, b=OTHER)

    code, out, err = run(capsys, "drift --offline")

    assert (code, err) == (2, "")
    assert "runs other-3; rollout r-hand left new\n    gw-2\n" in out
    assert run(capsys, "drift gw-1 --offline")[0] == ExitCode.DONE
    assert run(capsys, "drift all -l gw-1 --offline")[0] == ExitCode.DONE


def test_devices_that_nobody_looked_at_since_are_not_known(seen, capsys) -> None:
    seen()

    code, out, _ = run(capsys, "drift --offline")

    assert code == ExitCode.REFUSED
    assert "nobody has looked at it since rollout r-hand\n    gw-{1,2}" in out


def test_devices_that_do_not_answer_are_not_known_and_never_the_same(seen, capsys) -> None:
    seen(a=SAME, b=SAME)
    assert run(capsys, "drift --offline")[0] == ExitCode.DONE

    code, out, _ = run(capsys, "drift --format json")

    assert code == ExitCode.REFUSED
    found = json.loads(out)
    assert found["asked"]
    assert found["counts"] == {"same": 0, "differs": 0, "unknown": 2}
    assert {each["trouble"]["reason"] for each in found["devices"]} == {"host_key"}


@pytest.mark.parametrize(
    "words",
    [
        "drift nobody --offline", "drift --offline --odd", "drift --component UP --offline",
        "drift -i missing.yml --offline", "drift --offline --state nowhere/odd.db",
        "-C / drift --offline -i odd.yml", "drift a b c", "--state status drift --odd",
        "--color never -C . -q drift --odd", "--state=status drift --odd",
    ],
)  # fmt: skip
def test_no_error_reads_as_drift(seen, capsys, words) -> None:
    seen(a=SAME, b=OTHER)

    assert run(capsys, words)[0] == ExitCode.REFUSED


def test_store_that_is_none_does_not_read_as_drift(seen, capsys, tmp_path) -> None:
    (tmp_path / ".rollout").mkdir()
    (tmp_path / ".rollout/state.db").write_text("no database, whatever the name says" * 100)

    assert run(capsys, "drift --offline")[0] == ExitCode.REFUSED


def test_fleet_is_known_from_the_store_alone(seen, capsys) -> None:
    seen(a=SAME, b=OTHER)

    code, out, err = run(capsys, "fleet")

    assert (code, err) == (ExitCode.DONE, "")
    assert out.startswith("2 devices of all: 2 versions; as last seen, nobody was asked\n")
    assert "✗ 1 drifted\n" in out


def test_fleet_before_any_rollout_was_never_seen(seen, capsys) -> None:
    code, out, _ = run(capsys, "fleet gateways")

    assert code == ExitCode.DONE
    assert "! 2 never seen\n    gw-{1,2}\n" in out


def test_fleet_is_grouped_by_what_is_asked_for(seen, capsys) -> None:
    seen(a=SAME, b=OTHER)

    by = {
        what: [group["value"] for group in json.loads(run(capsys, f"fleet --by {what} --format json")[1])["groups"]]
        for what in ("version", "site", "hardware", "rack")
    }  # fmt: skip

    assert by == {
        "version": ["new", "other-3"], "site": ["berlin", "paris"], "hardware": ["sim"],
        "rack": ["no rack", "r1"],
    }  # fmt: skip


def test_fleet_is_not_grouped_by_a_label_that_no_device_has(seen, capsys) -> None:
    code, out, err = run(capsys, "fleet --by sites")

    assert (code, out) == (ExitCode.REFUSED, "")
    assert "error[P215]: no device has the label `sites`; did you mean `site`?" in err
    assert "labels: `rack`, `site`" in err


def test_grouping_by_nothing_is_refused(seen, capsys) -> None:
    assert invoke(["fleet", "--by", ""]) == ExitCode.USAGE
    assert "Invalid value for --by: says nothing" in capsys.readouterr().err


def test_fleet_that_is_asked_tells_who_did_not_answer(seen, capsys) -> None:
    seen(a=SAME, b=SAME)

    code, out, _ = run(capsys, "fleet --refresh")

    assert code == ExitCode.DONE
    assert "; 0 answered at " in out
    assert "2 gave no answer when last looked at" in out


def test_fleet_is_rows_for_a_spreadsheet(seen, capsys, tmp_path) -> None:
    seen(a=SAME, b=OTHER)

    code, out, _ = run(capsys, "fleet --format csv -o fleet.csv")

    rows = list(csv.DictReader(io.StringIO((tmp_path / "fleet.csv").read_text())))
    assert (code, out) == (ExitCode.DONE, "")
    assert [(row["device"], row["version"], row["drift"], row["site"]) for row in rows] == [
        ("gw-1", "new", "same", "berlin"), ("gw-2", "other-3", "differs", "paris"),
    ]  # fmt: skip
