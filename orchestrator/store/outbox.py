"""Which notices were told: implements `engine.ports.Outbox`.

Laws:
1. That a rollout has an outbox is stored in the transaction that creates it; what is due follows
   from its journal, which is committed with the snapshot. So no crash loses a notice.
2. Each write here may be repeated: it says the same again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, text, update

from orchestrator.engine.ports import Delivery, Told
from orchestrator.rollout.events import JournalEntry
from orchestrator.store import transactions
from orchestrator.store.schema import deliveries, outbox, rollouts
from orchestrator.store.transactions import Connection
from orchestrator.store.writer import Writer

JOURNAL_PAGE = 1000

# The same words for SQLite and PostgreSQL; `to` is a keyword of both.
_RECORD = text("""
    INSERT INTO deliveries
        (rollout_id, seq, hook, event, "to", attempts, delivered, at, detail)
    VALUES (:rollout_id, :seq, :hook, :event, :to, :attempts, :delivered, :at, :detail)
    ON CONFLICT (rollout_id, seq, hook) DO UPDATE SET
        attempts = excluded.attempts, delivered = excluded.delivered, at = excluded.at,
        detail = excluded.detail
""")


class SqlOutbox:
    """The outboxes of all rollouts of a store; made by `SqlStore`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def untold(self) -> Sequence[str]:
        """Rollouts with hooks whose journals go beyond what was settled.

        Raises:
            StoreError: the store failed.
        """
        query = (
            select(outbox.c.rollout_id)
            .join(rollouts, rollouts.c.id == outbox.c.rollout_id)
            .where(outbox.c.settled_seq < rollouts.c.last_seq)
            .order_by(rollouts.c.created_at, rollouts.c.id)
        )
        return await self._writer.read(lambda c: tuple(c.scalars(query)))

    async def told(self, rollout_id: str) -> Told:
        """What came of telling so far.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: _told(c, rollout_id))

    async def journal(self, rollout_id: str, *, after: int) -> Sequence[JournalEntry]:
        """Entries with a `seq` above `after`, in order; empty when there are none.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(
            lambda c: transactions.journal_of(c, rollout_id, after, JOURNAL_PAGE)
        )

    async def record(self, rollout_id: str, delivery: Delivery) -> None:
        """Writes an attempt, over the earlier one of the same notice and hook.

        Raises:
            StoreError: the store failed.
        """
        values = {
            "rollout_id": rollout_id,
            "seq": delivery.seq,
            "hook": delivery.hook,
            "event": delivery.event,
            "to": delivery.to,
            "attempts": delivery.attempts,
            "delivered": int(delivery.delivered),
            "at": delivery.at,
            "detail": delivery.detail,
        }
        await self._writer.write(lambda c: c.execute(_RECORD, values))

    async def settle(self, rollout_id: str, seq: int) -> None:
        """Nothing is due any more up to this entry; it never goes back.

        Raises:
            StoreError: the store failed.
        """
        here = (outbox.c.rollout_id == rollout_id, outbox.c.settled_seq < seq)
        change = update(outbox).where(*here).values(settled_seq=seq)
        await self._writer.write(lambda c: c.execute(change))


def _told(connection: Connection, rollout_id: str) -> Told:
    settled = select(outbox.c.settled_seq).where(outbox.c.rollout_id == rollout_id)
    made = (
        select(deliveries)
        .where(deliveries.c.rollout_id == rollout_id)
        .order_by(deliveries.c.seq, deliveries.c.hook)
    )
    return Told(
        connection.scalar(settled) or 0,
        tuple(
            Delivery(
                found.seq, found.hook, found.event, found.to, found.attempts,
                bool(found.delivered), found.at, found.detail,
            )
            for found in connection.execute(made)
        ),
    )  # fmt: skip
