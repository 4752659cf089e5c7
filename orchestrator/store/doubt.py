"""Writes whose COMMIT was sent and never answered: did it happen, or must it be done now?

Laws:
1. Nothing is repeated before the database has said that it did not happen.
2. Each function first takes the lock that the lost transaction held: if that one is still under
   way on the server, this one waits for its end instead of overtaking it.

What may simply be repeated needs no function here: acquiring (the same owner gets a higher epoch,
and nobody acts under the lower one), renewing, giving back, joining a rollout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from orchestrator.engine.ports import Changes, Lease
from orchestrator.store import transactions
from orchestrator.store.schema import journal, requests, rollouts
from orchestrator.store.statements import Cell
from orchestrator.store.transactions import Connection


def create(connection: Connection, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
    """`transactions.create`, unless the rollout is there with this plan.

    Raises:
        StoreError: as there.
    """
    transactions.one_at_a_time(connection)
    query = select(rollouts.c.plan_json).where(rollouts.c.id == rollout_id)
    if connection.scalar(query) != plan_json:
        transactions.create(connection, rollout_id, plan_json, changes)


def commit(connection: Connection, lease: Lease, batch: Sequence[Changes]) -> str:
    """`transactions.commit`, unless the journal has its last entry, under this epoch.

    Only the holder of an epoch writes under it, and a `seq` stands once in a journal.

    Raises:
        LeaseError: the lease was taken over meanwhile; whatever happened, this engine must stop.
        StoreError: as there.
    """
    if any(changes.claims for changes in batch):
        transactions.one_at_a_time(connection)
    transactions.require(connection, lease)
    entries = [entry for changes in batch for entry in changes.journal]
    if entries:
        query = select(journal.c.epoch, journal.c.hash).where(
            journal.c.rollout_id == lease.rollout_id, journal.c.seq == entries[-1].seq
        )
        found = connection.execute(query).one_or_none()
        if found is not None and found.epoch == lease.epoch:
            return str(found.hash)
    return transactions.commit(connection, lease, batch)


def ask(connection: Connection, rollout_id: str, columns: Mapping[str, Cell]) -> int:
    """`transactions.ask`, unless the same person's same request of the same instant is there.

    Raises:
        StoreError: as there.
    """
    transactions.hold_rollout(connection, rollout_id)
    same = [requests.c[name] == value for name, value in columns.items()]
    query = select(requests.c.id).where(requests.c.rollout_id == rollout_id, *same)
    found: int | None = connection.scalar(query.order_by(requests.c.id.desc()).limit(1))
    return transactions.ask(connection, rollout_id, columns) if found is None else found
