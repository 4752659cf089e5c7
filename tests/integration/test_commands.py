"""Commands that talk to devices and to the store, in this process, on a small real lab."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from orchestrator.cli.app import invoke
from orchestrator.errors import ExitCode
from orchestrator.store.sql import open_store
from tests.children import child
from tests.in_process import empty_project, run
from tests.terminal import on_terminal
from tests.unit.store.samples import PLAN as SAMPLE
from tests.unit.store.samples import changes, entry

pytestmark = pytest.mark.integration

SCHEMAS = Path(__file__).parents[2] / "schemas"
PLAN = """\
schema: 1
name: app
hosts: lab
artifact: ./app-{version}.mender
waves: [{{name: canary, size: 1}}, {{name: rest, size: rest}}]
on_failure: {on_failure}
gates:
  - name: service healthy
    check: app
    success_when: result.exit == 0
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Iterator[Path]:
    """A project with two good releases, a bad one, and a lab of three devices."""
    root = tmp_path_factory.mktemp("fleet")
    patch = pytest.MonkeyPatch()
    empty_project(root, patch)
    (root / "rollout.toml").write_text('inventory = [".rollout/lab/inventory.yml"]\n')
    assert invoke(["key", "generate", "release.key"]) == 0
    for version, healthy in (("1.0", True), ("1.1", False), ("1.2", True)):
        (root / version).mkdir()
        settings = {"version": version, "healthy": healthy}
        (root / version / "service.json").write_text(json.dumps(settings))
        words = f"artifact build directory {version} --dest /opt/app -n app-{version} -t lab"
        out = f"-o app-{version}.mender --key release.key"
        assert invoke([*words.split(), *out.split()]) == 0
        on_failure = "rollback" if version == "1.1" else "halt"
        plan = PLAN.format(version=version, on_failure=on_failure)
        (root / f"app-{version}.yml").write_text(plan)
    assert invoke(["lab", "up", "--devices", "3", "--key", "release.key.pub", "-q"]) == 0
    try:
        yield root
    finally:
        assert invoke(["lab", "down"]) == 0
        patch.undo()


@pytest.fixture(scope="module")
def applied(fleet: Path) -> dict[str, str]:
    """Ids of a rollout that succeeded and of a later one that was halted and rolled back."""
    good = ["apply", "app-1.0.yml", "--yes", "-q", "-v", "--events", "good.jsonl"]
    assert invoke([*good, "--log-file", "good.log", "--log-format", "json"]) == 0
    code = invoke(["apply", "app-1.1.yml", "--yes", "-q", "--events", "bad.jsonl"])
    assert code == ExitCode.ROLLED_BACK
    first = {name: json.loads((fleet / f"{name}.jsonl").read_text().splitlines()[0])
             for name in ("good", "bad")}  # fmt: skip
    return {name: line["rollout"] for name, line in first.items()}


def check(name: str, document: object) -> None:
    schema = json.loads((SCHEMAS / f"{name}.v1.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)


def test_devices_answer_as_text_and_data(fleet, capsys) -> None:
    code, out, _ = run(capsys, "device check all")
    assert code == 0
    assert sorted(out.splitlines()) == ["✓ lab-01", "✓ lab-02", "✓ lab-03"]

    code, out, _ = run(capsys, "device facts lab-02 --format json")
    found = json.loads(out)
    check("devices", found)
    assert (code, found["ok_count"]) == (0, 1)
    assert found["devices"][0]["facts"]["device-type"] == "lab"

    assert "device-type" in run(capsys, "device facts lab-02")[1]


def test_component_has_a_version_of_its_own(applied, fleet, capsys) -> None:
    words = "artifact build directory 1.0 --dest /opt/modem -n modem-7.3 -t lab -o modem.mender"
    assert run(capsys, f"{words} --key release.key")[0] == 0
    plan = PLAN.replace("name: app", "name: modem\ncomponent: modem", 1)
    plan = plan.replace("./app-{version}.mender", "./modem.mender")
    (fleet / "modem.yml").write_text(plan.format(on_failure="rollback"))

    before = json.loads(run(capsys, "preview app-1.0.yml --format json")[1])
    first = json.loads(run(capsys, "preview modem.yml --format json")[1])
    done = run(capsys, "apply modem.yml --yes -q")
    modem = json.loads(run(capsys, "preview modem.yml --format json")[1])
    main = json.loads(run(capsys, "preview app-1.0.yml --format json")[1])

    assert done[0] == ExitCode.DONE
    assert [one["plan"]["component"] for one in (first, modem, main)] == ["modem", "modem", "main"]
    assert [one["counts"]["update"] for one in (first, modem)] == [3, 0]
    assert main["counts"] == before["counts"]
    assert "for lab, component modem" in run(capsys, "preview modem.yml")[1]
    assert run(capsys, "device adopt lab --yes --component ../x")[0] == ExitCode.REFUSED
    assert run(capsys, "device adopt lab --yes --component modem")[0] == ExitCode.DONE


def test_devices_of_another_controller_are_left_out_until_they_are_adopted(applied, capsys) -> None:
    other = "--state other/other.db"  # with checkpoints of its own beside it

    refused = run(capsys, f"preview app-1.2.yml {other}")
    unasked = run(capsys, f"device adopt lab {other}")
    adopted = run(capsys, f"device adopt lab --yes {other}")
    seen = run(capsys, f"preview app-1.2.yml {other}")
    back = run(capsys, "device adopt lab --yes")

    assert refused[0] == ExitCode.REFUSED
    assert "3 fenced" in refused[2]
    assert "rollout device adopt" in " ".join(refused[2].split())
    assert (unasked[0], adopted[0], seen[0], back[0]) == (1, 0, 0, 0)
    assert len(adopted[1].splitlines()) == 3


async def _of_another_controller(path: str) -> None:
    store = await open_store(path)
    await store.create("r-1", SAMPLE, changes(entry(1, "rollout_started")))
    await store.close()


def test_devices_show_that_the_end_of_a_journal_was_cut_off(applied, fleet, capsys) -> None:
    """Attack 13: whoever holds the store, and the key of its checkpoints, holds no device's memory."""
    assert run(capsys, "state backup cut.db")[0] == 0
    with contextlib.closing(sqlite3.connect(fleet / "cut.db")) as store, store:
        here = f"rollout_id = '{applied['good']}'"
        (last,) = store.execute(f"SELECT max(seq) FROM journal WHERE {here}").fetchone()
        store.execute(f"DELETE FROM journal WHERE {here} AND seq > {last - 12}")
        store.execute(f"UPDATE rollouts SET last_seq = {last - 12} WHERE id = '{applied['good']}'")
    asyncio.run(_of_another_controller("anew.db"))
    ghost = "all: {hosts: {ghost: {ansible_host: 127.0.0.1, ansible_port: 1}}}"
    (fleet / "ghost.yml").write_text(ghost)

    whole = run(capsys, "audit verify --with-fleet")
    chain = run(capsys, "audit verify --state cut.db")
    anew = run(capsys, "audit verify --state anew.db --with-fleet")
    cut = run(capsys, "audit verify --state cut.db --with-fleet --format json")
    partly = run(capsys, "audit verify --with-fleet -i .rollout/lab/inventory.yml -i ghost.yml")

    assert (whole[0], chain[0], cut[0], partly[0]) == (0, 0, 1, ExitCode.PARTIAL)
    assert "3 of 3 devices answered" in whole[1]
    assert anew[0] == ExitCode.PARTIAL
    assert "3 of them have nothing of these journals" in " ".join(anew[1].split())
    found = json.loads(cut[1])
    check("audit", found)
    (finding,) = found["findings"]
    assert (finding["code"], finding["rollout"], finding["seq"]) == (
        "J103",
        applied["good"],
        last - 11,
    )
    assert "device `lab-" in finding["message"]
    assert partly[1].startswith("the journals hold, as far as devices could be asked")
    assert "  not asked: ghost: " in partly[1]


def test_status_of_both_rollouts(applied, capsys) -> None:
    code, out, _ = run(capsys, f"status {applied['bad']} --format json")
    found = json.loads(out)
    check("status", found)
    assert (code, found["rollout"], found["state"]) == (0, applied["bad"], "rolled_back")
    assert (found["counts"]["untouched"], found["counts"]["on_new"]) == (2, 0)

    _, text, _ = run(capsys, f"status {applied['good']}")
    assert "SUCCEEDED app-1.0" in text

    _, text, _ = run(capsys, "status --all")
    listed = [line.split()[0] for line in text.splitlines()[1:]]
    assert listed[-2:] == [applied["bad"], applied["good"]]
    check("rollouts", json.loads(run(capsys, "status --all --format json")[1]))


def test_events_go_on_after_a_number(applied, capsys) -> None:
    _, whole, _ = run(capsys, f"events {applied['good']}")
    _, later, _ = run(capsys, f"events {applied['good']} --since 5")

    lines = [json.loads(line) for line in whole.splitlines()]
    for line in lines:
        check("events", line)
    assert [line["seq"] for line in lines[1:]] == list(range(1, len(lines)))
    assert later.splitlines()[1:] == whole.splitlines()[6:]


def test_events_in_a_file_are_those_of_the_journal(applied, fleet, capsys) -> None:
    _, whole, _ = run(capsys, f"events {applied['good']}")

    assert (fleet / "good.jsonl").read_text() == whole


def test_events_as_text_name_the_device_and_why(applied, capsys) -> None:
    _, out, _ = run(capsys, f"events {applied['bad']} --format text")

    assert "rolling back (health check failed: gate `service healthy` failed)" in out
    assert "halted in wave canary: budget: 1 failure, 0 allowed" in out


@pytest.mark.parametrize("verb", ["pause", "resume", "abort"])
def test_a_rollout_that_is_over_takes_no_orders(applied, capsys, verb) -> None:
    code, out, err = run(capsys, f"{verb} {applied['good']}")

    assert code == ExitCode.REFUSED
    assert out == ""
    assert "over" in err


def test_rolling_back_wants_a_confirmation(applied, capsys) -> None:
    code, _, err = run(capsys, f"rollback {applied['good']}")

    assert code == ExitCode.REFUSED
    assert "concerns 3 devices" in err


def test_a_rollout_that_is_over_is_rolled_back(applied, fleet, capsys) -> None:
    (fleet / "1.3").mkdir()
    (fleet / "1.3" / "service.json").write_text('{"version": "1.3", "healthy": true}')
    build = "artifact build directory 1.3 --dest /opt/app -n app-1.3 -t lab -o app-1.3.mender"
    assert run(capsys, f"{build} --key release.key")[0] == 0
    (fleet / "app-1.3.yml").write_text(PLAN.format(version="1.3", on_failure="halt"))
    assert run(capsys, "apply app-1.3.yml --yes -q")[0] == 0
    (fleet / "app-1.3.mender").unlink()  # the way back needs nothing of it

    saved = run(capsys, "rollback --device lab-02 --out one.plan")
    one = run(capsys, "apply one.plan --yes")
    stale = run(capsys, "apply one.plan --yes")
    rest = run(capsys, "rollback --yes --reason dark-screens")
    again = run(capsys, "rollback --yes")
    status = json.loads(run(capsys, "status --format json")[1])
    _, events, _ = run(capsys, "events --format text")

    check("status", status)
    assert (saved[0], one[0], stale[0]) == (ExitCode.DONE, ExitCode.DONE, ExitCode.STALE)
    assert "back to app-1." in saved[1]
    assert (rest[0], again[0]) == (ExitCode.DONE, ExitCode.DONE)
    assert "ROLLED BACK app-1.3" in rest[1]
    assert "nothing to do: it is over: rolled back" in again[2]
    assert (status["state"], status["exit_code"]) == ("rolled_back", ExitCode.ROLLED_BACK)
    assert "dark-screens" in events
    assert "app-1.3" not in run(capsys, "device facts all --format json")[1]


def test_drift_is_what_a_device_has_in_place_and_no_rollout_left_there(
    applied, fleet, capsys
) -> None:
    info = json.loads((fleet / ".rollout/lab/lab.json").read_text())
    (service,) = Path(info["directory"], "devices/lab-02/opt/app").resolve().glob("service.json")
    before = service.read_bytes()
    code, out, _ = run(capsys, "drift")
    assert (code, out) == (
        0,
        "3 devices of all: 3 as the last rollout left them, 0 different, 0 not known\n",
    )
    service.write_bytes(before + b" ")
    try:
        code, out, _ = run(capsys, "drift --format json")
        shown = run(capsys, "fleet --refresh --by hardware --format json")[1]
    finally:
        service.write_bytes(before)

    found = json.loads(out)
    check("drift", found)
    check("fleet", json.loads(shown))
    assert (code, found["counts"]) == (2, {"same": 2, "differs": 1, "unknown": 0})
    (differs,) = found["devices"]
    assert (differs["device"], differs["seen"]["active"]) == ("lab-02", "no")
    assert "what is in place is not app-1." in differs["why"]
    assert [group["value"] for group in json.loads(shown)["groups"]] == ["lab"]


def test_an_unknown_rollout_is_said(applied, capsys) -> None:
    code, out, err = run(capsys, "status r-nothing")

    assert code != 0
    assert out == ""
    assert "r-nothing" in err


def test_the_lab_is_shown_and_broken(applied, capsys) -> None:
    code, out, _ = run(capsys, "lab status --format json")
    found = json.loads(out)
    check("lab", found)
    assert (code, len(found["devices"])) == (0, 3)
    assert {"healthy", "empty"} >= {device["state"] for device in found["devices"]}
    assert "lab-01" in run(capsys, "lab status")[1]

    assert run(capsys, "lab break lab-03 --mode offline")[0] == 0
    try:
        code, out, err = run(capsys, "device check lab-03")
        assert code == ExitCode.PARTIAL
        assert "not reachable" in out
        assert "1 of 1 device did not answer well" in err
    finally:
        assert run(capsys, "lab break lab-03 --mode none")[0] == 0


def test_on_a_terminal_it_asks_for_the_number_and_draws(applied, fleet, capsys) -> None:
    """A real pseudo-terminal: a wrong number changes nothing, the right one rolls out."""
    wrong, code = at_terminal("apply app-1.2.yml", fleet, answer="y")
    assert code == ExitCode.REFUSED
    assert "nothing was changed" in wrong
    assert "\x1b[?25l" not in wrong

    right, code = at_terminal("apply app-1.2.yml", fleet, answer="3")
    assert code == 0
    assert "Apply: 3 devices? Type 3: " in right
    assert "\x1b[?25l" in right
    assert right.rindex("\x1b[?25h") > right.rindex("\x1b[?25l")
    assert "SUCCEEDED" in right

    code, _, err = run(capsys, "apply app-1.2.yml")
    assert code == 0
    assert "nothing to do" in err
    assert run(capsys, "preview app-1.2.yml --detailed-exitcode")[0] == 0


def at_terminal(words: str, directory: Path, *, answer: str) -> tuple[str, int]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    program = [sys.executable, "-m", "orchestrator", *words.split()]
    answers = {"? Type 3: ": answer}
    seen = on_terminal(program, answers, cwd=directory, env=environment, hidden=False)
    return seen.text, seen.code


def test_log_has_the_journal_and_every_connection_one_line_each(fleet, applied) -> None:
    lines = [json.loads(line) for line in (fleet / "good.log").read_text().splitlines()]
    journal = [json.loads(line) for line in (fleet / "good.jsonl").read_text().splitlines()]

    of_rollout = [line["event"] for line in lines if "seq" in line]
    assert of_rollout == [f"rollout.{entry['type']}" for entry in journal if "seq" in entry]
    assert {line["rollout"] for line in lines if "rollout" in line} == {applied["good"]}
    connected = [line for line in lines if line["event"] == "ssh.connected"]
    assert {line["device"] for line in connected} == {"lab-01", "lab-02", "lab-03"}
    assert {line["level"] for line in connected} == {"debug"}


def test_a_lab_in_the_foreground_ends_with_its_command(fleet, tmp_path) -> None:
    words = ["lab", "up", "-n", "1", "--foreground", "--dir", str(tmp_path)]
    with child(
        [sys.executable, "-m", "orchestrator", *words],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as lab:
        inventory = Path(lab.stdout.readline().strip())
        assert inventory.is_file()

        lab.send_signal(signal.SIGTERM)

        assert lab.wait(30) == 0
    assert not inventory.exists()
