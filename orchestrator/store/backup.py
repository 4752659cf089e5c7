"""A consistent copy of a store while rollouts run: SQLite's own backup, or pg_dump.

Laws:
1. A copy has its final name only when it is whole and was read back; what is there stays.
2. It is readable by its owner alone, as the store is.
3. The password of a server goes to pg_dump in its environment, never among its arguments.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import ExitCode, StoreError, Where, system_reason
from orchestrator.store.connect import database_of
from orchestrator.store.reading import connect_reading, has_log, is_read_only
from orchestrator.store.sqlite import Sqlite
from orchestrator.store.trouble import BUSY_TIMEOUT_S, store_error

if TYPE_CHECKING:
    from orchestrator.store.postgres import Postgres

DUMP_S = 6 * 3600  # a large database over a slow line


def back_up(url_or_path: str, target: Path) -> None:
    """Writes a copy of the store to a new file.

    Raises:
        StoreError: there is nothing to copy, the target exists, or the copy failed.
    """
    database = database_of(url_or_path)
    if target.exists() or target.is_symlink():
        raise _refused(f"`{target}` exists", "name a new file; nothing is replaced")
    if isinstance(database, Sqlite) and not database.path.is_file():
        raise _refused(f"there is no state store `{database.path}`", "nothing was stored yet")
    beside = target.with_name(f".{target.name}.part")
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        if isinstance(database, Sqlite):
            _copy_sqlite(database.path, beside)
        else:
            from orchestrator.store.postgres import Postgres

            assert isinstance(database, Postgres), "there are two kinds"
            _dump(database, beside, target)
        _publish(beside, target)
    except OSError as error:
        message = f"cannot write `{target}`: {system_reason(error)}"
        raise StoreError(message, where=Where(str(target))) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def dump_command(place: str, target: Path) -> tuple[str, ...]:
    """The words that make a copy of a server's database; without a password."""
    return (
        "pg_dump", "--format=custom", "--no-password", f"--file={target}", f"--dbname={place}",
    )  # fmt: skip


def _copy_sqlite(source: Path, target: Path) -> None:
    try:
        with (
            contextlib.closing(_opened(source)) as original,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            original.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a -wal beside it
            found = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        raise store_error(error, str(source)) from error
    if found != ("ok",):
        message = f"state store `{source}` is damaged: {found[0]}"
        raise StoreError(message, hint="docs/reference/state.md, `A lost or damaged store`")


def _opened(source: Path) -> sqlite3.Connection:
    if not is_read_only(source):
        return sqlite3.connect(source)
    return connect_reading(source, BUSY_TIMEOUT_S, with_log=has_log(source))


def _dump(database: Postgres, beside: Path, target: Path) -> None:
    advice = shlex.join(dump_command(database.place, target))
    if shutil.which("pg_dump") is None:
        hint = f"install `postgresql-client`, or run where it is: `{advice}`"
        raise _refused("a copy of a PostgreSQL database is made by `pg_dump`, not found here", hint)
    environment = dict(os.environ)
    if "password" in database.parameters:
        environment["PGPASSWORD"] = database.parameters["password"]
    for words in (dump_command(database.place, beside), ("pg_restore", "--list", str(beside))):
        _run(words, environment, advice)


def _run(words: tuple[str, ...], environment: Mapping[str, str], advice: str) -> None:
    done = subprocess.run(  # noqa: S603  fixed words, no shell
        words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=DUMP_S, check=False,
    )  # fmt: skip
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        hint = f"its version must not be older than the server's; by hand: `{advice}`"
        raise _refused(f"`{words[0]}` failed: {said}", hint)


def _publish(beside: Path, target: Path) -> None:
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    os.link(beside, target)  # unlike a rename it replaces nothing


def _refused(message: str, hint: str) -> StoreError:
    error = StoreError(message, hint=hint)
    error.exit_code = ExitCode.REFUSED
    return error
