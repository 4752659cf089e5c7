"""`rollout watch` over the real store: what is printed where, and the exit code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from orchestrator.cli.app import invoke
from orchestrator.engine.ports import Changes
from orchestrator.errors import ExitCode
from orchestrator.plan.digest import to_json
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.events import Ask
from orchestrator.store.sql import open_store
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan
from tests.in_process import empty_project

SCHEMA = Path(__file__).parents[3] / "schemas/events.v1.json"
A, B = device_ids(2)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Hand], None]:
    """Stores a rollout that was driven by hand, as the newest of the project."""
    empty_project(tmp_path, monkeypatch)
    monkeypatch.setenv("ROLLOUT_STATE", str(tmp_path / "state.db"))

    def keep(hand: Hand) -> None:
        async def write() -> None:
            found = await open_store(str(tmp_path / "state.db"))
            changes = Changes(hand.rollout_row, hand.rows, tuple(hand.journal))
            await found.create("r-hand", to_json(hand.plan), changes)
            await found.close()

        asyncio.run(write())

    return keep


@pytest.fixture
def hand() -> Hand:
    waves = [ResolvedWave("canary", "1", (A,), soak_s=60.0), ResolvedWave("rest", "rest", (B,))]
    return Hand(make_plan(waves))


def test_end_of_a_rollout_is_said_as_status_says_it(store, hand, capsys) -> None:
    hand.succeed(A)
    hand.ask(Ask.ABORT)
    store(hand)

    code = invoke(["watch"])

    shown = capsys.readouterr()
    assert code == ExitCode.HALTED
    assert "wave canary: 1/1 updated, soaking for 1m" in shown.err
    assert "no engine" not in shown.err
    words = [line for line in shown.out.splitlines()[1:] if "exit code 4" not in line]
    assert invoke(["status"]) == 0
    status = capsys.readouterr().out.splitlines()
    assert [line for line in words if "rollout status" not in line] == status


def test_end_of_the_time_says_why_it_waits_and_what_to_type(store, hand, capsys) -> None:
    hand.succeed(A)
    store(hand)

    code = invoke(["watch", "r-hand", "--timeout", "100ms"])

    shown = capsys.readouterr()
    nobody = "waits for soak; no engine drives it: `rollout resume r-hand` goes on"
    assert code == ExitCode.WAITING
    first, *_, why, last = shown.err.splitlines()
    assert "rollout r-hand: " in first
    assert why.endswith(nobody)
    assert last == f"stopped watching r-hand: {nobody}"
    assert "INTERRUPTED" in shown.out


def test_lines_for_programs_are_the_journal_and_where_it_stands(store, hand, capsys) -> None:
    hand.succeed(A)
    store(hand)

    code = invoke(["watch", "--events", "-", "--timeout", "0s", "--quiet"])

    shown = capsys.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    schema = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert code == ExitCode.WAITING
    for line in lines:
        schema.validate(line)
    assert [line["seq"] for line in lines[1:-1]] == list(range(1, len(lines) - 1))
    assert lines[-1]["data"] == {
        "state": "running",
        "engine": "",
        "waits_for": ["soak"],
        "next_at": 60.0,
        "held_up": [],
        "next_commands": ["rollout resume r-hand"],
        "exit": 7,
    }


def test_time_that_is_none_is_refused(store, hand, capsys) -> None:
    store(hand)

    assert invoke(["watch", "--timeout", "soon"]) == ExitCode.USAGE
    assert "--timeout" in capsys.readouterr().err
