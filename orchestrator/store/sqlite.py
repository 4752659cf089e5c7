"""A SQLite file: safe file modes, SQLite's settings, transactions that mean what they say.

Laws:
1. The file is made with mode 0600 in a directory made with mode 0700 (the journal says who did
   what to which device); what exists keeps its modes.
2. WAL with `synchronous=FULL`: a commit that returned survives a power cut.
3. A file that exists is opened by SQLite alone: closing any other descriptor of it would drop the
   locks of this process, and another process would then take the log away under our feet.
4. A file that this user may only read is opened for reading (`store.reading`), and left as it is.
5. A writing transaction takes the write lock when it begins (BEGIN IMMEDIATE), so that what it
   read stays true until it commits; a reading one sees one state and waits for nobody.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from orchestrator.errors import StoreError, Where, is_full, system_reason
from orchestrator.store.reading import connect_reading, has_log, is_read_only, refuse_changed
from orchestrator.store.trouble import BUSY_TIMEOUT_S, FULL_HINT, store_error

READING = "rollout_reading"  # execution option: begin without the write lock
_SQLITE_PREFIX = "sqlite:///"
_RETRY_S = 0.02


def store_path(url_or_path: str) -> Path:
    """The SQLite file meant by a path or a `sqlite:///` address.

    Raises:
        StoreError: it names another kind of database.
    """
    text = url_or_path.removeprefix(_SQLITE_PREFIX)
    if "://" in text:
        kind = text.partition("://")[0]
        message = f"state store `{kind}` is not supported"
        hint = "give the path of a SQLite file, or an address that begins with `postgresql://`"
        raise StoreError(message, hint=hint)
    if not text or text.startswith((":", "file:")) or "\0" in text:
        message = f"state store `{text!a}` is not the path of a file"
        raise StoreError(message, hint="give a path such as `.rollout/state.db`")
    return Path(text).absolute()


@dataclass(frozen=True, slots=True)
class Sqlite:
    """Implements `Database` on one file, for the processes of one host."""

    path: Path
    repeat_s: float = 0.0  # a file has no connection to lose, and SQLite itself waits for locks

    @property
    def migrates_when_opened(self) -> bool:
        """Whoever may write it; for others it waits."""
        return not is_read_only(self.path)

    @property
    def place(self) -> str:
        """The file."""
        return str(self.path)

    def connect(self) -> sqlalchemy.Connection:
        """A connection for the calling thread only; makes the file when it is missing.

        Raises:
            StoreError: the file or its directory cannot be made.
            sqlalchemy.exc.DBAPIError: SQLite refuses the file.
        """
        if is_read_only(self.path):
            return _connect_reading(self.path)
        _make_file(self.path)
        engine = sqlalchemy.create_engine(
            sqlalchemy.URL.create("sqlite+pysqlite", database=str(self.path)),
            poolclass=NullPool,
            connect_args={"timeout": BUSY_TIMEOUT_S},
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        return engine.connect()

    def lock_schema(self, connection: sqlalchemy.Connection) -> None:
        """A writing transaction has the whole file to itself."""

    def now(self, connection: sqlalchemy.Connection, callers_s: float) -> float:
        """The caller's clock: all that use the file are on its host."""
        del connection
        return callers_s

    def mark(self, connection: sqlalchemy.Connection) -> int:
        """SQLite keeps it in memory that all connections share."""
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return int(driver.execute("PRAGMA data_version").fetchone()[0])

    def tell(self, connection: sqlalchemy.Connection, rollout_id: str) -> None:
        """Nobody listens to a file; engines look often."""

    def listener(self) -> None:
        """There is none."""

    def is_undone(self, error: DBAPIError) -> bool:
        """Never: SQLite waits before it refuses."""
        del error
        return False

    def trouble(self, error: DBAPIError) -> StoreError:
        """By SQLite's result code."""
        return store_error(error, self.place)


def _connect_reading(path: Path) -> sqlalchemy.Connection:
    with_log = has_log(path)
    engine = sqlalchemy.create_engine(
        "sqlite+pysqlite://",
        poolclass=NullPool,
        creator=lambda: connect_reading(path, BUSY_TIMEOUT_S, with_log=with_log),
    )
    event.listen(engine, "connect", _configure_reading)
    event.listen(engine, "begin", _begin)
    if not with_log:
        for moment in ("begin", "commit"):
            event.listen(engine, moment, lambda _connection: refuse_changed(path))
    return engine.connect()


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if os.access(path, os.R_OK | os.W_OK):
            return
        denied = OSError(errno.EACCES, os.strerror(errno.EACCES))
        why = system_reason(denied if os.access(path, os.F_OK) else error)
        message = f"state store `{path}` cannot be opened: {why}"
        hint = "check owner and permissions of the file and of its directory"
        if is_full(error):
            hint = FULL_HINT
        raise StoreError(message, hint=hint, where=Where(str(path))) from error


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver shall not begin transactions by itself
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    _use_wal(cursor)
    cursor.close()


def _configure_reading(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None


def _use_wal(cursor: sqlite3.Cursor) -> None:
    # Turning WAL on does not wait for another process that is turning it on as well.
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > give_up_at:
                raise
            time.sleep(_RETRY_S)
        else:
            return


def _begin(connection: sqlalchemy.Connection) -> None:
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
