"""Hang the journals on a chain of hashes, which begins with what is there.

The form of the hashes is spelled out: it is that of `rollout.chain`, which never changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

_PAGE = 10_000
_KEYS = {"sqlite": "json_each(:rows)", "postgresql": "jsonb_array_elements(CAST(:rows AS jsonb))"}


def upgrade() -> None:
    """Adds the columns, filled in the order in which rollouts were made."""
    with op.batch_alter_table("rollouts") as table:
        table.add_column(sa.Column("number", sa.Integer, nullable=False, server_default="0"))
        table.add_column(sa.Column("origin", sa.Text, nullable=False, server_default=""))
    with op.batch_alter_table("journal") as table:
        table.add_column(sa.Column("hash", sa.Text, nullable=False, server_default=""))
    _fill()
    op.create_index("ix_rollouts_number", "rollouts", ["number"], unique=True)


def _fill() -> None:
    connection = op.get_bind()
    controller = connection.scalar(sa.text("SELECT value FROM meta WHERE key = 'controller_id'"))
    origin = _hash("rollout-journal 1", str(controller))
    plan = sa.text("SELECT plan_json FROM rollouts WHERE id = :id")
    ids = [row.id for row in _rows(sa.text("SELECT id FROM rollouts ORDER BY created_at, id"))]
    for number, rollout_id in enumerate(ids, 1):
        plan_json = connection.scalar(plan, {"id": rollout_id})
        plan_sha256 = hashlib.sha256(plan_json).hexdigest()
        origin = _hash(origin, _json([number, rollout_id, plan_sha256]))
        connection.execute(
            sa.text("UPDATE rollouts SET number = :number, origin = :origin WHERE id = :id"),
            {"number": number, "origin": origin, "id": rollout_id},
        )
        _chain(rollout_id, origin)


def _chain(rollout_id: str, previous: str) -> None:
    connection = op.get_bind()
    update = sa.text(
        "UPDATE journal SET hash = pairs.hash FROM "  # noqa: S608  a constant
        "(SELECT CAST(value ->> 0 AS integer) AS seq, value ->> 1 AS hash "
        f"FROM {_KEYS[connection.dialect.name]}) AS pairs "
        "WHERE journal.rollout_id = :id AND journal.seq = pairs.seq"
    )
    for page in _pages(rollout_id):
        pairs = []
        for row in page:
            previous = _hash(previous, _json(list(row)))
            pairs.append([row.seq, previous])
        connection.execute(update, {"id": rollout_id, "rows": _json(pairs)})


def _pages(rollout_id: str) -> Iterator[Sequence[sa.Row[tuple[object, ...]]]]:
    entries = sa.text(
        "SELECT seq, at, type, wave, device, data, epoch FROM journal "
        "WHERE rollout_id = :id AND seq > :after ORDER BY seq LIMIT :limit"
    )
    after = 0
    while page := _rows(entries, id=rollout_id, after=after, limit=_PAGE):
        yield page
        after = page[-1].seq


def _rows(query: sa.TextClause, **values: object) -> Sequence[sa.Row[tuple[object, ...]]]:
    return op.get_bind().execute(query, values).all()


def _hash(previous: str, text: str) -> str:
    return hashlib.sha256(f"{previous}\n{text}".encode("ascii")).hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
