"""Several connections of one process to one file, beside those of other processes.

The system forgets all locks of a process on a file as soon as the process closes any descriptor
of it. SQLite takes care of its own; nobody else may open the file.
"""

import asyncio
import subprocess
import sys

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
