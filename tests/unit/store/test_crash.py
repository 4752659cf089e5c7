"""Real processes on one database: killed in the middle of commits, and racing for a lease."""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys

import pytest

from orchestrator.errors import LeaseError
from orchestrator.store.sql import LeaseClock
from orchestrator.store.sql import open_store as open_any
from tests.unit.store.samples import PLAN, REPOSITORY, changes, entry

KILLS = 5  # on each database; on the real lab there are more (tests/integration/test_kill.py)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    """Each test here runs on both databases."""
    return str(request.getfixturevalue("path" if request.param == "sqlite" else "postgres_url"))


async def open_store(url):
    return await open_any(url, lease_clock=LeaseClock.CALLER)


async def start(url, owner, *how):
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.unit.store.committer", url, owner, *how),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
    )


async def said_until_killed(process, lines):
    """Numbers that the process acknowledged; it is killed after some lines, in mid-work."""
    assert await process.stdout.readline() == b"ready\n", (await process.stderr.read()).decode()
    said = [int(await process.stdout.readline()) for _ in range(lines)]
    process.kill()
    said += [
        int(line)
        for line in (await process.stdout.read()).splitlines(keepends=True)
        if line.endswith(b"\n")
    ]
    await process.communicate()
    return said


async def test_kill_9_loses_no_acknowledged_commit_and_leaves_no_half_one(url):
    store = await open_store(url)
    await store.create("r-1", PLAN, changes(entry(1)))
    await store.close()
    dice = random.Random(7)

    for _ in range(KILLS):
        process = await start(url, "me")
        said = await said_until_killed(process, dice.randint(1, 12))

        store = await open_store(url)
        loaded = await store.load("r-1")
        journal = await store.journal("r-1")
        await store.close()
        assert loaded.last_seq >= said[-1]
        assert [one.seq for one in journal] == list(range(1, loaded.last_seq + 1))
        assert loaded.devices["dev-1"]["seq"] == loaded.last_seq

    if "://" not in url:
        with contextlib.closing(sqlite3.connect(url)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_engine_that_was_overtaken_stops_and_the_new_one_goes_on(url):
    store = await open_store(url)
    await store.create("r-1", PLAN, changes(entry(1)))
    process = await start(url, "first")
    assert await process.stdout.readline() == b"ready\n"
    await process.stdout.readline()

    lease = await store.acquire("r-1", "second", ttl_s=15, now=20)
    _, complaint = await process.communicate()
    last = (await store.load("r-1")).last_seq
    await store.commit(lease, [changes(entry(last + 1, data={"by": "second"}))])

    by = [one.data.get("by") for one in await store.journal("r-1")][1:]
    await store.close()
    assert process.returncode == 1
    assert b"LeaseError" in complaint
    assert by == ["first"] * (last - 1) + ["second"]


async def test_one_of_many_processes_gets_the_lease(url):
    store = await open_store(url)
    await store.create("r-1", PLAN, changes(entry(1)))

    processes = [await start(url, f"p-{number}") for number in range(4)]
    first_lines = [await process.stdout.readline() for process in processes]
    lease = await store.lease_of("r-1")
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    complaints = [(await process.communicate())[1] for process in processes]
    await store.close()

    assert sorted(first_lines) == [b"", b"", b"", b"ready\n"]
    assert lease.owner == f"p-{first_lines.index(b'ready' + bytes([10]))}"
    assert sum(b"DrivenError" in complaint for complaint in complaints) == 3


async def test_lease_of_a_killed_process_is_free_when_it_has_run_out(url):
    store = await open_store(url)
    await store.create("r-1", PLAN, changes(entry(1)))
    process = await start(url, "first")
    await said_until_killed(process, 1)

    with pytest.raises(LeaseError, match="driven by `first`"):
        await store.acquire("r-1", "second", ttl_s=15, now=14)
    taken = await store.acquire("r-1", "second", ttl_s=15, now=15)

    await store.close()
    assert taken.epoch == 2


async def test_process_that_stopped_in_a_transaction_keeps_nobody_out(postgres_url):
    """SIGSTOP with locks held: the server ends the transaction, and waking up changes nothing."""
    store = await open_store(postgres_url)
    await store.create("r-1", PLAN, changes(entry(1)))
    process = await start(postgres_url, "first", "stop")
    assert await process.stdout.readline() == b"ready\n"
    _, status = await asyncio.to_thread(os.waitpid, process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)

    lease = await store.acquire("r-1", "second", ttl_s=15, now=20)
    await store.commit(lease, [changes(entry(2, data={"by": "second"}))])
    process.send_signal(signal.SIGCONT)
    _, complaint = await process.communicate(b"\n")

    assert process.returncode == 1
    assert b"LeaseError" in complaint
    assert [one.data for one in await store.journal("r-1")] == [{}, {"by": "second"}]
    await store.close()
