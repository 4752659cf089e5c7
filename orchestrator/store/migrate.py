"""Brings a database to the schema of this code, one process at a time.

Laws:
1. A database at the right schema is only read, and Alembic is not even imported (its import
   takes longer than most commands).
2. An older one is migrated in one transaction: whole or not at all; a second process that comes
   at the same moment waits and finds the work done.
3. A file is migrated when it is opened. A database that others use as well is migrated only when
   somebody says so (`rollout state migrate`): an older controller may be at work on it.
4. A newer or a foreign one is refused and left as it is.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from orchestrator.errors import StoreError, Where
from orchestrator.store.connect import READING, Database, database_of
from orchestrator.store.schema import CONTROLLER_ID, LAST_EPOCH, SCHEMA, meta

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"  # Alembic's own


@dataclass(frozen=True, slots=True)
class Migrated:
    """Which database, from which schema to which; `before` is empty for a new one."""

    place: str
    before: str
    after: str


def migrate_store(url_or_path: str) -> Migrated:
    """Migrates a store that may be older, or new; one that is right is only read.

    Raises:
        StoreError: the database cannot be used, or is newer than this code.
    """
    database = database_of(url_or_path)
    try:
        with closing(database.connect()) as connection:
            if current(connection, database.place) == SCHEMA:
                return Migrated(database.place, SCHEMA, SCHEMA)
            return migrate(connection, database)
    except DBAPIError as error:
        raise database.trouble(error) from error


def prepare(connection: sqlalchemy.Connection, database: Database) -> str:
    """Sees to it that the schema is right; gives the controller id, made once per database.

    Raises:
        StoreError: it is older and waits to be migrated, newer than this code, or something else.
        sqlalchemy.exc.DBAPIError: the database refused.
    """
    found = current(connection, database.place)
    if found != SCHEMA:
        if not database.migrates_when_opened:
            raise _waits(database.place, found)
        migrate(connection, database)
    connection.execution_options(**{READING: True})
    with connection.begin():
        controller_id = connection.scalar(select(meta.c.value).where(meta.c.key == CONTROLLER_ID))
    connection.execution_options(**{READING: False})
    return str(controller_id)


def migrate(connection: sqlalchemy.Connection, database: Database) -> Migrated:
    """Migrates to the schema of this code; may be called again, and by many at once.

    Raises:
        StoreError: the database is newer than this code, or is something else.
        sqlalchemy.exc.DBAPIError: the database refused.
    """
    with connection.begin():
        database.lock_schema(connection)
        before = _revision(connection, database.place)
        if before != SCHEMA:
            _upgrade(connection, is_new=not before)
    return Migrated(database.place, before, SCHEMA)


def current(connection: sqlalchemy.Connection, place: str) -> str:
    """The schema found, empty for a new database; only reads.

    Raises:
        StoreError: it is newer than this code, or another program's.
        sqlalchemy.exc.DBAPIError: the database refused.
    """
    connection.execution_options(**{READING: True})
    try:
        with connection.begin():
            return _revision(connection, place)
    finally:
        connection.execution_options(**{READING: False})


def _upgrade(connection: sqlalchemy.Connection, *, is_new: bool) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    command.upgrade(config, SCHEMA)
    if is_new:
        made = {CONTROLLER_ID: secrets.token_hex(8), LAST_EPOCH: "0"}
        rows = [{"key": key, "value": value} for key, value in made.items()]
        connection.execute(insert(meta), rows)


def _waits(place: str, found: str) -> StoreError:
    message = f"state store `{place}` has schema `{found}`, and this version needs `{SCHEMA}`"
    hint = "stop the controllers of older versions, then run `rollout state migrate`"
    if not found:
        message = f"state store `{place}` has no tables yet"
        hint = "make them with `rollout state migrate`"
    return StoreError(message, hint=hint, where=Where(place))


def _revision(connection: sqlalchemy.Connection, place: str) -> str:
    """The schema found, empty for a new database."""
    tables = sqlalchemy.inspect(connection).get_table_names()
    if not tables:
        return ""
    if _VERSION_TABLE not in tables:
        message = f"state store `{place}` is a database of another program"
        hint = "give another path; nothing was changed"
        raise StoreError(message, hint=hint, where=Where(place))
    found = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))  # noqa: S608  a constant
    revision = str(found or "")
    if revision > SCHEMA:
        message = f"state store `{place}` has schema `{revision}`, newer than `{SCHEMA}`"
        hint = "use the version of rollout that wrote it, or a newer one; nothing was changed"
        raise StoreError(message, hint=hint, where=Where(place))
    return revision
