"""The store on SQL: what `engine.ports` asks for, and what people ask of it that is written down.

Laws:
1. A commit writes snapshot and journal together, or nothing; it checks the lease's epoch in the
   same transaction, so that an engine that was overtaken cannot write.
2. A journal is gapless: a commit whose first `seq` is not the successor of the last is refused.
3. Nothing here decides about a rollout: states and rows are written as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import Enum
from typing import Any

import sqlalchemy
from sqlalchemy import select

from orchestrator.device.model import DeviceId
from orchestrator.engine.ports import Changes, Lease, Stored
from orchestrator.rollout.acts import Act, ActKind, of_freeze
from orchestrator.rollout.around import FleetFreeze, Running, Surroundings
from orchestrator.rollout.audit import Audit, Head, Seal
from orchestrator.rollout.events import OperatorAsked
from orchestrator.rollout.journal_proof import Proof
from orchestrator.store import acts, audit, beyond, doubt, followed, records, transactions
from orchestrator.store.clocks import must_agree
from orchestrator.store.connect import Database, database_of
from orchestrator.store.looks import Looks
from orchestrator.store.outbox import SqlOutbox
from orchestrator.store.queries import Queries
from orchestrator.store.schema import LAST_EPOCH, meta, requests
from orchestrator.store.writer import Writer

_Record = Callable[[sqlalchemy.Connection, Sequence[Act]], int]


class LeaseClock(Enum):
    """Whose time leases are measured by."""

    DATABASE = "database"  # the server's own, where there is one
    CALLER = "caller"  # `now` as given: virtual time


async def open_store(
    url_or_path: str, *, lease_clock: LeaseClock = LeaseClock.DATABASE
) -> SqlStore:
    """Opens a store; makes or migrates a file where needed.

    Raises:
        StoreError: the database cannot be used; the hint says what to do.
    """
    database = database_of(url_or_path)
    writer = Writer(database)
    try:
        controller_id = await writer.open()
    except BaseException:
        await writer.close()
        raise
    now = database.now if lease_clock is LeaseClock.DATABASE else _callers
    return SqlStore(writer, database, controller_id=controller_id, now=now)


def _callers(_connection: sqlalchemy.Connection, callers_s: float) -> float:
    return callers_s


class SqlStore(Queries):
    """Ports `Store`, `Leases` and `Audited` on one database; made by `open_store`."""

    def __init__(
        self,
        writer: Writer,
        database: Database,
        *,
        controller_id: str,
        now: Callable[[sqlalchemy.Connection, float], float],
    ) -> None:
        super().__init__(writer, now)
        self._database = database
        self._controller_id = controller_id
        self._looks = Looks(database.listener())
        self.outbox = SqlOutbox(writer)
        self._known: dict[str, tuple[object, Running]] = {}
        # What was read with which mark: the surroundings of a rollout, or (with a number) that it
        # has no request above that.
        self._seen: dict[tuple[str, int | None], tuple[object, Any]] = {}

    async def close(self) -> None:
        """Finishes what was asked for and closes the database."""
        self._looks.close()
        await self._writer.close()

    def controller_id(self) -> str:
        """Who this controller is to devices (R14): made once per database."""
        return self._controller_id

    async def last_epoch(self) -> int:
        """The newest epoch that this database gave out; 0 before the first.

        Raises:
            StoreError: the store failed.
        """
        query = select(meta.c.value).where(meta.c.key == LAST_EPOCH)
        return int(await self._writer.read(lambda c: c.scalar(query)) or 0)

    async def raise_epoch(self, epoch: int) -> None:
        """Every later lease has a higher one; for a copy older than devices that shall serve it.

        Raises:
            StoreError: the store failed.
        """
        await self._writer.write(lambda c: transactions.raise_epoch(c, epoch))

    # Port `Store`

    async def create(self, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
        """Stores a new rollout.

        Raises:
            StoreError: it exists, or the store failed.
        """
        await self._writer.write(
            lambda c: transactions.create(c, rollout_id, plan_json, changes),
            in_doubt=lambda c: doubt.create(c, rollout_id, plan_json, changes),
        )
        self._wrote("")

    async def start(
        self, rollout_id: str, plan_json: bytes, changes: Changes, *, alone: bool = False
    ) -> str:
        """Stores a new rollout unless one of the same inputs is under way; gives its id.

        Two `apply` at the same moment so end up in one rollout.

        Raises:
            ClaimedError: with `alone`, another rollout goes first on its devices.
            StoreError: it exists, the store failed, or the caller's clock is far from the
                database's.
        """

        def start(connection: sqlalchemy.Connection) -> str:
            for entry in changes.journal[:1]:
                must_agree(entry.at, self._now(connection, entry.at))
            return transactions.start(connection, rollout_id, plan_json, changes, alone=alone)

        started = await self._writer.write(start)
        self._wrote("")
        return started

    async def load(self, rollout_id: str) -> Stored | None:
        """The last committed state.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: transactions.load(c, rollout_id))

    async def commit(self, lease: Lease, batch: Sequence[Changes]) -> str:
        """Writes changes in one transaction that also checks the lease's epoch.

        Gives the hash of the last entry of the journal; empty where none was written.

        Raises:
            LeaseError: the lease was given back or a newer epoch exists.
            ClaimedError: the rollout would begin, and another one goes first.
            StoreError: the store failed; nothing was written, or the message says that this is
                not known: then the engine must stop, and the next one loads what is there.
        """

        def commit(connection: sqlalchemy.Connection) -> str:
            for changes in batch:
                for other, _request in changes.asks:
                    self._database.tell(connection, other)
            return transactions.commit(connection, lease, batch)

        last = await self._writer.write(commit, in_doubt=lambda c: doubt.commit(c, lease, batch))
        self._wrote(lease.rollout_id, batch)
        return last

    async def around(self, rollout_id: str, *, plans: Collection[str], now: float) -> Surroundings:
        """What is around a rollout; read anew only when it can have changed.

        Raises:
            StoreError: the store failed.
        """

        def look(connection: sqlalchemy.Connection) -> tuple[Surroundings, bool]:
            running = self._running(connection, rollout_id, plans) if plans else {}
            begun, at = beyond.has_begun(connection, rollout_id), self._now(connection, now)
            return beyond.around(connection, rollout_id, running, at, begun=begun), begun

        mark, known = self._seen.pop((rollout_id, None), (None, Surroundings()))
        news, mark = await self._writer.read_news(look, mark)
        found, begun = (known, True) if news is None else news
        if begun:  # before, what it does itself and the time count as well
            self._seen[rollout_id, None] = (mark, found)
        return found

    def _wrote(self, rollout_id: str, batch: Sequence[Changes] = ()) -> None:
        """What was seen may not be so any more by what this connection wrote, which has no mark."""
        joined = any(entry.type == "devices_joined" for one in batch for entry in one.journal)
        self._seen = {
            key: seen for key, seen in self._seen.items() if key[0] == rollout_id and not joined
        }

    def _running(
        self, connection: sqlalchemy.Connection, rollout_id: str, plans: Collection[str]
    ) -> Running:
        version = beyond.version(connection, rollout_id, plans)
        known = self._known.get(rollout_id)
        if known is None or known[0] != version:
            known = self._known[rollout_id] = (
                version,
                beyond.running(connection, rollout_id, plans),
            )
        return known[1]

    async def requests(self, rollout_id: str, *, after: int) -> Sequence[OperatorAsked]:
        """Operators' requests with a number above `after`, in order.

        Cheap to call often: where the database tells of new ones, most calls ask it nothing.

        Raises:
            StoreError: the store failed.
        """
        if not await self._looks.is_due(rollout_id, after, self._writer.in_thread):
            return ()
        query = (
            select(requests)
            .where(requests.c.rollout_id == rollout_id, requests.c.id > after)
            .order_by(requests.c.id)
        )
        mark, _nothing = self._seen.pop((rollout_id, after), (None, None))
        found, mark = await self._writer.read_news(lambda c: c.execute(query).all(), mark)
        if not found:
            self._seen[rollout_id, after] = (mark, None)
            self._looks.found_nothing(rollout_id, after)
            return ()
        return tuple(records.request_of(row) for row in found)

    # Port `Leases`

    async def acquire(self, rollout_id: str, owner: str, *, ttl_s: float, now: float) -> Lease:
        """Takes the lease with an epoch above all that this database gave out (R14).

        Raises:
            DrivenError: another owner's lease has not run out.
            StoreError: the caller's clock is far from the database's; nothing was taken.
        """

        def take(connection: sqlalchemy.Connection) -> Lease:
            at = self._now(connection, now)
            lease = transactions.acquire(connection, rollout_id, owner, now=at, ttl_s=ttl_s)
            must_agree(now, at)  # not of one who is refused anyway
            return lease

        return await self._writer.write(take)

    async def renew(self, lease: Lease, *, ttl_s: float, now: float) -> Lease:
        """Extends the lease.

        Raises:
            LeaseError: it was taken over or given back.
        """
        return await self._writer.write(
            lambda c: transactions.renew(c, lease, self._now(c, now) + ttl_s)
        )

    async def release(self, lease: Lease) -> None:
        """Gives the lease back; the epoch stays used.

        Raises:
            StoreError: the store failed.
        """
        await self._writer.write(lambda c: transactions.release(c, lease))

    # Port `Audited`

    async def head(self, rollout_id: str) -> Head | None:
        """Where the journal of a rollout (or `ACTS`) ends; None where there is no such rollout.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: audit.head(c, self._controller_id, rollout_id))

    async def audit(self, seals: Sequence[Seal]) -> Audit:
        """Makes all hashes again, and compares them with heads that somebody vouches for.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: audit.audit(c, self._controller_id, seals))

    async def proof(self, rollout_id: str) -> Proof | None:
        """One journal with all that its hashes are made of; None where there is no such rollout.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: audit.proof(c, self._controller_id, rollout_id))

    # What people and controllers do beside rollouts

    async def record(self, *wanted: Act) -> int:
        """Appends acts to their journal; gives the number of the last of them.

        Raises:
            StoreError: the store failed: what was to be recorded must not be done.
        """
        return await self._writer.write(
            lambda c: acts.record(c, wanted), in_doubt=lambda c: acts.record_in_doubt(c, wanted)
        )

    # What people ask

    async def ask(self, rollout_id: str, request: OperatorAsked) -> int:
        """Stores an operator's request for the engine; gives its number.

        Raises:
            StoreError: there is no such rollout, or the store failed.
        """
        columns = records.request_columns(request)

        def ask(connection: sqlalchemy.Connection) -> int:
            self._database.tell(connection, rollout_id)
            return transactions.ask(connection, rollout_id, columns)

        number = await self._writer.write(ask, in_doubt=lambda c: doubt.ask(c, rollout_id, columns))
        self._looks.heard(rollout_id)
        self._wrote("")
        return number

    async def freeze(self, wanted: FleetFreeze) -> None:
        """Freezes all rollouts, or keeps who lifted that, and records it.

        Raises:
            StoreError: the store failed.
        """
        found = (of_freeze(wanted),)

        def freeze(connection: sqlalchemy.Connection, record: _Record) -> None:
            beyond.freeze(connection, wanted)
            record(connection, found)

        await self._writer.write(
            lambda c: freeze(c, acts.record), in_doubt=lambda c: freeze(c, acts.record_in_doubt)
        )
        self._wrote("")

    async def follow(self, lease: Lease, key: str, text: str, found: Sequence[Act] = ()) -> None:
        """Remembers what is so of a followed branch, and what was done, under the controller's lease.

        Raises:
            LeaseError: the lease was given back or a newer epoch exists.
            StoreError: the store failed.
        """

        def follow(connection: sqlalchemy.Connection, record: _Record) -> None:
            followed.follow(connection, lease, key, text)
            if found:
                record(connection, found)

        await self._writer.write(
            lambda c: follow(c, acts.record), in_doubt=lambda c: follow(c, acts.record_in_doubt)
        )

    async def unhold(
        self, devices: Collection[str], *, who: str, why: str, at: float
    ) -> Sequence[DeviceId]:
        """Frees devices, whatever held them, and records who did and why; gives those held.

        Raises:
            StoreError: the store failed.
        """

        def unhold(connection: sqlalchemy.Connection) -> Sequence[DeviceId]:
            freed = beyond.unhold(connection, devices, who=who, why=why, at=at)
            if freed:
                kind = ActKind.DEVICE_UNHOLD
                acts.record(connection, [Act(at, kind, who, name, why) for name in freed])
            return freed

        freed = await self._writer.write(unhold)
        self._wrote("")
        return freed
