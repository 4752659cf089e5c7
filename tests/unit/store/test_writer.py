import asyncio
import sqlite3
import threading

import pytest
import sqlalchemy

from orchestrator.errors import LeaseError, StoreError
from tests.unit.store.samples import PLAN, changes, entry


class Gate:
    """Holds the store's thread until it is opened, so that writes pile up behind it."""

    def __init__(self, store):
        self._event = threading.Event()
        self.task = asyncio.ensure_future(store._writer.read(lambda _c: self._event.wait(10)))

    async def open(self):
        self._event.set()
        assert await self.task


async def test_writes_that_wait_together_share_one_transaction(store):
    leases = []
    for number in range(8):
        await store.create(f"r-{number}", PLAN, changes(entry(1)))
        leases.append(await store.acquire(f"r-{number}", "me", ttl_s=15, now=0))
    transactions = []
    engine = store._writer._connection.engine
    sqlalchemy.event.listen(engine, "commit", lambda _connection: transactions.append(1))
    gate = Gate(store)
    waiting = [asyncio.ensure_future(store.commit(lease, [changes(entry(2))])) for lease in leases]
    await asyncio.sleep(0)

    await gate.open()
    await asyncio.gather(*waiting)

    count = len(transactions)
    written = [(await store.load(f"r-{number}")).last_seq for number in range(8)]
    assert written == [2] * 8
    assert count == 2  # the gate's and the group's


async def test_refused_write_takes_no_other_of_its_group_with_it(store):
    for name in ("r-1", "r-2", "r-3"):
        await store.create(name, PLAN, changes(entry(1)))
    first = await store.acquire("r-1", "me", ttl_s=15, now=0)
    stale = await store.acquire("r-2", "me", ttl_s=15, now=0)
    await store.acquire("r-2", "other", ttl_s=15, now=15)
    third = await store.acquire("r-3", "me", ttl_s=15, now=0)
    gate = Gate(store)
    waiting = [
        asyncio.ensure_future(store.commit(lease, [changes(entry(2), state="halted")]))
        for lease in (first, stale, third)
    ]
    await asyncio.sleep(0)

    await gate.open()
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(answer) for answer in answers] == [str, LeaseError, str]
    states = [(await store.load(name)).rollout["state"] for name in ("r-1", "r-2", "r-3")]
    assert states == ["halted", "running", "halted"]


async def test_full_disk_fails_every_write_of_the_group(store, rollout):
    await store.create("r-2", PLAN, changes(entry(1)))
    second = await store.acquire("r-2", "me", ttl_s=15, now=0)
    pages = await store._writer.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
    await store._writer.read(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))
    big = {"dev-1": {"state": "failed", "detail": "x" * 100_000}}
    gate = Gate(store)
    waiting = [
        asyncio.ensure_future(store.commit(second, [changes(entry(2))])),
        asyncio.ensure_future(store.commit(rollout, [changes(entry(2), devices=big)])),
    ]
    await asyncio.sleep(0)

    await gate.open()
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(answer) for answer in answers] == [StoreError, StoreError]
    assert [(await store.load(name)).last_seq for name in ("r-1", "r-2")] == [1, 1]


@pytest.mark.parametrize("together", [1, 2])
async def test_store_goes_on_after_a_commit_that_failed(store, rollout, together):
    """As on a disk that is full only then: all statements went well before."""
    wrong = "INSERT INTO devices (rollout_id, device, state, body) VALUES ('r-9', 'a', 'b', 'c')"

    def orphan(connection):
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql(wrong)

    gate = Gate(store)
    waiting = [asyncio.ensure_future(store._writer.write(orphan)) for _ in range(together)]
    await asyncio.sleep(0)

    await gate.open()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    await store.commit(rollout, [changes(entry(2), state="halted")])

    assert [type(answer) for answer in answers] == [StoreError] * together
    assert (await store.summary("r-1")).state == "halted"


async def test_bug_in_a_write_reaches_its_caller_and_undoes_the_write(store, rollout):
    def broken(connection):
        connection.exec_driver_sql("UPDATE rollouts SET state = 'odd'")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store._writer.write(broken)

    assert (await store.summary("r-1")).state == "running"


async def test_bug_in_a_write_leaves_the_others_of_its_group_unwritten_and_told(store, rollout):
    def broken(_connection):
        raise ZeroDivisionError

    gate = Gate(store)
    waiting = [
        asyncio.ensure_future(store.commit(rollout, [changes(entry(2))])),
        asyncio.ensure_future(store._writer.write(broken)),
    ]
    await asyncio.sleep(0)

    await gate.open()
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(answer) for answer in answers} == {ZeroDivisionError, StoreError}
    assert (await store.load("r-1")).last_seq == 1


async def test_one_reader_sees_one_state_while_another_process_writes(store, rollout, path):
    def read(connection):
        first = connection.exec_driver_sql("SELECT state FROM rollouts").scalar()
        other = sqlite3.connect(path)
        other.execute("UPDATE rollouts SET state = 'halted'")
        other.commit()
        other.close()
        return first, connection.exec_driver_sql("SELECT state FROM rollouts").scalar()

    assert await store._writer.read(read) == ("running", "running")
    assert (await store.summary("r-1")).state == "halted"


async def test_close_finishes_what_was_asked_for(store, rollout, path):
    gate = Gate(store)
    waiting = asyncio.ensure_future(store.commit(rollout, [changes(entry(2))]))
    closing = asyncio.ensure_future(store.close())
    await asyncio.sleep(0)

    await gate.open()
    await asyncio.gather(waiting, closing)

    database = sqlite3.connect(path)
    assert database.execute("SELECT last_seq FROM rollouts").fetchall() == [(2,)]
    database.close()
