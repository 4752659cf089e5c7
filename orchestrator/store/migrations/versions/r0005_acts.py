"""Keep what is done beside rollouts. Nothing is known of what was done before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Makes the table, and the row that whoever writes to it locks."""
    op.create_table(
        "acts",
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_acts"),
    )
    op.create_index("ix_acts_device", "acts", ["device", "seq"])
    meta = sa.table("meta", sa.column("key"), sa.column("value"))
    op.bulk_insert(meta, [{"key": "last_act", "value": "0"}])
