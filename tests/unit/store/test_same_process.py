"""Several connections of one process to one file, beside those of other processes.

The system forgets all locks of a process on a file as soon as the process closes any descriptor
of it. SQLite takes care of its own; nobody else may open the file.
"""

import asyncio
import subprocess
import sys

from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.store.sql import open_store
from tests.unit.store.samples import PLAN, changes, entry

ASK = """
import asyncio, sys
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.store.sql import open_store

async def main():
    store = await open_store(sys.argv[1])
    await store.ask("r-1", OperatorAsked(1.0, Ask.PAUSE, sys.argv[2]))
    await store.close()

asyncio.run(main())
"""


async def test_store_sees_other_processes_after_another_one_of_its_process_was_opened(path):
    first = await open_store(str(path))
    await first.create("r-1", PLAN, changes(entry(1, "rollout_started")))
    second = await open_store(str(path))
    await second.close()

    # Without the locks of `first`, the first of these would think to be the last user of the file
    # and remove the log that `first` goes on with; the second would be heard by nobody.
    heard = []
    for who in ("ann", "bob"):
        asked = (sys.executable, "-c", ASK, str(path), who)
        await asyncio.to_thread(subprocess.run, asked, check=True, timeout=60)
        heard.append([one.who for one in await first.requests("r-1", after=0)])

    assert heard == [["ann"], ["ann", "bob"]]
    await first.close()


async def test_looks_at_a_file_read_nothing_until_another_connection_has_written(path):
    """An engine looks several times a second; most of these looks must cost next to nothing."""
    store = await open_store(str(path))
    await store.create("r-1", PLAN, changes(entry(1, "rollout_started")))
    lease = await store.acquire("r-1", "me", ttl_s=15, now=0)
    read = []
    whole = store._writer._read
    store._writer._read = lambda work: read.append(work) or whole(work)

    async def look():
        read.clear()
        found = await store.requests("r-1", after=0)
        await store.around("r-1", plans=(), now=0.0)
        return len(read), [one.who for one in found]

    begun = changes(entry(2), begun_at=1.0)
    await store.commit(lease, [begun])
    first, second = await look(), await look()
    other = await open_store(str(path))
    await other.ask("r-1", OperatorAsked(5.0, Ask.PAUSE, "ann"))
    await other.close()
    third = await look()
    await store.close()

    assert first == (2, [])
    assert second == (0, [])
    assert third == (2, ["ann"])
