"""A glance at a SQLite store for who types a command: nothing is made, migrated or waited for.

It is read with the driver alone, because SQLAlchemy takes longer to load than a shell may wait.
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
_PREFIX = "sqlite:///"
_NEWEST = "SELECT id, plan_name, state FROM rollouts ORDER BY created_at DESC, id DESC LIMIT ?"
_BEGINNING = "SELECT id, plan_json FROM rollouts WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2"
_LAST = "SELECT id, plan_json FROM rollouts ORDER BY created_at DESC, id DESC LIMIT 1"
_DEVICES = "SELECT device FROM devices WHERE rollout_id = ? ORDER BY device"


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
    return plan_json, tuple(device for (device,) in _rows(state, _DEVICES, rollout_id))


def _rows(state: str, query: str, *values: object) -> list[Any]:
    text = state.removeprefix(_PREFIX)
    path = Path(text)
    if "://" in text or not path.is_file():
        return []
    try:
        with closing(connect_reading(path, WAIT_S, with_log=has_log(path))) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        message = f"state store `{path}` cannot be read: {error}"
        raise StoreError(message) from error
