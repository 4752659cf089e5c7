"""The simulation's store on a real database: virtual time outside, real transactions inside.

A simulation has one thread and its own clock, so the statements run where they are called, without
the writer's thread (the contract and `tests/unit/store` have that one).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select, text, update

from orchestrator.engine.ports import Changes, Lease, Stored
from orchestrator.rollout.around import FleetFreeze, Surroundings
from orchestrator.rollout.events import JournalEntry, OperatorAsked
from orchestrator.store import beyond, records, transactions
from orchestrator.store.connect import Database
from orchestrator.store.migrate import migrate
from orchestrator.store.schema import (
    FREEZE,
    LAST_EPOCH,
    journal,
    leases,
    meta,
    metadata,
    requests,
    rollouts,
)
from orchestrator.store.transactions import Connection


class SqlStore:
    """What `testing.store.MemoryStore` offers, on the tables of a connection."""

    connection: Connection

    def __init__(self) -> None:
        with self.connection.begin():
            for table in reversed(metadata.sorted_tables):
                if table is not meta:
                    self.connection.execute(delete(table))
            self._set_epoch(0)
            nobody = update(meta).where(meta.c.key == FREEZE).values(value="")
            self.connection.execute(nobody)
            self.connection.execute(text(_AGAIN_FROM_ONE[self.connection.dialect.name]))

    async def create(self, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
        with self.connection.begin():
            transactions.create(self.connection, rollout_id, plan_json, changes)

    async def load(self, rollout_id: str) -> Stored | None:
        with self.connection.begin():
            return transactions.load(self.connection, rollout_id)

    async def commit(self, lease: Lease, batch: Sequence[Changes]) -> str:
        with self.connection.begin():
            return transactions.commit(self.connection, lease, batch)

    async def around(self, rollout_id: str, *, plans: Collection[str], now: float) -> Surroundings:
        with self.connection.begin():
            running = beyond.running(self.connection, rollout_id, plans) if plans else {}
            begun = beyond.has_begun(self.connection, rollout_id)
            return beyond.around(self.connection, rollout_id, running, now, begun=begun)

    async def requests(self, rollout_id: str, *, after: int) -> Sequence[OperatorAsked]:
        here = (requests.c.rollout_id == rollout_id, requests.c.id > after)
        with self.connection.begin():
            found = self.connection.execute(select(requests).where(*here).order_by(requests.c.id))
            return [records.request_of(row) for row in found]

    async def acquire(self, rollout_id: str, owner: str, *, ttl_s: float, now: float) -> Lease:
        with self.connection.begin():
            return transactions.acquire(self.connection, rollout_id, owner, now=now, ttl_s=ttl_s)

    async def renew(self, lease: Lease, *, ttl_s: float, now: float) -> Lease:
        with self.connection.begin():
            return transactions.renew(self.connection, lease, now + ttl_s)

    async def release(self, lease: Lease) -> None:
        with self.connection.begin():
            transactions.release(self.connection, lease)

    async def last_epoch(self) -> int:
        with self.connection.begin():
            return transactions.one_at_a_time(self.connection)

    def ask(self, rollout_id: str, request: OperatorAsked) -> int:
        with self.connection.begin():
            columns = records.request_columns(request)
            return transactions.ask(self.connection, rollout_id, columns)

    def freeze(self, wanted: FleetFreeze) -> None:
        with self.connection.begin():
            beyond.freeze(self.connection, wanted)

    def holder(self, rollout_id: str, now: float) -> str:
        here = (leases.c.rollout_id == rollout_id, leases.c.expires_at > now)
        with self.connection.begin():
            return self.connection.scalar(select(leases.c.owner).where(*here)) or ""

    def known(self) -> tuple[str, ...]:
        with self.connection.begin():
            return tuple(self.connection.scalars(select(rollouts.c.id)))

    def journal(self, rollout_id: str) -> tuple[JournalEntry, ...]:
        query = select(journal).where(journal.c.rollout_id == rollout_id).order_by(journal.c.seq)
        with self.connection.begin():
            return tuple(records.journal_entry(row) for row in self.connection.execute(query))

    def forget_lease(self, rollout_id: str) -> None:
        with self.connection.begin():
            self.connection.execute(delete(leases).where(leases.c.rollout_id == rollout_id))

    def _set_epoch(self, epoch: int) -> None:
        here = meta.c.key == LAST_EPOCH
        self.connection.execute(update(meta).where(here).values(value=str(epoch)))


_AGAIN_FROM_ONE = {
    "sqlite": "DELETE FROM sqlite_sequence",
    "postgresql": "ALTER SEQUENCE requests_id_seq RESTART",
}


def store_on(database: Database) -> type[SqlStore]:
    """A class of stores on one database; each store that is made begins empty."""
    opened = database.connect()
    migrate(opened, database)

    class OnDatabase(SqlStore):
        connection = opened

    return OnDatabase
