"""Turns what SQLite says into a `StoreError` that tells an operator what to do."""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from orchestrator.errors import StoreError, Where, is_full, system_reason

BUSY_TIMEOUT_S = 10.0  # a commit takes milliseconds; longer waits mean a stuck process


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, and what to do now."""

    message: str
    hint: str


FULL_HINT = "free some space and run the command again; nothing was written"
_LOCKED = Trouble(
    f"another process has kept the database locked for {BUSY_TIMEOUT_S:.0f} s",
    "look for a stopped `rollout` or `sqlite3` process that has the file open",
)
_DENIED = Trouble(
    "the database cannot be opened for writing",
    "check owner and permissions of the file and of its directory, and that the file system "
    "is not mounted read-only",
)
_DAMAGED = Trouble(
    "the file is damaged or is no SQLite database",
    "keep a copy, restore the file from a backup or move it away; devices keep their own records "
    "(docs/reference/state.md, `A lost or damaged store`)",
)

# By primary result code (sqlite.org, "Result and Error Codes"): extended codes add upper bits.
_TROUBLES = {
    sqlite3.SQLITE_FULL: Trouble("the disk is full", FULL_HINT),
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: _DENIED,
    sqlite3.SQLITE_CANTOPEN: _DENIED,
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_AUTH: _DENIED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_IOERR: Trouble(
        "the disk reported an input or output error",
        "look into the system log; then run the command again",
    ),
}
_PRIMARY_CODE_MASK = 0xFF
# What SQLite says as well where there is no room for its log, or where a quota is used up.
_PERHAPS_FULL = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_PROBE_BYTES = 64 * 1024  # its log begins with less


def store_error(error: DBAPIError | sqlite3.Error, place: str) -> StoreError:
    """What to raise from a driver's error; `place` is the file for the operator."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    trouble = None if code is None else _TROUBLES.get(code & _PRIMARY_CODE_MASK)
    if code is not None and code & _PRIMARY_CODE_MASK in _PERHAPS_FULL:
        why = _no_room(Path(place).parent)
        trouble = Trouble(why, FULL_HINT) if why else trouble
    if trouble is None:
        trouble = Trouble(f"the database refused: {cause}", "")
    return StoreError(
        f"state store `{place}`: {trouble.message}", hint=trouble.hint, where=Where(place)
    )


def _no_room(directory: Path) -> str:
    """Why nothing more can be written there, found by trying; "" where it can, or is not known."""
    try:
        with tempfile.TemporaryFile(dir=directory, buffering=0) as probe:
            probe.write(bytes(_PROBE_BYTES))
    except OSError as error:
        return system_reason(error) if is_full(error) else ""
    return ""
