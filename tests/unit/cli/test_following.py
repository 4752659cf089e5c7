"""`apply` where its rollout is under way: it joins, takes over from the dead, and resumes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import api
from orchestrator.cli.app import invoke
from orchestrator.engine.ports import Changes, Lease
from orchestrator.errors import DrivenError, ExitCode
from orchestrator.plan.digest import to_json
from orchestrator.plan.schedule import Freeze, Schedule
from orchestrator.rollout.events import Ask, EngineStopping
from orchestrator.store.sql import SqlStore, open_store
from orchestrator.testing.hand import Hand
from tests.in_process import empty_project
from tests.site_release import make_site_release

OTHER = "ann@elsewhere:812:1:0123abcd"  # of another machine: only its lease tells that it lives
PLAN = """\
schema: 1
name: site
hosts: all
artifact: ./site.mender
waves: [1, rest]
soak: 1h
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""
APPLY = ["apply", "site.yml", "-i", "hosts.yml", "--yes", "--events", "events"]


@dataclass
class Other:
    """The process that drives: its rollout is driven by hand, under its lease."""

    state: str
    hand: Hand
    lease: Lease | None = None
    _written_count: int = 0

    def do(self, work: Callable[[SqlStore], Awaitable[None]]) -> None:
        async def connected() -> None:
            store = await open_store(self.state)
            try:
                await work(store)
            finally:
                await store.close()

        asyncio.run(connected())

    def begin(self, plan_json: bytes, *, lease_s: float) -> None:
        async def work(store: SqlStore) -> None:
            await store.create("r-hand", plan_json, self._changes())
            self.lease = await store.acquire("r-hand", OTHER, ttl_s=lease_s, now=time.time())

        self.do(work)

    async def write(self, store: SqlStore) -> None:
        assert self.lease is not None
        await store.commit(self.lease, [self._changes()])

    async def take_over(self, store: SqlStore) -> None:
        self.lease = await store.acquire("r-hand", OTHER, ttl_s=600, now=time.time())

    async def renew_no_more(self, store: SqlStore) -> None:
        assert self.lease is not None
        self.lease = await store.renew(self.lease, ttl_s=0.5, now=time.time())

    async def go(self, store: SqlStore) -> None:
        assert self.lease is not None
        await store.release(self.lease)

    def _changes(self) -> Changes:
        news = tuple(self.hand.journal[self._written_count :])
        self._written_count += len(news)
        return Changes(self.hand.rollout_row, dict(self.hand.rows), news)


class Events:
    """What a command writes to `--events`; once it looks on, something is done behind its back.

    `at`: or with so many lines of that type.
    """

    def __init__(
        self, meanwhile: Callable[[], None] = lambda: None, *, at: tuple[str, int] = ("standing", 1)
    ) -> None:
        self.lines: list[dict[str, Any]] = []
        self._meanwhile = meanwhile
        self._at = at
        os.mkfifo("events")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        what, count = self._at
        with Path("events").open() as stream:
            for line in stream:
                self.lines.append(json.loads(line))
                if self.lines[-1]["type"] == what:
                    count -= 1
                    if count == 0:
                        self._meanwhile()

    def journal(self) -> list[dict[str, Any]]:
        """Its entries, once the command is over."""
        self._thread.join()
        return [line for line in self.lines if "seq" in line]


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> api.Prepared:
    """A plan for one device whose host key nobody knows: an engine ends soon, and halted."""
    empty_project(tmp_path, monkeypatch)
    (tmp_path / "hosts.yml").write_text("webs: {hosts: {web1: {ansible_host: 127.0.0.1}}}\n")
    (tmp_path / "site.yml").write_text(PLAN)
    make_site_release(tmp_path)
    settings = api.Settings(root=tmp_path, state=str(tmp_path / "state.db"))
    monkeypatch.setenv("ROLLOUT_STATE", settings.state)
    source = api.Source(inventory=("hosts.yml",))
    request = api.PlanRequest(tmp_path / "site.yml", source, offline=True)
    return asyncio.run(api.prepare(settings, request))


@pytest.fixture
def other(prepared: api.Prepared, tmp_path: Path) -> Other:
    return Other(str(tmp_path / "state.db"), Hand(prepared.resolved))


def test_apply_joins_the_rollout_of_its_plan_and_ends_as_that_does(prepared, other, capsys) -> None:
    other.begin(prepared.plan_json, lease_s=600)
    other.hand.ask(Ask.ABORT)
    events = Events(lambda: other.do(other.write))

    code = invoke(APPLY)

    journal = events.journal()
    shown = capsys.readouterr()
    assert code == ExitCode.HALTED
    assert "joined rollout r-hand, which ann@elsewhere, process 812 drives; Ctrl-C" in shown.err
    assert "ABORTED site-1.0 (r-hand)" in shown.out
    assert [one["seq"] for one in journal] == list(range(1, len(other.hand.journal) + 1))
    assert [one["type"] for one in journal].count("engine_started") == 1, "it only looked on"


def test_apply_takes_over_when_the_lease_of_the_other_has_run_out(prepared, other, capsys) -> None:
    other.begin(prepared.plan_json, lease_s=600)
    events = Events(lambda: other.do(other.renew_no_more))

    code = invoke(APPLY)

    shown = capsys.readouterr()
    journal = events.journal()
    first, mine = [one for one in journal if one["type"] == "engine_started"]
    assert code == ExitCode.ROLLED_BACK
    assert other.lease is not None
    assert mine["ts"] >= other.lease.expires_at, "nothing before that"
    assert mine["data"]["epoch"] > first["data"]["epoch"]
    assert [one["seq"] for one in journal] == list(range(1, len(journal) + 1))
    assert [line["type"] for line in events.lines].count("version") == 1
    assert "going on with rollout r-hand" in shown.err
    assert shown.err.count("rollout r-hand: site-1.0 to 1 device") == 1


def test_what_a_person_told_to_stop_is_not_gone_on_with(prepared, other, capsys) -> None:
    other.begin(prepared.plan_json, lease_s=600)
    other.hand.apply(EngineStopping(other.hand.now))

    async def write_and_go(store: SqlStore) -> None:
        await other.write(store)
        await other.go(store)

    events = Events(lambda: other.do(write_and_go))

    code = invoke(APPLY)

    told = [one["type"] for one in events.journal()]
    shown = capsys.readouterr()
    assert code == ExitCode.WAITING
    assert "who drove rollout r-hand told it to stop, so it is not gone on with here" in shown.err
    assert "rollout resume r-hand" in shown.out
    assert (told.count("engine_stopping"), told.count("engine_started")) == (1, 1)


@pytest.mark.parametrize("found", [True, False])
def test_a_rollout_that_a_person_paused_elsewhere_is_not_waited_for(
    prepared, other, capsys, found
) -> None:
    other.hand.succeed("web1")  # and soaks
    if found:
        other.hand.ask(Ask.PAUSE, why="lunch")
    other.begin(prepared.plan_json, lease_s=600)
    if not found:
        other.hand.ask(Ask.PAUSE, why="lunch")
    events = Events(lambda: other.do(other.write))

    code = invoke(APPLY)

    told = [one["type"] for one in events.journal()]
    shown = capsys.readouterr()
    assert code == ExitCode.WAITING
    assert "rollout r-hand is paused by a person, so it is not waited for here" in shown.err
    assert "operator: ann: lunch" in shown.out
    assert "rollout resume r-hand" in shown.out
    assert told.count("engine_started") == 1, "it only looked on"


def test_with_wait_a_pause_elsewhere_is_waited_for(prepared, other, capsys) -> None:
    other.hand.succeed("web1")
    other.hand.ask(Ask.PAUSE)
    other.begin(prepared.plan_json, lease_s=600)
    other.hand.ask(Ask.ABORT)
    events = Events(lambda: other.do(other.write))

    code = invoke([*APPLY, "--wait"])

    events.journal()
    assert code == ExitCode.HALTED
    assert "ABORTED site-1.0 (r-hand)" in capsys.readouterr().out


@pytest.mark.parametrize(("wait", "begun"), [(False, True), (True, True), (False, False)])
def test_who_was_not_told_to_wait_leaves_one_that_waits_for_a_driver_that_stays(
    prepared, other, capsys, monkeypatch, wait, begun
) -> None:
    """But one that took over and has not begun yet only looks as if it waited."""
    monkeypatch.setattr("orchestrator.api.watching.REST_S", 0.0)
    leaves = begun and not wait
    closed = Schedule(freezes=(Freeze(0.0, 4e9, "year end"),))
    plan = replace(prepared.resolved, schedule=closed)
    other.hand = Hand(plan)
    other.begin(to_json(plan), lease_s=600 if begun else 0)
    if not begun:
        other.do(other.take_over)
    other.hand.ask(Ask.ABORT)
    events = Events(lambda: None if leaves else other.do(other.write))

    code = invoke([*APPLY, *["--wait"] * wait])

    told = [one["type"] for one in events.journal()]
    shown = capsys.readouterr()
    assert code == (ExitCode.WAITING if leaves else ExitCode.HALTED)
    rests = "rollout r-hand waits for freeze until 2096-10-02 07:06:40Z, so it is not waited for"
    assert (rests in shown.err) is leaves
    assert told.count("engine_started") == 1, "it only looked on"


def test_a_pause_while_it_is_driven_here_ends_it(prepared, other, tmp_path, capsys) -> None:
    other.hand.tick(time.time())
    other.hand.succeed("web1")  # and soaks
    other.begin(prepared.plan_json, lease_s=0.0)
    settings = api.Settings(root=tmp_path, state=other.state)
    request = api.AskRequest(None, Ask.PAUSE, "tea")
    events = Events(lambda: asyncio.run(api.ask(settings, request)), at=("engine_started", 2))

    code = invoke(APPLY)

    told = [one["type"] for one in events.journal()]
    shown = capsys.readouterr()
    assert code == ExitCode.WAITING
    assert "PAUSED site-1.0 (r-hand)" in shown.out
    assert ": tea" in shown.out
    assert "rollout resume r-hand" in shown.out
    assert "engine_stopping" not in told


def test_two_that_begin_at_the_same_moment_have_one_rollout(prepared, other, tmp_path) -> None:
    """The plan was prepared before the other one had begun; saved plans too."""
    settings = api.Settings(root=tmp_path, state=other.state)
    other.begin(prepared.plan_json, lease_s=600)
    saved = api.PlanRequest(tmp_path / "site.plan")
    saved.plan.write_bytes(prepared.saved_file)
    idle = api.Settings(root=tmp_path, state=str(tmp_path / "empty.db"))
    of_file = asyncio.run(api.prepare(idle, saved))

    for plan in (prepared, of_file):
        assert plan.continues is None
        with pytest.raises(DrivenError) as driven:
            asyncio.run(api.apply(settings, plan, observer=api.Nobody(), drain=asyncio.Event()))
        assert (driven.value.rollout_id, driven.value.owner) == ("r-hand", OTHER)


def test_rollback_of_a_pattern_reads_the_inventory_of_the_rollout(prepared, other, capsys) -> None:
    other.hand.succeed("web1")
    other.begin(prepared.plan_json, lease_s=0.0)

    code = invoke(["rollback", "--hosts", "all:!webs", "--yes"])

    assert code == ExitCode.REFUSED
    assert "no device of rollout `r-hand` matches `all:!webs`" in capsys.readouterr().err


def test_apply_does_not_resume_what_a_person_paused(prepared, other, capsys) -> None:
    other.hand.succeed("web1")  # and soaks
    other.hand.ask(Ask.PAUSE, why="lunch")
    other.begin(prepared.plan_json, lease_s=0.0)
    events = Events()

    code = invoke(APPLY)

    told = [one["type"] for one in events.journal()]
    shown = capsys.readouterr()
    assert code == ExitCode.WAITING
    assert (
        "rollout r-hand is paused by ann: lunch; it starts no device until `rollout " in shown.err
    )
    assert "PAUSED site-1.0 (r-hand)" in shown.out
    assert "operator: ann: lunch" in shown.out
    assert "rollout resume r-hand" in shown.out
    assert "resumed" not in told
