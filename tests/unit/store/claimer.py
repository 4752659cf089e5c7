"""A process that begins a rollout when it is told to, and then works on until it is killed.

usage: python -m tests.unit.store.claimer PATH ROLLOUT

Prints `ready`, reads a line, prints `began` or who goes first.
"""

import asyncio
import sys
from dataclasses import replace

from orchestrator.errors import ClaimedError
from orchestrator.store.sql import LeaseClock, open_store
from tests.unit.store.samples import changes, entry


async def main(path, rollout_id):
    store = await open_store(path, lease_clock=LeaseClock.CALLER)
    lease = await store.acquire(rollout_id, f"owner of {rollout_id}", ttl_s=15, now=0)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        await store.commit(lease, [replace(changes(entry(2)), claims=True)])
    except ClaimedError as error:
        print(error.message, flush=True)
        return
    print("began", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
