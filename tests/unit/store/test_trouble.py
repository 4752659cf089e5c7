import sqlite3

import pytest

from orchestrator.errors import StoreError
from orchestrator.store.sql import open_store
from orchestrator.store.trouble import store_error
from tests.unit.store.samples import PLAN, changes, entry


async def test_full_disk_is_said_and_nothing_is_written(store, rollout):
    pages = await store._writer.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
    limit = f"PRAGMA max_page_count = {pages + 2}"
    await store._writer.read(lambda c: c.exec_driver_sql(limit))
    big = {"dev-1": {"state": "failed", "detail": "x" * 100_000}}

    with pytest.raises(StoreError, match="the disk is full") as caught:
        await store.commit(rollout, [changes(entry(2), devices=big, state="halted")])

    assert "free some space" in caught.value.hint
    loaded = await store.load("r-1")
    assert (loaded.rollout["state"], loaded.devices, loaded.last_seq) == ("running", {}, 1)


async def test_store_goes_on_when_there_is_space_again(store, rollout):
    pages = await store._writer.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
    limit = f"PRAGMA max_page_count = {pages + 2}"
    await store._writer.read(lambda c: c.exec_driver_sql(limit))
    big = {"dev-1": {"state": "failed", "detail": "x" * 100_000}}
    with pytest.raises(StoreError):
        await store.commit(rollout, [changes(entry(2), devices=big)])

    await store._writer.read(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 100000"))
    await store.commit(rollout, [changes(entry(2), devices=big)])

    assert await store.device_rows("r-1") == big


async def test_file_that_is_no_database_is_named(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)

    with pytest.raises(StoreError, match=r"state\.db`: the file is damaged") as caught:
        await open_store(str(path))

    assert "restore the file from a backup" in caught.value.hint
    assert caught.value.where.file == str(path)
    assert path.read_bytes().startswith(b"not a database")


async def test_damaged_page_is_found_when_it_is_read(path):
    store = await open_store(str(path))
    rows = {f"dev-{n}": {"state": "pending", "pad": "x" * 500} for n in range(200)}
    await store.create("r-1", PLAN, changes(entry(1), devices=rows))
    await store.close()
    data = bytearray(path.read_bytes())
    data[4096 * 30 :] = b"\xff" * (len(data) - 4096 * 30)
    path.write_bytes(data)

    store = await open_store(str(path))
    with pytest.raises(StoreError, match=r"state\.db`: the file is damaged"):
        await store.load("r-1")
    await store.close()


async def test_writing_to_a_read_only_database_is_said(store, rollout):
    await store._writer.read(lambda c: c.exec_driver_sql("PRAGMA query_only = ON"))

    with pytest.raises(StoreError, match="cannot be opened for writing") as caught:
        await store.commit(rollout, [changes(entry(2))])

    assert "read-only" in caught.value.hint


def test_error_that_is_not_in_the_table_keeps_the_database_words():
    error = store_error(sqlite3.OperationalError("something odd"), "state.db")

    assert error.message == "state store `state.db`: the database refused: something odd"


def test_extended_result_codes_are_known_by_their_family():
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC

    assert "input or output error" in store_error(cause, "state.db").message
