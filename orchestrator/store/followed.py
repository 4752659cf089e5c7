"""What a controller remembers of a branch of git that it follows: one text for each branch.

Law: it is written under the controller's lease alone; who was overtaken can write nothing.
"""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import insert, select, update

from orchestrator.engine.ports import Lease
from orchestrator.store.schema import FOLLOWED, meta
from orchestrator.store.transactions import require

Connection = sqlalchemy.Connection


def followed(connection: Connection, key: str) -> str:
    """The text that was kept last; empty where there is none."""
    found = connection.scalar(select(meta.c.value).where(meta.c.key == f"{FOLLOWED}{key}"))
    return found or ""


def follow(connection: Connection, lease: Lease, key: str, text: str) -> None:
    """Keeps a text in place of the last.

    Raises:
        LeaseError: the lease is no longer held.
    """
    row = {"key": f"{FOLLOWED}{key}", "value": text}
    changed = connection.execute(update(meta).where(meta.c.key == row["key"]).values(row))
    if changed.rowcount == 0:
        connection.execute(insert(meta).values(row))
    require(connection, lease)  # after `meta`: rows are locked in one order
