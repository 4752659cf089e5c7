"""Keep what hooks were told. Earlier versions refused plans with hooks, so nothing is filled in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Makes both tables."""
    op.create_table(
        "outbox",
        sa.Column("rollout_id", sa.Text, nullable=False),
        sa.Column("settled_seq", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", name="pk_outbox"),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name="fk_outbox_rollout_id"),
    )
    op.create_table(
        "deliveries",
        sa.Column("rollout_id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("hook", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("to", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("delivered", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "seq", "hook", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name="fk_deliveries_rollout_id"),
    )
