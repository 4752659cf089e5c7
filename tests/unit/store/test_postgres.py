"""What is PostgreSQL's own: messages, limits, locks, order of requests."""

import asyncio
import sys
import threading
import time
from dataclasses import replace

import psycopg
import pytest

from orchestrator.errors import LeaseError, StoreError
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.store.connect import database_of
from orchestrator.store.postgres import Postgres
from orchestrator.store.postgres_trouble import postgres_error
from orchestrator.store.sql import LeaseClock, open_store
from tests.loopback import free_port
from tests.postgres import ENCODED, PASSWORD, USER, name_of
from tests.unit.store.samples import PLAN, changes, entry


@pytest.fixture
async def store(postgres_url):
    store = await open_store(postgres_url)
    yield store
    await store.close()


@pytest.fixture
async def rollout(store):
    """As everywhere, but by the time that it is: that of the server."""
    await store.create("r-1", PLAN, changes(entry(1, "rollout_started")))
    return await store.acquire("r-1", "me", ttl_s=15, now=time.time())


async def refusal(url):
    with pytest.raises(StoreError) as caught:
        await (await open_store(url)).close()
    return caught.value


class TestMessages:
    async def test_nobody_listens(self, postgres_url, postgres):
        error = await refusal(postgres_url.replace(f":{postgres.port}/", f":{free_port()}/"))

        assert "cannot be reached" in error.message
        assert error.message.endswith("Connection refused")
        assert error.hint == "check host and port, and that the server runs"

    async def test_host_has_no_address(self):
        error = await refusal("postgresql://ann@no-such-host.invalid/fleet")

        assert "cannot be reached" in error.message

    async def test_wrong_password(self, postgres, postgres_url):
        error = await refusal(postgres.with_password(postgres_url).replace(ENCODED, "wrong"))

        assert error.message.endswith("the server refuses the login")
        assert "wrong" not in f"{error.message} {error.hint} {error.where}"
        assert "password file" in error.hint

    async def test_no_password(self, postgres_url):
        error = await refusal(postgres_url.partition("?")[0] + "?passfile=/dev/null")

        assert error.message.endswith("the server refuses the login")

    async def test_unknown_service(self):
        error = await refusal("postgresql://?service=nowhere")

        assert "the service is not defined" in error.message

    async def test_no_database(self, postgres):
        error = await refusal(postgres.url("missing"))

        assert error.message.endswith("there is no such database")
        assert error.hint == "make it (`createdb`), then run `rollout state migrate`"

    async def test_no_rights(self, postgres, postgres_url):
        role = f"guest_{name_of(postgres_url)}"
        with postgres.admin() as admin:
            admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'guest'")
        error = await refusal(postgres_url.replace(f"{USER}@", f"{role}:guest@"))

        assert error.message.endswith("the user has not the rights")
        assert "SELECT, INSERT and UPDATE" in error.hint
        assert "guest@" not in error.message.replace(f"{role}@", "")

    async def test_rights_that_the_hint_names_are_enough(self, postgres, postgres_url):
        role = f"worker_{name_of(postgres_url)}"
        with postgres.admin(name_of(postgres_url)) as admin:
            admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'worker'")
            admin.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}")
            admin.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")

        store = await open_store(postgres_url.replace(f"{USER}@", f"{role}:worker@"))
        await store.create("r-1", PLAN, changes(entry(1)))
        lease = await store.acquire("r-1", "me", ttl_s=15, now=time.time())
        await store.commit(lease, [changes(entry(2), devices={"a": {"state": "queued"}})])
        await store.ask("r-1", OperatorAsked(1.0, Ask.PAUSE, "ann"))
        await store.release(lease)

        assert len(await store.requests("r-1", after=0)) == 1
        await store.close()

    async def test_standby(self, store, rollout):
        await store._writer.in_thread(
            lambda: store._writer._connection.connection.driver_connection.execute(
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
            )
        )
        await store._writer.in_thread(store._writer._connection.connection.commit)

        with pytest.raises(StoreError, match="the server is read-only: a standby"):
            await store.commit(rollout, [changes(entry(2))])

    async def test_rows_that_somebody_keeps_locked(self, postgres, postgres_url, store, rollout):
        """A wait of 10 s is for operators, not for tests: the other one's limit is what is hit."""

        def impatient(connection):
            connection.exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
            connection.exec_driver_sql("UPDATE leases SET owner = owner")

        with postgres.admin(name_of(postgres_url)) as admin, admin.transaction():
            admin.execute("LOCK TABLE leases")
            with pytest.raises(StoreError, match="kept rows locked for 10 s") as caught:
                await store._writer.write(impatient)

        assert "pg_stat_activity" in caught.value.hint

    def test_error_that_is_not_in_the_table_keeps_the_servers_words(self):
        error = postgres_error(psycopg.errors.DivisionByZero("division by zero"), "db")

        assert error.message == "state store `db`: the database refused: division by zero"

    async def test_password_with_odd_characters_works_in_the_address(self, postgres, postgres_url):
        url = postgres.with_password(postgres_url)

        store = await open_store(url)
        await store.close()

        assert PASSWORD not in str(store._database)
        assert ENCODED not in str(store._database)


async def test_driver_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "orchestrator.store.postgres", None)

    with pytest.raises(StoreError, match="its driver `psycopg` cannot be loaded") as caught:
        database_of("postgresql://db/fleet")

    assert "rollout-orchestrator[postgresql]" in caught.value.hint


async def test_limits_hold_in_each_transaction_and_leave_no_trace(store):
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

    def shown(connection):
        return [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]

    def outside():
        driver = store._writer._connection.connection.driver_connection
        return [driver.execute(f"SHOW {name}").fetchone()[0] for name in names]

    assert await store._writer.write(shown) == ["1min", "10s", "5s"]
    assert await store._writer.read(shown) == ["1min", "10s", "5s"]
    assert await store._writer.in_thread(outside) == ["0", "0", "0"]


async def test_commits_are_durable_whatever_the_servers_default(store):
    """The server of these tests has it off."""
    query = "SHOW synchronous_commit"

    assert await store._writer.write(lambda c: c.exec_driver_sql(query).scalar()) == "on"
    assert await store._writer.read(lambda c: c.exec_driver_sql(query).scalar()) == "off"


async def test_nothing_is_prepared_on_the_server(store, rollout):
    for seq in range(2, 12):
        await store.commit(rollout, [changes(entry(seq), devices={"a": {"state": "x"}})])

    query = "SELECT count(*) FROM pg_prepared_statements"
    assert await store._writer.read(lambda c: c.exec_driver_sql(query).scalar()) == 0


async def test_one_reader_sees_one_state_while_another_writes(store, rollout, postgres_url):
    with Postgres.at(postgres_url).driver_connection() as other:
        other.autocommit = True

        def read(connection):
            first = connection.exec_driver_sql("SELECT state FROM rollouts").scalar()
            other.execute("UPDATE rollouts SET state = 'halted'")
            return first, connection.exec_driver_sql("SELECT state FROM rollouts").scalar()

        assert await store._writer.read(read) == ("running", "running")

    assert (await store.summary("r-1")).state == "halted"


async def test_reading_cannot_write(store, rollout):
    with pytest.raises(StoreError):
        await store._writer.read(lambda c: c.exec_driver_sql("DELETE FROM requests"))


async def test_leases_run_by_the_servers_clock(store, rollout):
    """The caller's clocks are wrong by more than a lease, in both directions."""
    with pytest.raises(LeaseError):
        await store.acquire("r-1", "other", ttl_s=15, now=time.time() + 40)
    assert await store.holder("r-1", now=4e9) == "me"

    short = await store.acquire("r-1", "me", ttl_s=-1, now=time.time() + 40)
    taken = await store.acquire("r-1", "other", ttl_s=15, now=time.time() - 40)

    assert taken.epoch > short.epoch


class Held:
    """A transaction of another controller that stays open until it is told to end."""

    def __init__(self, store):
        self._store = store
        self._go = threading.Event()
        self._loop = asyncio.get_running_loop()

    async def begin(self, work):
        inside = asyncio.Event()

        def hold(connection):
            found = work(connection)
            self._loop.call_soon_threadsafe(inside.set)
            assert self._go.wait(10)
            return found

        self.task = asyncio.ensure_future(self._store._writer.write(hold))
        await inside.wait()

    async def end(self):
        self._go.set()
        return await self.task


async def until_blocked(postgres, url):
    """Returns when a process of the database waits for a lock of another."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock' LIMIT 1"
    with postgres.admin() as admin:
        while not await asyncio.to_thread(admin.execute(query, (name_of(url),)).fetchone):
            pass


@pytest.mark.parametrize(
    ("ahead_s", "words"), [(3 * 3600, "3h ahead of"), (-3 * 3600, "3h behind")]
)
async def test_who_has_another_time_than_the_server_neither_drives_nor_begins(
    store, ahead_s, words
):
    """A runner whose clock is ahead would end the soak that another one began."""
    await store.create("r-1", PLAN, changes(entry(1, "rollout_started")))
    there = time.time() + ahead_s
    begun = changes(replace(entry(1, "rollout_started"), at=there))

    with pytest.raises(StoreError) as drives:
        await store.acquire("r-1", "me", ttl_s=15, now=there)
    with pytest.raises(StoreError) as begins:
        await store.start("r-2", PLAN, begun)

    assert words in drives.value.message
    assert words in begins.value.message
    assert "timedatectl" in drives.value.hint
    assert await store.load("r-2") is None
    assert await store.acquire("r-1", "another", ttl_s=15, now=time.time() + 20)  # it was not taken


@pytest.fixture
async def other(postgres_url):
    store = await open_store(postgres_url, lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


async def test_requests_become_visible_in_the_order_of_their_numbers(
    store, other, rollout, postgres, postgres_url
):
    """Else an engine that has seen 2 would never see 1."""
    from orchestrator.store import records, transactions

    first = records.request_columns(OperatorAsked(1.0, Ask.PAUSE, "ann"))
    held = Held(other)
    await held.begin(lambda c: transactions.ask(c, "r-1", first))
    second = asyncio.ensure_future(store.ask("r-1", OperatorAsked(2.0, Ask.RESUME, "bob")))
    await until_blocked(postgres, postgres_url)

    assert await held.end() < await second
    assert [one.who for one in await store.requests("r-1", after=0)] == ["ann", "bob"]


async def test_takeover_waits_for_a_commit_under_way_and_then_fences(
    store, other, rollout, postgres, postgres_url
):
    from orchestrator.store import transactions

    held = Held(other)
    await held.begin(lambda c: transactions.commit(c, rollout, [changes(entry(2))]))
    taking = asyncio.ensure_future(store.acquire("r-1", "me", ttl_s=15, now=time.time()))
    await until_blocked(postgres, postgres_url)

    await held.end()
    lease = await taking
    with pytest.raises(LeaseError):
        await other.commit(rollout, [changes(entry(3))])
    await store.commit(lease, [changes(entry(3))])

    assert (await store.load("r-1")).last_seq == 3


async def test_rollouts_of_the_same_inputs_started_at_once_become_one(
    store, other, postgres, postgres_url
):
    from orchestrator.store import transactions

    held, first = Held(other), changes(replace(entry(1), at=time.time()))
    await held.begin(lambda c: transactions.start(c, "r-1", PLAN, first, alone=False))
    second = asyncio.ensure_future(store.start("r-2", PLAN, first))
    await until_blocked(postgres, postgres_url)

    assert await held.end() == await second == "r-1"


async def test_first_leases_of_a_rollout_taken_at_once_go_to_one(
    store, other, postgres, postgres_url
):
    from orchestrator.store import transactions

    held = Held(other)
    await held.begin(lambda c: transactions.acquire(c, "r-1", "a", now=0, ttl_s=4e9))
    second = asyncio.ensure_future(store.acquire("r-1", "b", ttl_s=15, now=time.time()))
    await until_blocked(postgres, postgres_url)

    assert (await held.end()).owner == "a"
    with pytest.raises(LeaseError, match="driven by `a`"):
        await second


async def test_two_stores_of_one_database_are_one_controller(store, other):
    assert store.controller_id() == other.controller_id()
