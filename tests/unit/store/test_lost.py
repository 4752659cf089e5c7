"""Connections that break: what was undone is done again, and a COMMIT in doubt is looked up.

Method: a wire in front of a real server is cut at a COMMIT, before or after the server has it.
"""

import asyncio
import threading
from dataclasses import replace

import pytest

from orchestrator.errors import LeaseError, StoreError
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.store.postgres import Postgres
from orchestrator.store.sql import LeaseClock, SqlStore, open_store
from orchestrator.store.writer import Writer
from tests.unit.store.proxy import Cut, between
from tests.unit.store.samples import PLAN, changes, entry

CUTS = pytest.mark.parametrize("cut", [Cut.UNSENT, Cut.UNANSWERED])


@pytest.fixture
def proxy(postgres):
    with between(postgres.port) as proxy:
        yield proxy


@pytest.fixture
def proxied_url(postgres, postgres_url, proxy):
    return postgres_url.replace(f":{postgres.port}/", f":{proxy.port}/")


@pytest.fixture
async def store(proxied_url):
    store = await open_store(proxied_url, lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


@pytest.fixture
async def other(postgres_url):
    """Another controller, on a line of its own."""
    store = await open_store(postgres_url, lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


@CUTS
async def test_commit_is_written_once(store, rollout, proxy, other, cut):
    proxy.cut = cut

    await store.commit(rollout, [changes(entry(2), devices={"a": {"state": "queued"}})])
    await store.commit(rollout, [changes(entry(3))])

    assert [one.seq for one in await other.journal("r-1")] == [1, 2, 3]
    assert await other.device_rows("r-1") == {"a": {"state": "queued"}}
    assert proxy.cut is None


async def test_commit_waits_for_the_end_of_a_lost_transaction(store, rollout, proxy):
    """The server keeps the locks of a client that is silent, until that is idle too long."""
    proxy.cut = Cut.SILENT

    await store.commit(rollout, [changes(entry(2))])

    assert [one.seq for one in await store.journal("r-1")] == [1, 2]


@CUTS
async def test_snapshot_without_journal_is_written(store, rollout, proxy, cut):
    proxy.cut = cut

    await store.commit(rollout, [changes(state="halted")])

    assert (await store.load("r-1")).rollout["state"] == "halted"


@CUTS
async def test_rollout_is_created_once(store, proxy, cut):
    proxy.cut = cut

    await store.create("r-1", PLAN, changes(entry(1)))

    assert (await store.load("r-1")).last_seq == 1


@CUTS
async def test_rollout_is_started_once(store, proxy, cut):
    proxy.cut = cut

    assert await store.start("r-1", PLAN, changes(entry(1))) == "r-1"
    assert [one.rollout_id for one in await store.rollouts()] == ["r-1"]


@CUTS
async def test_request_is_left_once(store, rollout, proxy, cut):
    await store.ask("r-1", OperatorAsked(1.0, Ask.PAUSE, "ann"))
    proxy.cut = cut

    number = await store.ask("r-1", OperatorAsked(2.0, Ask.PAUSE, "ann"))

    found = await store.requests("r-1", after=0)
    assert [(one.at, one.request == number) for one in found] == [(1.0, False), (2.0, True)]


@CUTS
async def test_lease_can_be_taken_renewed_and_given_back(store, rollout, proxy, cut):
    proxy.cut = cut
    lease = await store.acquire("r-1", "me", ttl_s=15, now=0)
    proxy.cut = cut
    renewed = await store.renew(lease, ttl_s=15, now=10)
    await store.commit(renewed, [changes(entry(2))])
    proxy.cut = cut
    await store.release(renewed)

    assert lease.epoch > rollout.epoch
    assert renewed.expires_at == 25
    assert await store.lease_of("r-1") is None


@CUTS
async def test_group_of_writes_is_written_once_each(store, rollout, proxy, cut):
    await store.create("r-2", PLAN, changes(entry(1)))
    second = await store.acquire("r-2", "me", ttl_s=15, now=0)
    stale = replace(second, epoch=99)
    proxy.cut = cut

    together = threading.Event()
    held = asyncio.ensure_future(store._writer.in_thread(lambda: together.wait(10)))
    waiting = [
        asyncio.ensure_future(store.commit(lease, [changes(entry(2))]))
        for lease in (rollout, stale, second)
    ]
    await asyncio.sleep(0)
    together.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    await held

    assert [type(answer) for answer in answers] == [str, LeaseError, str]
    assert answers[0] == (await store.head("r-1")).hash  # also where it had been written already
    assert [(await store.load(name)).last_seq for name in ("r-1", "r-2")] == [2, 2]


async def test_engine_that_was_overtaken_while_its_line_was_cut_learns_it(
    store, rollout, proxy, other
):
    proxy.cut = Cut.UNSENT
    proxy.is_refusing = True
    writing = asyncio.ensure_future(store.commit(rollout, [changes(entry(2))]))
    assert await asyncio.to_thread(proxy.was_cut.wait, 10)

    await other.acquire("r-1", "second", ttl_s=15, now=20)
    proxy.is_refusing = False

    with pytest.raises(LeaseError):
        await writing
    assert (await other.load("r-1")).last_seq == 1


async def test_reading_goes_on_over_a_new_connection(store, rollout, proxy):
    before = proxy.connections
    proxy.end_all()

    assert (await store.load("r-1")).last_seq == 1
    assert proxy.connections == before + 1


async def test_restarted_server_is_found_again(postgres, postgres_url):
    store = await open_store(postgres_url, lease_clock=LeaseClock.CALLER)
    await store.create("r-1", PLAN, changes(entry(1)))
    lease = await store.acquire("r-1", "me", ttl_s=15, now=0)

    postgres.stop()
    writing = asyncio.ensure_future(store.commit(lease, [changes(entry(2))]))
    await asyncio.to_thread(postgres.start)
    await writing

    assert (await store.load("r-1")).last_seq == 2
    await store.close()


@pytest.fixture
async def impatient(proxied_url):
    """A store that gives a lost server up at once."""
    database = replace(Postgres.at(proxied_url), repeat_s=0.0)
    writer = Writer(database)
    controller_id = await writer.open()
    store = SqlStore(
        writer, database, controller_id=controller_id, now=lambda _connection, now: now
    )
    yield store
    await store.close()


async def test_lost_server_is_said_in_the_end(impatient, proxy):
    proxy.is_refusing = True
    proxy.end_all()

    with pytest.raises(StoreError, match=r"the connection was lost|cannot be reached") as caught:
        await impatient.rollouts()

    assert caught.value.hint


async def test_doubt_that_nobody_can_settle_is_said(impatient, proxy):
    await impatient.create("r-1", PLAN, changes(entry(1)))
    lease = await impatient.acquire("r-1", "me", ttl_s=15, now=0)
    proxy.is_refusing = True
    proxy.cut = Cut.UNANSWERED

    with pytest.raises(StoreError, match="whether the last write was stored is not known"):
        await impatient.commit(lease, [changes(entry(2))])

    proxy.is_refusing = False
    assert (await impatient.load("r-1")).last_seq == 2


async def test_closing_ends_the_waiting_for_a_lost_server(store, rollout, proxy):
    proxy.is_refusing = True
    proxy.end_all()
    writing = asyncio.ensure_future(store.commit(rollout, [changes(entry(2))]))
    await asyncio.sleep(0)

    await store.close()

    with pytest.raises(StoreError):
        await writing


async def test_deadlock_is_undone_and_done_again(postgres_url, other):
    """Two controllers lock the same rows in opposite order; both get through in the end."""
    store = await open_store(postgres_url, lease_clock=LeaseClock.CALLER)
    for name in ("r-1", "r-2"):
        await store.create(name, PLAN, changes(entry(1)))
    barrier = asyncio.Barrier(2)
    loop = asyncio.get_running_loop()

    def locking(first, second):
        tries = []

        def work(connection):
            tries.append(1)
            lock = "UPDATE rollouts SET updated_at = updated_at + 1 WHERE id = '{}'"
            connection.exec_driver_sql(lock.format(first))
            if len(tries) == 1:
                asyncio.run_coroutine_threadsafe(barrier.wait(), loop).result(10)
            connection.exec_driver_sql(lock.format(second))

        return work

    await asyncio.gather(
        store._writer.write(locking("r-1", "r-2")), other._writer.write(locking("r-2", "r-1"))
    )

    await store.close()
    assert [one.updated_at for one in await other.rollouts()] == [1003.0, 1003.0]
