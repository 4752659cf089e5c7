"""Tell rollouts apart by component, priority and release, and keep held pairs."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Adds the columns, filled from the stored plans, and the table."""
    with op.batch_alter_table("rollouts") as table:
        table.add_column(sa.Column("component", sa.Text, nullable=False, server_default="main"))
        table.add_column(sa.Column("priority", sa.Integer, nullable=False, server_default="500"))
        table.add_column(sa.Column("release", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "held",
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("artifact_sha256", sa.Text, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("rollout_id", sa.Text, nullable=False),
        sa.Column("everywhere", sa.Integer, nullable=False),
        sa.Column("freed_at", sa.Float, nullable=True),
        sa.Column("freed_by", sa.Text, nullable=True),
        sa.Column("freed_why", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("device", "artifact_sha256", name="pk_held"),
    )
    _fill()


def _fill() -> None:
    rollouts = sa.table(
        "rollouts",
        sa.column("id"),
        sa.column("plan_json", sa.LargeBinary),
        *(sa.column(name) for name in ("component", "priority", "release")),
    )
    connection = op.get_bind()
    for found in connection.execute(sa.select(rollouts.c.id, rollouts.c.plan_json)).all():
        try:
            plan = json.loads(found.plan_json)
        except ValueError:
            continue
        if not isinstance(plan, dict):
            continue
        values = {
            "component": str(plan.get("component", "main")),
            "priority": int(plan.get("priority", 500)),
            "release": str(plan.get("release", "")),
        }
        connection.execute(rollouts.update().where(rollouts.c.id == found.id).values(values))
