"""Reads the chain: where it ends, and all of it again in one state of the database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy import func, select

from orchestrator.rollout.acts import ACTS
from orchestrator.rollout.audit import Audit, Auditor, Head, Kept, Seal
from orchestrator.rollout.chain import Written, beginning
from orchestrator.rollout.journal_proof import Proof
from orchestrator.store import acts
from orchestrator.store.schema import journal, rollouts
from orchestrator.store.transactions import Connection, last_origin

_PAGE = 5000  # entries in memory at once
_ENTRY = (
    journal.c.seq, journal.c.at, journal.c.type, journal.c.wave, journal.c.device, journal.c.data,
    journal.c.epoch, journal.c.hash,
)  # fmt: skip


def head(connection: Connection, controller_id: str, rollout_id: str) -> Head | None:
    """Where the journal of a rollout, or that of `ACTS`, ends; None where there is no such rollout."""
    if rollout_id == ACTS:
        return _head_of_acts(connection, controller_id)
    here = rollouts.c.id == rollout_id
    kept = connection.execute(select(rollouts.c.last_seq, rollouts.c.origin).where(here))
    found = kept.one_or_none()
    if found is None:
        return None
    last = select(journal.c.hash).where(
        journal.c.rollout_id == rollout_id, journal.c.seq == found.last_seq
    )
    count, newest = last_origin(connection)
    return Head(rollout_id, found.last_seq, connection.scalar(last) or found.origin, count, newest)


def _head_of_acts(connection: Connection, controller_id: str) -> Head:
    kept = acts.kept(connection, controller_id)
    last = acts.hash_of(connection, kept.last_seq) or kept.origin
    return Head(ACTS, kept.last_seq, last, *last_origin(connection))


def audit(connection: Connection, controller_id: str, seals: Sequence[Seal]) -> Audit:
    """Judges all journals."""
    auditor = Auditor(controller_id, seals)
    ids = connection.scalars(select(rollouts.c.id).order_by(rollouts.c.number)).all()
    for rollout_id in ids:
        auditor.take(_kept(connection, rollout_id), _entries(connection, rollout_id))
    auditor.take_acts(acts.kept(connection, controller_id), acts.written(connection))
    strays = select(func.count()).where(journal.c.rollout_id.not_in(select(rollouts.c.id)))
    return auditor.end(connection.scalar(strays) or 0)


def proof(connection: Connection, controller_id: str, rollout_id: str) -> Proof | None:
    """One journal with all that its hashes are made of; None where there is no such rollout."""
    here = select(rollouts.c.id).where(rollouts.c.id == rollout_id)
    if connection.scalar(here) is None:
        return None
    kept = _kept(connection, rollout_id)
    before = select(rollouts.c.origin).where(rollouts.c.number == kept.number - 1)
    return Proof(
        controller_id,
        rollout_id,
        kept.number,
        connection.scalar(before) or beginning(controller_id),
        kept.origin,
        kept.plan_sha256,
        tuple(_entries(connection, rollout_id)),
    )


def _kept(connection: Connection, rollout_id: str) -> Kept:
    columns = (rollouts.c.number, rollouts.c.origin, rollouts.c.plan_json, rollouts.c.last_seq)
    found = connection.execute(select(*columns).where(rollouts.c.id == rollout_id)).one()
    plan_sha256 = hashlib.sha256(found.plan_json).hexdigest()
    return Kept(rollout_id, found.number, found.origin, plan_sha256, found.last_seq)


def _entries(connection: Connection, rollout_id: str) -> Iterator[tuple[Written, str]]:
    here = select(*_ENTRY).where(journal.c.rollout_id == rollout_id).order_by(journal.c.seq)
    query = here.limit(_PAGE)
    while True:
        page = connection.execute(query).all()
        for row in page:
            yield Written._make(row[:-1]), row.hash
        if len(page) < _PAGE:
            return
        query = here.where(journal.c.seq > page[-1].seq).limit(_PAGE)
