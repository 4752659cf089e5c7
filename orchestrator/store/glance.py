"""A glance at a store for who types a command: nothing is made or migrated, and nobody waits long.

It is read with the drivers alone, because SQLAlchemy takes longer to load than a shell may wait.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from orchestrator.errors import StoreError
from orchestrator.store.reading import connect_reading, has_log

ROLLOUTS_MAX = 200
WAIT_S = 0.1
SERVER_WAIT_S = 2  # libpq's least time for a connection; a statement has a quarter of it
_PREFIX = "sqlite:///"
_SERVERS = ("postgresql://", "postgres://")
_NEWEST = "SELECT id, plan_name, state FROM rollouts ORDER BY created_at DESC, id DESC LIMIT {0}"
_BEGINNING = "SELECT id, plan_json FROM rollouts WHERE substr(id, 1, length({0})) = {0} LIMIT 2"
_LAST = "SELECT id, plan_json FROM rollouts ORDER BY created_at DESC, id DESC LIMIT 1"
_DEVICES = "SELECT device FROM devices WHERE rollout_id = {0} ORDER BY device"


def newest_rollouts(state: str) -> Sequence[tuple[str, str, str]]:
    """Id, plan's name and state of the newest rollouts, the newest first.

    Raises:
        StoreError: the store cannot be read.
    """
    return _rows(state, _NEWEST, ROLLOUTS_MAX)


def plan_and_devices(state: str, beginning: str | None) -> tuple[bytes, tuple[str, ...]]:
    """The stored plan of a rollout, and its devices; nothing where it is none, or several.

    Args:
        state: path or address of the store.
        beginning: of the rollout's id; None for the newest rollout.

    Raises:
        StoreError: the store cannot be read.
    """
    found = _rows(state, _LAST) if beginning is None else _rows(state, _BEGINNING, beginning)
    if len(found) != 1:
        return b"{}", ()
    rollout_id, plan_json = found[0]
    return bytes(plan_json), tuple(device for (device,) in _rows(state, _DEVICES, rollout_id))


def _rows(state: str, query: str, value: object = None) -> list[Any]:
    """What a query gives; its value stands in it as `{0}`, where it has one."""
    if state.startswith(_SERVERS):
        return _of_server(state, query.replace("{0}", "%(value)s"), value)
    text = state.removeprefix(_PREFIX)
    path = Path(text)
    if "://" in text or not path.is_file():
        return []
    try:
        with closing(connect_reading(path, WAIT_S, with_log=has_log(path))) as connection:
            found = connection.execute(query.replace("{0}", ":value"), {"value": value})
            return found.fetchall()
    except sqlite3.Error as error:
        message = f"state store `{path}` cannot be read: {error}"
        raise StoreError(message) from error


def _of_server(address: str, query: str, value: object) -> list[Any]:
    """The same of PostgreSQL, in one read-only transaction with little time."""
    try:
        import psycopg
    except ImportError:
        return []
    limit_ms = SERVER_WAIT_S * 1000 // 4
    limits = f"SET LOCAL statement_timeout = {limit_ms}; SET TRANSACTION READ ONLY"
    try:
        with psycopg.connect(
            address, connect_timeout=SERVER_WAIT_S, prepare_threshold=None
        ) as connection:
            connection.execute(limits)
            return connection.execute(query, {"value": value}).fetchall()
    except psycopg.Error as error:  # its words may hold a piece of the password
        message = "the state store cannot be read"
        raise StoreError(message) from error
