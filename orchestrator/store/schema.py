"""The tables, in SQLAlchemy's generic types: the same on SQLite and PostgreSQL.

Laws:
1. The migrations make the tables; what stands here describes the newest schema (a test compares).
2. `journal` is append-only, and its rows hang on one another (`rollout.chain`): `number` and
   `origin` of a rollout, `hash` of an entry; `devices` and `rollouts` are the snapshot, which is the truth at
   restart; both change in the same transaction. So is `acts`, of what is done beside rollouts.
3. Bodies are JSON text in ASCII, so that no byte of a device can break a database's text rules.
4. Seconds are UTC and come from callers: the store reads no clock. The one exception are leases,
   which PostgreSQL's clock measures (`connect.Database.now`).
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

SCHEMA = "0005"  # the revision this code reads and writes; revisions sort as text

# Keys of `meta`
CONTROLLER_ID = "controller_id"
LAST_EPOCH = "last_epoch"
FREEZE = "freeze"  # the last one of all rollouts; not there: there never was one
LAST_ACT = "last_act"  # the number of the last entry of `acts`
FOLLOWED = "followed:"  # and a digest: what is remembered of a branch of git

# Names of constraints are given, so that later migrations can find them on every database.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("plan_name", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("plan_sha256", Text, nullable=False),
    Column("inventory_sha256", Text, nullable=False),
    Column("artifact_sha256", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("exit_code", Integer),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("plan_json", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),
    Column("component", Text, nullable=False, server_default="main"),
    Column("priority", Integer, nullable=False, server_default="500"),
    Column("release", Text, nullable=False, server_default=""),
    Column("number", Integer, nullable=False, server_default="0"),
    Column("origin", Text, nullable=False, server_default=""),
    Index("ix_rollouts_plan_name", "plan_name", "created_at"),
    Index("ix_rollouts_inputs", "plan_sha256", "inventory_sha256", "artifact_sha256"),
    Index("ix_rollouts_number", "number", unique=True),
)

devices = Table(
    "devices",
    metadata,
    Column("rollout_id", Text, ForeignKey("rollouts.id"), primary_key=True),
    Column("device", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

journal = Table(
    "journal",
    metadata,
    Column("rollout_id", Text, ForeignKey("rollouts.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("type", Text, nullable=False),
    Column("wave", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("hash", Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

# What people and controllers do beside rollouts (`rollout.acts`).
acts = Table(
    "acts",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("type", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ix_acts_device", "device", "seq"),
)

# No foreign key: a lease may be taken before the rollout is stored.
leases = Table(
    "leases",
    metadata,
    Column("rollout_id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", Float, nullable=False),
)

# Pairs of a device and an artifact that are not tried again; `everywhere`: nothing is;
# until somebody freed the device.
held = Table(
    "held",
    metadata,
    Column("device", Text, primary_key=True),
    Column("artifact_sha256", Text, primary_key=True),
    Column("since", Float, nullable=False),
    Column("why", Text, nullable=False),
    Column("rollout_id", Text, nullable=False),
    Column("everywhere", Integer, nullable=False),
    Column("freed_at", Float),
    Column("freed_by", Text),
    Column("freed_why", Text),
)

# Numbers rise and are never used again (`sqlite_autoincrement`): engines ask for those above the
# last one they have seen.
requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("rollout_id", Text, ForeignKey("rollouts.id"), nullable=False),
    Column("at", Float, nullable=False),
    Column("ask", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_requests_rollout_id", "rollout_id", "id"),
    sqlite_autoincrement=True,
)

# A row for each rollout whose plan has hooks, made with it: what up to `settled_seq` was due of its
# journal has been told or given up.
outbox = Table(
    "outbox",
    metadata,
    Column("rollout_id", Text, ForeignKey("rollouts.id"), primary_key=True),
    Column("settled_seq", Integer, nullable=False),
)

# What came of telling a hook of a journal entry; `delivered` is 0 or 1.
deliveries = Table(
    "deliveries",
    metadata,
    Column("rollout_id", Text, ForeignKey("rollouts.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("hook", Integer, primary_key=True, autoincrement=False),
    Column("event", Text, nullable=False),
    Column("to", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("delivered", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("detail", Text, nullable=False),
)
