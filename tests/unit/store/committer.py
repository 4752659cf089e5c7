"""A process that commits until it is killed; prints each number after its commit returned.

usage: python -m tests.unit.store.committer PATH OWNER [stop]

With `stop` it stops itself (SIGSTOP) in the middle of its first transaction, with its locks held.
"""

import asyncio
import os
import signal
import sys

from orchestrator.engine.ports import Changes
from orchestrator.rollout.events import JournalEntry
from orchestrator.store import transactions
from orchestrator.store.sql import LeaseClock, open_store


async def main(path, owner, *how):
    store = await open_store(path, lease_clock=LeaseClock.CALLER)
    lease = await store.acquire("r-1", owner, ttl_s=15, now=0)
    seq = (await store.load("r-1")).last_seq
    print("ready", flush=True)
    if how == ("stop",):
        await stop_in_a_transaction(store, lease, seq + 1)
    while True:
        entries = [JournalEntry(seq + n, 1.0, "device_state", data={"by": owner}) for n in (1, 2)]
        row = {"state": "installing", "seq": seq + 2}
        await store.commit(lease, [Changes({"state": "running"}, {"dev-1": row}, entries)])
        seq += 2
        print(seq, flush=True)


async def stop_in_a_transaction(store, lease, seq):
    def work(connection):
        entry = JournalEntry(seq, 1.0, "device_state", data={"by": lease.owner})
        transactions.commit(connection, lease, [Changes({"state": "running"}, {}, [entry])])
        os.kill(os.getpid(), signal.SIGSTOP)
        sys.stdin.readline()  # other threads stop a little later than the signal was sent

    await store._writer.write(work)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
