"""Brings a database to the schema of this code, under the database's own write lock.

Laws:
1. A database at the right schema is only read, and Alembic is not even imported (its import
   takes longer than most commands).
2. An older one is migrated in one transaction: whole or not at all; a second process that opens
   the file at the same moment waits and finds the work done.
3. A newer or a foreign one is refused and left as it is.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import sqlalchemy
from sqlalchemy import insert, select, text

from orchestrator.errors import StoreError, Where
from orchestrator.store.connect import READING
from orchestrator.store.schema import CONTROLLER_ID, LAST_EPOCH, SCHEMA, meta

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"  # Alembic's own


def migrate(connection: sqlalchemy.Connection, place: str) -> str:
    """Migrates where needed; gives the controller id, made once per database.

    Raises:
        StoreError: the database is newer than this code, or is something else.
        sqlalchemy.exc.DBAPIError: the database refused.
    """
    connection.execution_options(**{READING: True})
    with connection.begin():
        ready = _revision(connection, place) == SCHEMA
    if not ready:
        connection.execution_options(**{READING: False})
        with connection.begin():
            _upgrade(connection, place)
    with connection.begin():
        found = connection.scalar(select(meta.c.value).where(meta.c.key == CONTROLLER_ID))
    connection.execution_options(**{READING: False})
    return str(found)


def _upgrade(connection: sqlalchemy.Connection, place: str) -> None:
    before = _revision(connection, place)
    if before == SCHEMA:  # another process was faster
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    command.upgrade(config, SCHEMA)
    if not before:
        made = {CONTROLLER_ID: secrets.token_hex(8), LAST_EPOCH: "0"}
        rows = [{"key": key, "value": value} for key, value in made.items()]
        connection.execute(insert(meta), rows)


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
