"""What happens inside one transaction: creating, committing, leasing, asking.

Each function runs on the store's thread between BEGIN and COMMIT, and raises to undo.

Laws (SQLite has one writer at a time; PostgreSQL has many):
1. A decision is made by rows that are locked first, and read after that.
2. Rows are locked in one order: `meta`, then `leases`, then `rollouts`.
3. Requests of a rollout get their numbers under a lock that lasts to COMMIT, so that none becomes
   visible after a higher one was seen: an engine never looks back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy
from sqlalchemy import bindparam, func, insert, select, update

from orchestrator.device.model import DeviceId
from orchestrator.engine.ports import Changes, Lease, Row, Stored
from orchestrator.errors import DrivenError, LeaseError, StoreError
from orchestrator.rollout import chain
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import TERMINAL_ROLLOUT
from orchestrator.store import beyond, records
from orchestrator.store.schema import (
    CONTROLLER_ID,
    LAST_EPOCH,
    devices,
    journal,
    leases,
    meta,
    outbox,
    requests,
    rollouts,
)
from orchestrator.store.statements import Cell, hold, insert_journal, let_go, upsert_devices

# What each commit says: made once, as making them costs more than the database's work.
_LEASE = select(leases).where(leases.c.rollout_id == bindparam("rollout")).with_for_update()
_SNAPSHOT = (
    update(rollouts)
    .where(rollouts.c.id == bindparam("rollout"))
    .values({name: bindparam(name) for name in ("state", "exit_code", "body")})
)
_LAST_HASH = (
    select(journal.c.hash)
    .where(journal.c.rollout_id == bindparam("rollout"), journal.c.seq == bindparam("before"))
    .scalar_subquery()
)
# It gives the hash that the next entry follows: nobody else writes a journal whose lease is locked.
_SNAPSHOT_AND_JOURNAL = (
    _SNAPSHOT.where(rollouts.c.last_seq == bindparam("before"))
    .values({name: bindparam(name) for name in ("last_seq", "updated_at")})
    .returning(func.coalesce(_LAST_HASH, rollouts.c.origin))
)

NO_EPOCH = 0  # of the entries that create a rollout: no engine acts yet

Connection = sqlalchemy.Connection


def create(connection: Connection, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
    """Stores a new rollout.

    Raises:
        StoreError: it exists, or its journal does not begin at 1.
    """
    one_at_a_time(connection)
    if connection.scalar(select(rollouts.c.id).where(rollouts.c.id == rollout_id)):
        message = f"rollout `{rollout_id}` exists already"
        raise StoreError(message)
    last_seq = _follow(0, changes.journal, rollout_id)
    known = records.identity(plan_json)
    count, previous = last_origin(connection)
    origin = chain.origin(previous, count + 1, rollout_id, str(known["plan_digest"]))
    columns = {
        "id": rollout_id,
        "number": count + 1,
        "origin": origin,
        **known,
        "created_at": changes.journal[0].at if changes.journal else 0.0,
        "updated_at": changes.journal[-1].at if changes.journal else 0.0,
        "last_seq": last_seq,
        "plan_json": plan_json,
        **_snapshot(changes.rollout),
    }
    connection.execute(insert(rollouts).values(columns))
    upsert_devices(connection, rollout_id, records.device_cells([changes]))
    cells = records.journal_cells(changes.journal, origin, NO_EPOCH)
    insert_journal(connection, rollout_id, NO_EPOCH, cells)
    if records.has_hooks(plan_json):
        connection.execute(insert(outbox).values(rollout_id=rollout_id, settled_seq=0))


def last_origin(connection: Connection) -> tuple[int, str]:
    """The number of the newest rollout and what the next one follows."""
    newest = select(rollouts.c.number, rollouts.c.origin).order_by(rollouts.c.number.desc())
    found = connection.execute(newest.limit(1)).one_or_none()
    if found is not None:
        return found.number, found.origin
    controller_id = connection.scalar(select(meta.c.value).where(meta.c.key == CONTROLLER_ID))
    return 0, chain.beginning(str(controller_id))


def start(
    connection: Connection, rollout_id: str, plan_json: bytes, changes: Changes, *, alone: bool
) -> str:
    """Creates a rollout unless one of the same inputs is under way; gives that one's id.

    Raises:
        ClaimedError: with `alone`, another rollout goes first on its devices.
        StoreError: as `create`.
    """
    one_at_a_time(connection)
    known = records.identity(plan_json)
    keys = ("plan_sha256", "inventory_sha256", "artifact_sha256")
    under_way = active(connection, *(str(known[key]) for key in keys))
    if under_way is not None:
        return under_way
    create(connection, rollout_id, plan_json, changes)
    if alone:
        beyond.require_free(connection, rollout_id)
    return rollout_id


def active(
    connection: Connection, plan_sha256: str, inventory_sha256: str, artifact_sha256: str
) -> str | None:
    """The newest rollout of these inputs that is not over."""
    query = (
        select(rollouts.c.id)
        .where(
            rollouts.c.plan_sha256 == plan_sha256,
            rollouts.c.inventory_sha256 == inventory_sha256,
            rollouts.c.artifact_sha256 == artifact_sha256,
            rollouts.c.state.not_in(sorted(TERMINAL_ROLLOUT)),
        )
        .order_by(rollouts.c.created_at.desc(), rollouts.c.id.desc())
        .limit(1)
    )
    return connection.scalar(query)


def grown(connection: Connection, plan_sha256: str, artifact_sha256: str) -> Sequence[str]:
    """The rollouts of plan and artifact that are not over, of whatever inventory; newest first."""
    query = (
        select(rollouts.c.id)
        .where(
            rollouts.c.plan_sha256 == plan_sha256,
            rollouts.c.artifact_sha256 == artifact_sha256,
            rollouts.c.state.not_in(sorted(TERMINAL_ROLLOUT)),
        )
        .order_by(rollouts.c.created_at.desc(), rollouts.c.id.desc())
    )
    return connection.scalars(query).all()


def under_way(connection: Connection) -> Sequence[str]:
    """The rollouts that are not over, newest first."""
    query = (
        select(rollouts.c.id)
        .where(rollouts.c.state.not_in(sorted(TERMINAL_ROLLOUT)))
        .order_by(rollouts.c.created_at.desc(), rollouts.c.id.desc())
    )
    return connection.scalars(query).all()


def load(connection: Connection, rollout_id: str) -> Stored | None:
    """The last committed state of a rollout."""
    columns = (rollouts.c.plan_json, rollouts.c.body, rollouts.c.last_seq)
    found = connection.execute(select(*columns).where(rollouts.c.id == rollout_id)).one_or_none()
    if found is None:
        return None
    rows = device_rows(connection, rollout_id)
    return Stored(rollout_id, found.plan_json, json.loads(found.body), rows, found.last_seq)


def journal_of(
    connection: Connection, rollout_id: str, after: int, limit: int
) -> tuple[JournalEntry, ...]:
    """Journal entries with a `seq` above `after`, in order; at most `limit`."""
    query = (
        select(journal)
        .where(journal.c.rollout_id == rollout_id, journal.c.seq > after)
        .order_by(journal.c.seq)
        .limit(limit)
    )
    return tuple(records.journal_entry(row) for row in connection.execute(query))


def device_rows(connection: Connection, rollout_id: str) -> dict[DeviceId, Row]:
    """The snapshot rows of a rollout's devices."""
    query = select(devices.c.device, devices.c.body).where(devices.c.rollout_id == rollout_id)
    # Sorted here: the order of a database depends on the language that it was made for.
    found = {row.device: row.body for row in connection.execute(query)}
    return {DeviceId(name): json.loads(found[name]) for name in sorted(found)}


def commit(connection: Connection, lease: Lease, batch: Sequence[Changes]) -> str:
    """Writes snapshot and journal together; gives the last entry's hash, if there is one.

    Raises:
        LeaseError: the lease is no longer held.
        ClaimedError: the rollout would begin, and another one goes first.
        StoreError: there is no such rollout, or the journal would have a gap.
    """
    claims = any(changes.claims for changes in batch)
    if claims:
        one_at_a_time(connection)
    require(connection, lease)
    if not batch:
        return ""
    if claims:
        beyond.require_free(connection, lease.rollout_id)
    entries = [entry for changes in batch for entry in changes.journal]
    statement, values = _SNAPSHOT, {"rollout": lease.rollout_id, **_snapshot(batch[-1].rollout)}
    if entries:
        before = entries[0].seq - 1
        values |= {"before": before, "updated_at": entries[-1].at}
        values["last_seq"] = _follow(before, entries, lease.rollout_id)
        statement = _SNAPSHOT_AND_JOURNAL
    written = connection.execute(statement, values)
    previous = written.scalar_one_or_none() if entries else ""
    if previous is None or (not entries and written.rowcount != 1):
        raise _out_of_step(connection, lease.rollout_id, entries)
    upsert_devices(connection, lease.rollout_id, records.device_cells(batch))
    cells = records.journal_cells(entries, previous, lease.epoch)
    insert_journal(connection, lease.rollout_id, lease.epoch, cells)
    at = entries[-1].at if entries else 0.0
    hold(connection, lease.rollout_id, records.held_cells(batch))
    let_go(connection, lease.rollout_id, at, records.freed_cells(batch))
    for changes in batch:
        for other, request in changes.asks:
            ask(connection, other, records.request_columns(request))
    return str(cells[-1][-1]) if cells else ""


def acquire(
    connection: Connection, rollout_id: str, owner: str, *, now: float, ttl_s: float
) -> Lease:
    """Takes the lease with an epoch that no lease of this database had before.

    Raises:
        DrivenError: another owner's lease has not run out.
    """
    last = one_at_a_time(connection)
    query = select(leases).where(leases.c.rollout_id == rollout_id).with_for_update()
    found = connection.execute(query).one_or_none()
    if found is not None and found.owner not in ("", owner) and found.expires_at > now:
        raise DrivenError(rollout_id, found.owner, left_s=found.expires_at - now)
    lease = Lease(rollout_id, owner, last + 1, now + ttl_s)
    _set_last_epoch(connection, lease.epoch)
    columns = {"owner": owner, "epoch": lease.epoch, "expires_at": lease.expires_at}
    if found is None:
        connection.execute(insert(leases).values(rollout_id=rollout_id, **columns))
    else:
        here = leases.c.rollout_id == rollout_id
        connection.execute(update(leases).where(here).values(columns))
    return lease


def raise_epoch(connection: Connection, epoch: int) -> None:
    """The next lease's epoch is above this one."""
    if epoch > one_at_a_time(connection):
        _set_last_epoch(connection, epoch)


def _set_last_epoch(connection: Connection, epoch: int) -> None:
    mine = meta.c.key == LAST_EPOCH
    connection.execute(update(meta).where(mine).values(value=str(epoch)))


def one_at_a_time(connection: Connection) -> int:
    """Waits until no other transaction creates or acquires; gives the last epoch.

    One row of numbers for all rollouts: a device keeps the highest epoch per controller (R14), so
    a later rollout that began at 1 again would be refused as stale.
    """
    query = select(meta.c.value).where(meta.c.key == LAST_EPOCH).with_for_update()
    return int(connection.scalar(query) or 0)


def renew(connection: Connection, lease: Lease, expires_at: float) -> Lease:
    """Extends the lease.

    Raises:
        LeaseError: it is no longer held.
    """
    require(connection, lease)
    mine = leases.c.rollout_id == lease.rollout_id
    connection.execute(update(leases).where(mine).values(expires_at=expires_at))
    return Lease(lease.rollout_id, lease.owner, lease.epoch, expires_at)


def release(connection: Connection, lease: Lease) -> None:
    """Gives the lease back, if it is still held."""
    held = (
        leases.c.rollout_id == lease.rollout_id,
        leases.c.owner == lease.owner,
        leases.c.epoch == lease.epoch,
    )
    connection.execute(update(leases).where(*held).values(owner="", expires_at=0.0))


def ask(connection: Connection, rollout_id: str, columns: Mapping[str, Cell]) -> int:
    """Stores an operator's request; gives its number.

    Raises:
        StoreError: there is no such rollout.
    """
    hold_rollout(connection, rollout_id)
    stored = insert(requests).values(rollout_id=rollout_id, **columns).returning(requests.c.id)
    number: int = connection.execute(stored).scalar_one()
    return number


def hold_rollout(connection: Connection, rollout_id: str) -> None:
    """Waits for other changes of the rollout, and keeps them away until COMMIT.

    Raises:
        StoreError: there is no such rollout.
    """
    query = select(rollouts.c.id).where(rollouts.c.id == rollout_id)
    if not connection.scalar(query.with_for_update(key_share=True)):
        raise _unknown(rollout_id)


def _snapshot(row: Row) -> dict[str, Cell]:
    return {
        "state": records.state_of(row),
        "exit_code": records.exit_code_of(row),
        "body": records.body(row),
    }


def require(connection: Connection, lease: Lease) -> None:
    """Locks the lease, so that it cannot be taken over before COMMIT.

    Raises:
        LeaseError: it is no longer held.
    """
    found = connection.execute(_LEASE, {"rollout": lease.rollout_id}).one_or_none()
    if found is not None and (found.owner, found.epoch) == (lease.owner, lease.epoch):
        return
    now = f"held by `{found.owner}`" if found and found.owner else "not held by anyone"
    message = (
        f"the lease of rollout `{lease.rollout_id}` (epoch {lease.epoch}) is lost: it is {now}"
    )
    hint = f"another engine took over; this one has stopped. `rollout watch {lease.rollout_id}` follows"
    raise LeaseError(message, hint=hint)


def _follow(before: int, entries: Sequence[JournalEntry], rollout_id: str) -> int:
    """The last number of entries that must count on from `before`."""
    for expected, entry in enumerate(entries, before + 1):
        if entry.seq != expected:
            message = f"journal of rollout `{rollout_id}` would go on with {entry.seq} after {expected - 1}"
            raise StoreError(message)
    return before + len(entries)


def _out_of_step(
    connection: Connection, rollout_id: str, entries: Sequence[JournalEntry]
) -> StoreError:
    last = connection.scalar(select(rollouts.c.last_seq).where(rollouts.c.id == rollout_id))
    if last is None:
        return _unknown(rollout_id)
    first = entries[0].seq if entries else last
    message = f"journal of rollout `{rollout_id}` would go on with {first} after {last}"
    return StoreError(message)


def _unknown(rollout_id: str) -> StoreError:
    message = f"no rollout `{rollout_id}`"
    return StoreError(message, hint="`rollout status --all` lists the rollouts of this project")
