"""`rollout device unhold` over the real store: names and patterns, with and without an inventory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.engine.ports import Changes
from orchestrator.errors import ExitCode
from orchestrator.plan.digest import to_json
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.events import JournalEntry
from orchestrator.store.sql import open_store
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import make_plan
from tests.in_process import empty_project, run

HOSTS = "gateways: {hosts: {gw-1: , gw-2: , gw-3: }}\nlab: {hosts: {bench-1: }}\n"
Freed = Callable[[str], list[str]]


@pytest.fixture
def freed(tmp_path: Path, monkeypatch, capsys) -> Freed:
    """Runs `device unhold` where gw-1, gw-2 and bench-1 are held; what it said, line by line."""
    empty_project(tmp_path, monkeypatch)
    (tmp_path / "hosts.yml").write_text(HOSTS)
    names = tuple(DeviceId(name) for name in ("gw-1", "gw-2", "gw-3", "bench-1"))

    async def store() -> None:
        hand = Hand(make_plan([ResolvedWave("all", "rest", names)]))
        opened = await open_store(str(tmp_path / ".rollout/state.db"))
        changes = Changes(hand.rollout_row, hand.rows, tuple(hand.journal))
        await opened.create("r-hand", to_json(hand.plan), changes)
        lease = await opened.acquire("r-hand", "me", ttl_s=15, now=time.time())
        row = {"state": "failed", "reason": "check_failed", "since": 7.0}
        entry = JournalEntry(hand.journal[-1].seq + 1, 8.0, "device_state")
        rows = {name: row for name in names if name != "gw-3"}
        await opened.commit(lease, [Changes({"state": "aborted"}, rows, (entry,))])
        await opened.close()

    asyncio.run(store())

    def unhold(words: str) -> list[str]:
        code, out, err = run(capsys, f"device unhold {words} --reason mended")
        assert (code, out) == (ExitCode.DONE, "")
        return err.splitlines()

    return unhold


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("gw-1 gw-3 gone", ["gw-1: free again", "gw-3: was not held", "gone: was not held"]),
        ("gw-* -i hosts.yml", ["gw-1: free again", "gw-2: free again"]),
        ("all:!gateways -i hosts.yml", ["bench-1: free again"]),
        ("gateways -i hosts.yml -l gw-2", ["gw-2: free again"]),
        (
            "lab gw-? -i hosts.yml",
            ["bench-1: free again", "gw-1: free again", "gw-2: free again"],
        ),
        ("gateways:&lab -i hosts.yml", ["gateways:&lab: no device matches"]),
        ("gone -i hosts.yml", ["gone: was not held"]),
        ("gw-1 -i missing.yml", ["gw-1: free again"]),
    ],
)
def test_devices_are_let_go_by_name_and_pattern(freed: Freed, words: str, said) -> None:
    assert freed(words) == said


def test_nothing_is_let_go_twice(freed: Freed) -> None:
    freed("gw-* -i hosts.yml")

    assert freed("gw-* -i hosts.yml") == ["gw-*: none of 3 devices was held"]


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ("gw-*", ExitCode.REFUSED, "no inventory was given"),
        ("wg-* -i hosts.yml", ExitCode.REFUSED, "no group and no host matches `wg-*`"),
    ],
)
def test_pattern_that_means_nothing_lets_nobody_go(freed, capsys, words, code, why) -> None:
    ended, _, err = run(capsys, f"device unhold {words} --reason mended")

    assert ended == code
    assert why in err
    assert freed("gw-1") == ["gw-1: free again"]
