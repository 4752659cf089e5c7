"""Make the first schema: rollouts, devices, journal, leases, requests.

Spelled out instead of taken from `schema.py`: a revision must not change when the schema does.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Makes all tables."""
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    _rollouts()
    _rollout_parts()
    op.create_table(
        "leases",
        sa.Column("rollout_id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", name="pk_leases"),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("rollout_id", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("ask", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name="fk_requests_rollout_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_requests_rollout_id", "requests", ["rollout_id", "id"])


def _rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("plan_name", sa.Text, nullable=False),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("plan_sha256", sa.Text, nullable=False),
        sa.Column("inventory_sha256", sa.Text, nullable=False),
        sa.Column("artifact_sha256", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("exit_code", sa.Integer, nullable=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("last_seq", sa.Integer, nullable=False),
        sa.Column("plan_json", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rollouts"),
    )
    op.create_index("ix_rollouts_plan_name", "rollouts", ["plan_name", "created_at"])
    op.create_index(
        "ix_rollouts_inputs", "rollouts", ["plan_sha256", "inventory_sha256", "artifact_sha256"]
    )


def _rollout_parts() -> None:
    op.create_table(
        "devices",
        sa.Column("rollout_id", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "device", name="pk_devices"),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name="fk_devices_rollout_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "journal",
        sa.Column("rollout_id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("wave", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "seq", name="pk_journal"),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name="fk_journal_rollout_id"),
        sqlite_with_rowid=False,
    )
