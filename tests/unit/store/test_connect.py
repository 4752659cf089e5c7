import asyncio
import os
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from orchestrator.errors import StoreError
from orchestrator.store.sql import open_store
from orchestrator.store.sqlite import Sqlite, store_path
from tests.unit.store.samples import PLAN, REPOSITORY, changes, entry


def mode(path):
    return path.stat().st_mode & 0o777


async def test_files_are_for_their_owner_only(tmp_path):
    path = tmp_path / "a" / "b" / "state.db"
    old = os.umask(0)
    try:
        store = await open_store(str(path))
        await store.create("r-1", PLAN, changes(entry(1)))

        modes = {file.name: mode(file) for file in path.parent.iterdir()}
        await store.close()
    finally:
        os.umask(old)

    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    assert mode(path.parent) == 0o700


async def test_modes_of_what_exists_stay(tmp_path):
    path = tmp_path / "state.db"
    path.touch(0o640)
    path.chmod(0o640)

    await (await open_store(str(path))).close()

    assert mode(path) == 0o640


def test_commits_survive_a_power_cut_by_setting(tmp_path):
    connection = Sqlite(tmp_path / "state.db").connect()
    settings = {
        name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    connection.close()

    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


@pytest.mark.parametrize("address", ["postgresql+psycopg://x", "mysql://", "https://db/x"])
def test_other_databases_are_refused_with_what_there_is(address):
    with pytest.raises(StoreError, match="is not supported") as caught:
        store_path(address)

    assert "begins with `postgresql://`" in caught.value.hint


@pytest.mark.parametrize("address", ["", ":memory:", "file:x?mode=memory", "a\0b", "sqlite:///"])
def test_what_is_no_file_is_refused(address):
    with pytest.raises(StoreError, match="not the path of a file"):
        store_path(address)


def test_sqlite_address_and_path_mean_the_same(tmp_path):
    assert store_path(f"sqlite:///{tmp_path}/s.db") == store_path(f"{tmp_path}/s.db")
    assert store_path("s.db").is_absolute()


async def test_path_with_odd_characters_works(tmp_path):
    path = tmp_path / "50% off? #1 'x' ä" / "state.db"

    await (await open_store(str(path))).close()

    assert path.read_bytes().startswith(b"SQLite format 3")


async def test_file_in_the_place_of_the_directory_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"file/state\.db` cannot be opened") as caught:
        await open_store(str(tmp_path / "file" / "state.db"))

    assert "owner and permissions" in caught.value.hint


async def test_another_process_that_holds_the_lock_is_named_after_the_wait(store, path):
    # A wait of 10 s is for operators, not for tests.
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await store._writer.read(lambda c: c.exec_driver_sql("PRAGMA busy_timeout = 20"))

    with pytest.raises(StoreError, match="another process has kept the database locked"):
        await store.create("r-1", PLAN, changes(entry(1)))

    other.execute("ROLLBACK")
    other.close()
    await store.create("r-1", PLAN, changes(entry(1)))
    assert (await store.load("r-1")).last_seq == 1


async def test_reading_waits_for_no_writer(store, path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    found = await store.rollouts()

    other.close()
    assert found == []


async def test_file_that_may_not_be_written_is_refused_with_a_hint(tmp_path):
    """Runs as another user when the test runs as root, whom modes do not stop."""
    path = tmp_path / "state.db"
    await (await open_store(str(path))).close()
    path.chmod(0o444)
    script = textwrap.dedent("""
        import asyncio, os, sys
        from orchestrator.errors import StoreError
        from orchestrator.store.sql import open_store
        os.chdir(sys.argv[1])
        if os.geteuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        try:
            asyncio.run(open_store("state.db"))
        except StoreError as error:
            print(error.message, "|", error.hint)
    """)

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, tmp_path, stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    said = (await process.communicate())[0].decode()

    assert "cannot be opened: permission denied" in said
    assert "check owner and permissions" in said
