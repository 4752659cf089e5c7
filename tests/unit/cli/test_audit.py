"""`rollout audit`: what it prints, its document against the schema, its exit codes."""

import asyncio
import json
import sqlite3
from pathlib import Path

import jsonschema
import pytest

from orchestrator.cli.app import invoke
from orchestrator.store.sql import open_store
from tests.unit.store.samples import PLAN, changes, entry

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/audit.v1.json").read_text())


@pytest.fixture
def state(tmp_path, monkeypatch):
    """A store with a rollout of three entries."""
    path = tmp_path / "state.db"
    monkeypatch.setenv("ROLLOUT_CONFIG", str(tmp_path / "user.toml"))
    (tmp_path / "user.toml").touch()
    monkeypatch.setenv("ROLLOUT_STATE", str(path))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)

    async def fill():
        store = await open_store(str(path))
        entries = (entry(1, "rollout_started"), entry(2), entry(3))
        await store.create("r-1", PLAN, changes(*entries))
        await store.close()

    asyncio.run(fill())
    return path


def verify(capsys, *words):
    code = invoke(["audit", "verify", *words])
    return code, capsys.readouterr().out


def document(capsys):
    code, out = verify(capsys, "--format", "json")
    found = json.loads(out)
    jsonschema.validate(found, SCHEMA)
    return code, found


def change(path, statement):
    with sqlite3.connect(path) as database:
        database.execute(statement)
    database.close()


def test_journals_that_hold_end_with_0(state, capsys):
    before = verify(capsys)
    assert invoke(["audit", "checkpoint"]) == 0
    said = capsys.readouterr()
    code, out = verify(capsys)

    assert before[0] == 0
    assert before[1].startswith("the journals hold: 1 rollout, 3 entries\nno checkpoint vouches")
    assert said.err == f"1 checkpoint added to {state.parent / 'checkpoints'}\n"
    assert code == 0
    assert "1 checkpoint of" in out
    assert "0 entries came after the last of a journal\n  signatures count by engine SHA256:" in out


def test_document_of_journals_that_hold(state, capsys):
    invoke(["audit", "checkpoint"])
    capsys.readouterr()

    code, found = document(capsys)

    assert (code, found["holds"], found["rollouts"], found["entries"]) == (0, True, 1, 3)
    assert found["checkpoints"]["good"] == 1
    assert (found["findings"], found["entries_after_checkpoints"]) == ([], 0)


def test_first_broken_entry_is_named_and_ends_with_1(state, capsys):
    change(state, "UPDATE journal SET data = '{}' || ' ' WHERE seq = 2")

    code, out = verify(capsys)
    same, found = document(capsys)

    assert code == same == 1
    first, second = out.splitlines()[:2]
    assert first == "the journals do not hold: 1 finding (1 rollout, 1 entry)"
    assert second == (
        "  J101 rollout r-1, entry 2, 1970-01-01 00:16 UTC, device_state: this entry is not "
        "what was written, or does not follow the one before it"
    )
    (finding,) = found["findings"]
    assert not found["holds"]
    assert (finding["code"], finding["rollout"], finding["seq"]) == ("J101", "r-1", 2)
    assert (finding["at"], finding["event"]) == (1002.0, "device_state")


def test_cut_tail_is_named(state, capsys):
    invoke(["audit", "checkpoint"])
    change(state, "DELETE FROM journal WHERE seq = 3")
    change(state, "UPDATE rollouts SET last_seq = 2")
    capsys.readouterr()

    code, out = verify(capsys)

    assert code == 1
    assert "J103 rollout r-1, entry 3: the journal ends at 2, and the checkpoint in line 1" in out


def test_text_of_an_attacker_reaches_the_terminal_escaped(state, capsys):
    change(state, "UPDATE journal SET type = char(27) || '[2J' WHERE seq = 2")

    assert "\x1b" not in verify(capsys)[1]


def test_checkpoints_that_are_not_there_are_an_error(state, capsys):
    assert invoke(["audit", "verify", "--checkpoints", "none"]) == 1
    assert "cannot read `none`: no such file" in capsys.readouterr().err


def test_devices_are_named_only_to_be_asked(state, capsys):
    assert invoke(["audit", "verify", "-l", "gateways"]) == 1
    assert "hint: ask them with `--with-fleet`" in capsys.readouterr().err


def test_device_that_cannot_be_asked_is_named_and_ends_with_3(state, capsys):
    """Nobody answered: that is not fine, and no finding either."""
    Path("fleet.yml").write_text(
        "all: {hosts: {ghost: {ansible_host: 127.0.0.1, ansible_port: 1}}}"
    )
    words = ("--with-fleet", "-i", "fleet.yml")

    code, out = verify(capsys, *words)
    same, data = verify(capsys, *words, "--format", "json")
    found = json.loads(data)

    assert code == same == 3
    first, second, third = out.splitlines()[:3]
    assert first == "the journals hold, as far as devices could be asked: 1 rollout, 3 entries"
    assert second == "0 of 1 device answered, 0 heads of theirs found again"
    assert third.startswith("  not asked: ghost: ")
    jsonschema.validate(found, SCHEMA)
    assert (found["holds"], found["devices"]["asked"], found["devices"]["good"]) == (True, 1, 0)
    assert [one["device"] for one in found["devices"]["not_asked"]] == ["ghost"]
