"""A SQLite file that this user may read and not write: another's, or on a read-only mount.

Laws:
1. Nothing is made, migrated or locked: neither the file nor its directory changes.
2. What is read is what was committed. While a writer has the file open its log lies beside it, and
   SQLite reads both. Where no log lies, nobody writes; that is looked at again before and after
   each transaction, for SQLite itself then looks for nothing (`immutable`).
3. A log that cannot be read together with the file is never left out: it may hold what came last.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from orchestrator.errors import StoreError, Where

_LOG, _INDEX = "-wal", "-shm"


def is_read_only(path: Path) -> bool:
    """Whether this user may only read the file: it exists, and could not be written with its log.

    Source: sqlite.org, "Write-Ahead Logging", section "Read-Only Databases".
    """
    if not os.access(path, os.R_OK):
        return False  # there is none, or nothing can be done with it: making it says why
    if not os.access(path, os.W_OK):
        return True
    beside = [_beside(path, _LOG), _beside(path, _INDEX)]
    return not os.access(path.parent, os.W_OK) and not all(os.access(p, os.W_OK) for p in beside)


def has_log(path: Path) -> bool:
    """Whether a writer has the file open, or left it without closing it."""
    return _beside(path, _LOG).exists()


def connect_reading(path: Path, timeout_s: float, *, with_log: bool) -> sqlite3.Connection:
    """A connection of the driver that can only read; `with_log` as `has_log` found it.

    Raises:
        StoreError: a log lies beside the file that cannot be read with it.
        sqlite3.Error: SQLite refuses the file.
    """
    if with_log and not _beside(path, _INDEX).exists():
        message = f"state store `{path}` was left in the middle of writing"
        hint = "somebody who may write to it and its directory runs `rollout status` once"
        raise StoreError(message, hint=hint, where=Where(str(path)))
    how = "mode=ro" if with_log else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?{how}", timeout=timeout_s, uri=True)


def refuse_changed(path: Path) -> None:
    """To be called around each transaction of a connection that was made without a log.

    Raises:
        StoreError: somebody began to write since.
    """
    if has_log(path):
        message = f"state store `{path}` is written to since it was opened here for reading"
        raise StoreError(message, hint="run the command again", where=Where(str(path)))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
