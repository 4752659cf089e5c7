"""Which database an operator means, and what the store asks of each kind.

`Sqlite` and `Postgres` are the two kinds; everything above them is the same for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import sqlalchemy
from sqlalchemy.exc import DBAPIError

from orchestrator.errors import StoreError
from orchestrator.store.sqlite import READING, Sqlite, store_path

__all__ = ["READING", "Database", "database_of"]

_POSTGRES_PREFIXES = ("postgresql://", "postgres://")


class Listener(Protocol):
    """Hears of new requests; used from one event loop."""

    @property
    def is_listening(self) -> bool:
        """Whether it would hear of one now."""
        ...

    def open(self) -> None:
        """Connects, or finds that it cannot; blocks, never raises."""
        ...

    def start(self, heard: Callable[[str], None]) -> None:
        """Calls back on the running loop, with the id of the rollout."""
        ...

    def close(self) -> None:
        """Hears no more."""
        ...


class Database(Protocol):
    """One database: how to reach it, and what its kind does in its own way."""

    @property
    def place(self) -> str:
        """Where it is, for messages: a file, or an address without its password."""
        ...

    @property
    def repeat_s(self) -> float:
        """For how long undone transactions are repeated on a new connection; 0: never."""
        ...

    @property
    def migrates_when_opened(self) -> bool:
        """Whether opening an older schema migrates it; a database of many waits to be told."""
        ...

    def connect(self) -> sqlalchemy.Connection:
        """A connection for the calling thread only.

        Raises:
            StoreError: there is no such place.
            sqlalchemy.exc.DBAPIError: the database refuses.
        """
        ...

    def lock_schema(self, connection: sqlalchemy.Connection) -> None:
        """Keeps other migrations away until the transaction ends."""
        ...

    def now(self, connection: sqlalchemy.Connection, callers_s: float) -> float:
        """The time that leases are measured by, when the caller's clock shows `callers_s`."""
        ...

    def mark(self, connection: sqlalchemy.Connection) -> int | None:
        """Another number once another connection has written; None where that costs a question."""
        ...

    def tell(self, connection: sqlalchemy.Connection, rollout_id: str) -> None:
        """Tells engines that listen, at COMMIT, that the rollout has a new request."""
        ...

    def listener(self) -> Listener | None:
        """Hears what `tell` told; None where looking is the only way."""
        ...

    def is_undone(self, error: DBAPIError) -> bool:
        """Whether the database undid the whole transaction for a reason that passes."""
        ...

    def trouble(self, error: DBAPIError) -> StoreError:
        """What to raise from a driver's error: what is wrong, and what to do now."""
        ...


def database_of(url_or_path: str) -> Database:
    """The database of `--state`: `postgresql://...`, or the path of a SQLite file.

    Raises:
        StoreError: it is neither, or the driver is not installed.
    """
    if not url_or_path.startswith(_POSTGRES_PREFIXES):
        return Sqlite(store_path(url_or_path))
    try:
        from orchestrator.store.postgres import Postgres
    except ImportError as error:
        message = "the state store is on PostgreSQL, and its driver `psycopg` cannot be loaded"
        hint = "install it: `pip install 'rollout-orchestrator[postgresql]'`"
        raise StoreError(message, hint=hint) from error
    return Postgres.at(url_or_path)
