"""A process that commits until it is killed; prints each number after its commit returned.

usage: python -m tests.unit.store.committer PATH OWNER
"""

import asyncio
import sys

from orchestrator.engine.ports import Changes
from orchestrator.rollout.events import JournalEntry
from orchestrator.store.sql import open_store


async def main(path, owner):
    store = await open_store(path)
    lease = await store.acquire("r-1", owner, ttl_s=15, now=0)
    seq = (await store.load("r-1")).last_seq
    print("ready", flush=True)
    while True:
        entries = [JournalEntry(seq + n, 1.0, "device_state", data={"by": owner}) for n in (1, 2)]
        row = {"state": "installing", "seq": seq + 2}
        await store.commit(lease, [Changes({"state": "running"}, {"dev-1": row}, entries)])
        seq += 2
        print(seq, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
