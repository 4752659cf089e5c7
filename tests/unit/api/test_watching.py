"""Following a rollout of another process: what is told and when, on both kinds of store."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api.stores import open_state
from orchestrator.engine.ports import Changes, Lease
from orchestrator.errors import ExitCode, PlanError, StoreError
from orchestrator.plan.digest import to_json
from orchestrator.plan.envelope import to_saved
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.events import Ask, JournalEntry
from orchestrator.rollout.states import RolloutState
from orchestrator.store.sql import SqlStore
from orchestrator.testing.hand import DIGEST, Hand
from orchestrator.testing.plans import device_ids, make_plan
from tests.patience import within

A, B = device_ids(2)
ENGINE = "ann@elsewhere:1:1:0123abcd"  # of another machine: only its lease tells that it lives
PROMISED_S = 1.0


@dataclass
class Looker:
    """Keeps what it is told, and lets a test wait for it."""

    run: api.Run | None = None
    entries: list[JournalEntry] = field(default_factory=list)
    standings: list[api.Status] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def started(self, run: api.Run) -> None:
        self.run = run
        self.entries.extend(run.history)

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        self.entries.extend(entries)

    def waits(self, found: object) -> None: ...

    def working(self, device: str, step: str, sent_bytes: int, total_bytes: int) -> None: ...

    def tick(self, now: float) -> None: ...

    def stands(self, status: api.Status) -> None:
        self.standings.append(status)
        self.news.set()

    async def until(self, wanted: Callable[[api.Status], bool]) -> float:
        """Waits for such a standing; gives how long that took."""
        begun_at = time.monotonic()
        async with asyncio.timeout(10):
            while not (self.standings and wanted(self.standings[-1])):
                self.news.clear()
                await self.news.wait()
        return time.monotonic() - begun_at


class Engine:
    """The process that drives: writes what a rollout driven by hand has come to."""

    def __init__(self, store: SqlStore) -> None:
        waves = [ResolvedWave("canary", "1", (A,), soak_s=60.0), ResolvedWave("rest", "rest", (B,))]
        self.hand = Hand(make_plan(waves))
        self.store = store
        self.lease: Lease | None = None
        self._written_count = 0

    async def start(self) -> None:
        plan_json = to_json(self.hand.plan)
        await self.store.create("r-hand", plan_json, self._changes())
        self.lease = await self.store.acquire("r-hand", ENGINE, ttl_s=600, now=time.time())

    async def write(self) -> None:
        assert self.lease is not None
        await self.store.commit(self.lease, [self._changes()])

    async def go(self) -> None:
        assert self.lease is not None
        await self.store.release(self.lease)

    def _changes(self) -> Changes:
        news = tuple(self.hand.journal[self._written_count :])
        self._written_count += len(news)
        return Changes(self.hand.rollout_row, dict(self.hand.rows), news)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> api.Settings:
    on_file = request.param == "sqlite"
    state = str(tmp_path / "state.db") if on_file else request.getfixturevalue("postgres_url")
    return api.Settings(root=tmp_path, state=state)


@asynccontextmanager
async def driven(settings: api.Settings) -> AsyncIterator[Engine]:
    async with open_state(settings) as store:
        engine = Engine(store)
        await engine.start()
        yield engine


def watching(settings: api.Settings, looker: Looker, **choices: object) -> asyncio.Task[api.Status]:
    watch = api.watch(settings, None, onlooker=looker, **choices)  # type: ignore[arg-type]
    return asyncio.ensure_future(watch)


async def test_watcher_hears_of_everything_within_a_second(settings: api.Settings) -> None:
    looker = Looker()
    async with driven(settings) as engine:
        task = watching(settings, looker)
        await looker.until(lambda status: status.engine == ENGINE)

        engine.hand.succeed(A)
        await engine.write()
        took_s = await looker.until(lambda status: status.story.waits_for == ("soak",))

        await engine.go()
        lost_s = await looker.until(lambda status: not status.engine)
        task.cancel()
    assert max(took_s, lost_s) < within(PROMISED_S)
    assert [entry.seq for entry in looker.entries] == list(range(1, len(looker.entries) + 1))


async def test_watching_ends_with_the_rollout_and_its_exit_code(settings: api.Settings) -> None:
    looker = Looker()
    async with driven(settings) as engine:
        task = watching(settings, looker)
        await looker.until(lambda status: True)

        engine.hand.succeed(A)
        engine.hand.ask(Ask.ABORT)
        await engine.write()
        found = await task

    assert found.story.state is RolloutState.ABORTED
    assert found.story.exit_code is ExitCode.HALTED
    assert looker.standings[-1] is found
    assert looker.entries == engine.hand.journal


async def test_halted_rollout_is_watched_on_until_the_time_is_over(settings: api.Settings) -> None:
    looker = Looker()
    async with driven(settings) as engine:
        engine.hand.ask(Ask.HALT)
        await engine.write()

        found = await watching(settings, looker, timeout_s=0.5)

    assert found.story.state is RolloutState.HALTED
    assert found.story.exit_code is ExitCode.ROLLED_BACK


async def test_it_may_be_watched_only_while_somebody_drives_it(settings: api.Settings) -> None:
    async with driven(settings) as engine:
        task = watching(settings, looker := Looker(), while_driven=True)
        await looker.until(lambda status: bool(status.engine))
        await engine.go()

        found = await task

    assert (found.engine, found.story.state) == ("", RolloutState.RUNNING)


async def test_what_is_over_is_told_at_once(settings: api.Settings) -> None:
    looker = Looker()
    async with driven(settings) as engine:
        engine.hand.ask(Ask.ABORT)
        await engine.write()

        found = await watching(settings, looker)

    assert found.story.state is RolloutState.ABORTED
    assert looker.run is not None
    assert looker.run.digest == DIGEST
    assert len(looker.standings) == 1


async def test_watching_writes_nothing(tmp_path: Path) -> None:
    settings = api.Settings(root=tmp_path, state=str(tmp_path / "state.db"))
    async with driven(settings):
        before = contents(tmp_path)

        await watching(settings, Looker(), timeout_s=0.1)

        assert contents(tmp_path) == before


def contents(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / "state.db")) as connection:
        return list(connection.iterdump())


async def test_a_plan_means_its_newest_rollout(tmp_path: Path) -> None:
    settings = api.Settings(root=tmp_path, state=str(tmp_path / "state.db"))
    looker = Looker()
    async with driven(settings) as engine:
        saved = tmp_path / "app.plan"
        saved.write_bytes(to_saved(to_json(engine.hand.plan)))
        written = tmp_path / "app.yml"
        written.write_text(
            f"schema: 1\nname: {engine.hand.plan.name}\nhosts: all\nartifact: a.mender\n"
            "waves: [rest]\ngates: [{name: g, check: c, success_when: result.exit == 0}]\n"
        )
        other = tmp_path / "other.yml"
        other.write_text(written.read_text().replace("name: ", "name: other-", 1))

        for path in (saved, written):
            found = await api.watch(settings, str(path), onlooker=looker, timeout_s=0)
            assert found.rollout_id == "r-hand"
        with pytest.raises(StoreError, match="no rollout of plan") as refused:
            await api.watch(settings, str(other), onlooker=looker, timeout_s=0)
        with pytest.raises(PlanError, match="there is no file"):
            await api.watch(settings, "none.yml", onlooker=looker, timeout_s=0)

    assert refused.value.exit_code == ExitCode.REFUSED
    assert "rollout apply" in refused.value.hint


async def test_without_a_store_there_is_nothing_to_watch(tmp_path: Path) -> None:
    settings = api.Settings(root=tmp_path, state=str(tmp_path / "state.db"))

    with pytest.raises(StoreError, match="no rollout was started here yet"):
        await watching(settings, Looker())

    assert not (tmp_path / "state.db").exists()
