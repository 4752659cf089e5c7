"""A PostgreSQL server: for controllers on several machines.

Laws:
1. No state of a session counts: limits are set anew in each transaction and statements are never
   prepared, so that a pooler in transaction mode may stand between.
2. A process that stopped in the middle of a transaction loses it after `IDLE_S`, and with it its
   locks: a takeover never waits longer than that for a controller that does not move.
3. A reading transaction sees one state (REPEATABLE READ, READ ONLY); a writing one locks the rows
   that it decides by, so that what it read stays true until it commits.
4. The password goes to the driver and nowhere else (`store.address`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
import sqlalchemy
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from orchestrator.errors import StoreError
from orchestrator.store.address import parameters_of, without_password
from orchestrator.store.postgres_listen import PostgresListener
from orchestrator.store.postgres_trouble import LOCK_S, STATEMENT_S, postgres_error
from orchestrator.store.sqlite import READING

CHANNEL = "rollout_requests"  # NOTIFY with the rollout's id
CONNECT_S = 10
IDLE_S = 5  # shorter than a lease and than LOCK_S: a stopped process keeps nobody from its rollout
REPEAT_S = 30.0  # a server restarts, or its standby takes over, in less
_SCHEMA_LOCK = 0x726F6C6C6F757420  # "rollout ": one number for the migrations of all versions
_UNDONE = frozenset({"40001", "40P01"})  # serialization failure, deadlock

# A silent death of the server or of the path to it shows after about 15 s.
_DEFAULTS = {
    "application_name": "rollout",
    "client_encoding": "utf8",
    "connect_timeout": str(CONNECT_S),
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
_LIMITS = (
    f"SET LOCAL statement_timeout = '{STATEMENT_S}s'; SET LOCAL lock_timeout = '{LOCK_S}s'; "
    f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_S}s'"
)
# Whatever the server's default: what was acknowledged survives a crash of it.
_DURABLE = "; SET LOCAL synchronous_commit = on"
_ONE_STATE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; "


@dataclass(frozen=True, slots=True)
class Postgres:
    """Implements `Database` on one database of a server; made by `at`."""

    place: str
    parameters: Mapping[str, str] = field(repr=False)
    repeat_s: float = REPEAT_S
    migrates_when_opened: bool = False

    @classmethod
    def at(cls, url: str) -> Postgres:
        """The database of an address as libpq writes it.

        Raises:
            StoreError: the address cannot be read.
        """
        return cls(without_password(url), _DEFAULTS | parameters_of(url))

    def driver_connection(self) -> psycopg.Connection:
        """A connection without SQLAlchemy, for listening.

        Raises:
            psycopg.Error: the server cannot be reached or refuses.
        """
        return psycopg.connect(prepare_threshold=None, **self.parameters)  # type: ignore[arg-type]  # all values are texts

    def connect(self) -> sqlalchemy.Connection:
        """A connection for the calling thread only.

        Raises:
            sqlalchemy.exc.DBAPIError: the server cannot be reached or refuses.
        """
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://",
            creator=self.driver_connection,
            poolclass=NullPool,
            use_native_hstore=False,
        )
        event.listen(engine, "begin", _begin)
        return engine.connect()

    def lock_schema(self, connection: sqlalchemy.Connection) -> None:
        """Waits for another migration; its own statements may then take their time."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})
        connection.execute(text("SET LOCAL statement_timeout = 0"))

    def now(self, connection: sqlalchemy.Connection, callers_s: float) -> float:
        """The server's clock: those of the controllers may differ by more than a lease."""
        del callers_s
        clock = text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)")
        return float(connection.execute(clock).scalar_one())

    def tell(self, connection: sqlalchemy.Connection, rollout_id: str) -> None:
        """Notifies at COMMIT."""
        notify = text("SELECT pg_notify(:channel, :rollout_id)")
        connection.execute(notify, {"channel": CHANNEL, "rollout_id": rollout_id})

    def mark(self, connection: sqlalchemy.Connection) -> None:
        """A server is asked, or tells by itself."""

    def listener(self) -> PostgresListener:
        """Hears NOTIFY on a connection of its own."""
        return PostgresListener(self.driver_connection, CHANNEL)

    def is_undone(self, error: DBAPIError) -> bool:
        """A deadlock or a clash with another transaction."""
        return getattr(error.orig, "sqlstate", None) in _UNDONE

    def trouble(self, error: DBAPIError) -> StoreError:
        """By SQLSTATE; where connecting failed there is none, and the server's words tell."""
        return postgres_error(error.orig, self.place)


def _begin(connection: sqlalchemy.Connection) -> None:
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql(_ONE_STATE + _LIMITS if reading else _LIMITS + _DURABLE)
