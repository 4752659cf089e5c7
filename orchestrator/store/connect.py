"""Opens the database: safe file modes, SQLite's settings, transactions that mean what they say.

Laws:
1. The file is made with mode 0600 in a directory made with mode 0700 (the journal says who did
   what to which device); what exists keeps its modes.
2. WAL with `synchronous=FULL`: a commit that returned survives a power cut.
3. A writing transaction takes the write lock when it begins (BEGIN IMMEDIATE), so that what it
   read stays true until it commits; a reading one sees one state and waits for nobody.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from orchestrator.errors import StoreError, Where
from orchestrator.store.trouble import BUSY_TIMEOUT_S

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
        hint = "PostgreSQL comes with a later version; give the path of a SQLite file"
        raise StoreError(message, hint=hint)
    if not text or text.startswith((":", "file:")) or "\0" in text:
        message = f"state store `{text!a}` is not the path of a file"
        raise StoreError(message, hint="give a path such as `.rollout/state.db`")
    return Path(text).absolute()


def connect(path: Path) -> sqlalchemy.Connection:
    """A connection for the calling thread only; makes the file when it is missing.

    Raises:
        StoreError: the file or its directory cannot be made.
        sqlalchemy.exc.DBAPIError: SQLite refuses the file.
    """
    _make_file(path)
    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create("sqlite+pysqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine.connect()


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        message = f"state store `{path}` cannot be opened: {error.strerror}"
        hint = "check owner and permissions of the file and of its directory"
        raise StoreError(message, hint=hint, where=Where(str(path))) from error


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver shall not begin transactions by itself
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    _use_wal(cursor)
    cursor.close()


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
