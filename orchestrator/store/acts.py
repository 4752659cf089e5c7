"""The journal of acts: written under the lock of one row, read by number.

Laws:
1. It is append-only, and gapless from 1: whoever writes holds the row that has the last number.
2. The hash of an entry is made of the one before it in the same transaction (`rollout.chain`). What
   it has to follow and is not there any more is for an audit to name: acting goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy
from sqlalchemy import insert, select, update

from orchestrator.rollout.acts import ACTS, Act, ActKind
from orchestrator.rollout.audit import Kept
from orchestrator.rollout.chain import Written, beginning_of_acts, link
from orchestrator.rollout.events import JournalEntry
from orchestrator.store import records
from orchestrator.store.schema import CONTROLLER_ID, LAST_ACT, acts, meta

_PAGE = 5000  # entries in memory at once

Connection = sqlalchemy.Connection


def record(connection: Connection, wanted: Sequence[Act]) -> int:
    """Appends acts; gives the number of the last of them."""
    seq = _held_number(connection)
    previous = hash_of(connection, seq) or _beginning(connection)
    rows = []
    for act in wanted:
        seq, at, kind = seq + 1, float(act.at), act.kind.value
        data = records.body(act.data)
        previous = link(previous, Written(seq, at, kind, "", act.device, data, 0))
        row = {"seq": seq, "at": at, "type": kind, "device": act.device, "data": data}
        rows.append({**row, "hash": previous})
    connection.execute(insert(acts), rows)
    connection.execute(update(meta).where(meta.c.key == LAST_ACT).values(value=str(seq)))
    return seq


def record_in_doubt(connection: Connection, wanted: Sequence[Act]) -> int:
    """`record`, unless the last of these acts is there: of the same instant, person and device."""
    _held_number(connection)  # waits for the transaction whose COMMIT was not answered
    last = wanted[-1]
    query = select(acts.c.seq).where(
        acts.c.at == float(last.at),
        acts.c.type == last.kind.value,
        acts.c.device == last.device,
        acts.c.data == records.body(last.data),
    )
    found: int | None = connection.scalar(query.order_by(acts.c.seq.desc()).limit(1))
    return record(connection, wanted) if found is None else found


def page(connection: Connection, after: int, limit: int) -> tuple[JournalEntry, ...]:
    """Entries with a number above `after`, in order; at most `limit`."""
    query = select(acts).where(acts.c.seq > after).order_by(acts.c.seq).limit(limit)
    return tuple(map(_entry, connection.execute(query)))


def newest(connection: Connection, count: int, device: str | None) -> tuple[JournalEntry, ...]:
    """The newest acts (of a device, or all) and what is written of their ends, in order."""
    here = sqlalchemy.true() if device is None else acts.c.device == device
    begun = select(acts.c.seq).where(here, acts.c.type != ActKind.ACT_ENDED.value)
    found = connection.scalars(begun.order_by(acts.c.seq.desc()).limit(count)).all()
    if not found:
        return ()
    # An end stands after its act and has the same device.
    query = select(acts).where(here, acts.c.seq >= found[-1]).order_by(acts.c.seq)
    return tuple(map(_entry, connection.execute(query)))


def kept(connection: Connection, controller_id: str) -> Kept:
    """What the store keeps of the journal beside its entries."""
    return Kept(ACTS, 0, beginning_of_acts(controller_id), "", last_number(connection))


def written(connection: Connection) -> Iterator[tuple[Written, str]]:
    """All entries as their hashes are made of them, each with the hash that it has."""
    last = 0
    while True:
        query = select(acts).where(acts.c.seq > last).order_by(acts.c.seq).limit(_PAGE)
        rows = connection.execute(query).all()
        for row in rows:
            yield Written(row.seq, row.at, row.type, "", row.device, row.data, 0), row.hash
        if len(rows) < _PAGE:
            return
        last = rows[-1].seq


def last_number(connection: Connection) -> int:
    """The number of the last entry that was written; 0 before the first."""
    return int(connection.scalar(select(meta.c.value).where(meta.c.key == LAST_ACT)) or 0)


def hash_of(connection: Connection, seq: int) -> str:
    """The hash of an entry; empty where it is not there."""
    return connection.scalar(select(acts.c.hash).where(acts.c.seq == seq)) or ""


def _held_number(connection: Connection) -> int:
    """The number of the last entry, with nobody else writing until COMMIT."""
    query = select(meta.c.value).where(meta.c.key == LAST_ACT).with_for_update()
    return int(connection.scalar(query) or 0)


def _beginning(connection: Connection) -> str:
    controller_id = connection.scalar(select(meta.c.value).where(meta.c.key == CONTROLLER_ID))
    return beginning_of_acts(str(controller_id))


def _entry(row: sqlalchemy.Row[*tuple[object, ...]]) -> JournalEntry:
    data = records.entry_data(row.seq, row.data)
    return JournalEntry(row.seq, row.at, row.type, "", row.device, data)
