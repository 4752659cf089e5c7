"""All stores pass the one contract; a database is made anew for each case."""

from contextlib import asynccontextmanager

import pytest

from orchestrator.store.sql import LeaseClock, open_store
from orchestrator.testing.contracts import (
    AuditCase,
    AuditContract,
    OutboxCase,
    OutboxContract,
    StoreCase,
    StoreContract,
)
from orchestrator.testing.store import MemoryStore


class TestMemoryStore(StoreContract):
    @asynccontextmanager
    async def make(self):
        store = MemoryStore()

        async def leave(rollout_id, request):
            return store.ask(rollout_id, request)

        yield StoreCase(store, store, leave)


class SqlCases(StoreContract):
    """The contract and what else the SQL stores owe; a subclass gives `url`."""

    url: str

    @asynccontextmanager
    async def make(self):
        store = await open_store(self.url, lease_clock=LeaseClock.CALLER)
        try:
            yield StoreCase(store, store, store.ask)
        finally:
            await store.close()

    async def test_last_epoch_is_the_newest_that_was_given_out(self):
        async with self.make() as case:
            before = await case.store.last_epoch()

            first = await case.leases.acquire("r", "me", ttl_s=10, now=0)
            second = await case.leases.acquire("s", "me", ttl_s=10, now=0)

            assert before == 0
            assert await case.store.last_epoch() == second.epoch > first.epoch

    async def test_later_leases_go_on_above_a_raised_epoch_and_it_never_falls(self):
        async with self.make() as case:
            await case.store.raise_epoch(40)
            await case.store.raise_epoch(7)

            lease = await case.leases.acquire("r", "me", ttl_s=10, now=0)

            assert lease.epoch == 41


class TestSqliteStore(SqlCases):
    @pytest.fixture(autouse=True)
    def _database(self, tmp_path):
        self.url = str(tmp_path / "state.db")


class TestPostgresStore(SqlCases):
    @pytest.fixture(autouse=True)
    def _database(self, postgres_url):
        self.url = postgres_url


class TestMemoryOutbox(OutboxContract):
    @asynccontextmanager
    async def make(self):
        store = MemoryStore()
        yield OutboxCase(store, store, store.outbox)


class SqlOutboxCases(OutboxContract):
    """On SQL; a subclass gives `url`."""

    url: str

    @asynccontextmanager
    async def make(self):
        store = await open_store(self.url, lease_clock=LeaseClock.CALLER)
        try:
            yield OutboxCase(store, store, store.outbox)
        finally:
            await store.close()


class TestSqliteOutbox(SqlOutboxCases):
    @pytest.fixture(autouse=True)
    def _database(self, tmp_path):
        self.url = str(tmp_path / "state.db")


class TestPostgresOutbox(SqlOutboxCases):
    @pytest.fixture(autouse=True)
    def _database(self, postgres_url):
        self.url = postgres_url


class TestMemoryAudit(AuditContract):
    @asynccontextmanager
    async def make(self):
        store = MemoryStore()
        yield AuditCase(store, store, store)


class SqlAuditCases(AuditContract):
    """On SQL; a subclass gives `url`."""

    url: str

    @asynccontextmanager
    async def make(self):
        store = await open_store(self.url, lease_clock=LeaseClock.CALLER)
        try:
            yield AuditCase(store, store, store)
        finally:
            await store.close()


class TestSqliteAudit(SqlAuditCases):
    @pytest.fixture(autouse=True)
    def _database(self, tmp_path):
        self.url = str(tmp_path / "state.db")


class TestPostgresAudit(SqlAuditCases):
    @pytest.fixture(autouse=True)
    def _database(self, postgres_url):
        self.url = postgres_url
