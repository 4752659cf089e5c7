"""The journal's chain: CPU for an append, and for verifying a million entries, one core.

`python benchmarks/audit.py [ENTRIES]` prints `append_cpu_us=`, `audit_cpu_s=`, `audit_s=` (by the
clock) and `audit_events_per_cpu_s=`; `make bench` prints them as well.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.ports import Changes
from orchestrator.rollout.events import JournalEntry
from orchestrator.store.sql import open_store

ENTRIES_COUNT = 1_000_000
BATCH_COUNT = 500  # entries of one commit, as of a busy engine
ROLLOUTS_COUNT = 4
AUDIT_EVENTS_PER_CPU_S_MIN = 100_000  # a million in ten seconds


@dataclass(frozen=True, slots=True)
class Audited:
    """CPU for one entry of a large commit; CPU and time for verifying `entries_count` of them."""

    entries_count: int
    append_cpu_us: float
    audit_cpu_s: float
    audit_s: float

    @property
    def events_per_cpu_s(self) -> float:
        """Entries that are verified in a CPU second."""
        return self.entries_count / self.audit_cpu_s

    def __str__(self) -> str:
        return (
            f"append_cpu_us={self.append_cpu_us:.1f}\naudit_cpu_s={self.audit_cpu_s:.2f}\n"
            f"audit_s={self.audit_s:.2f}\naudit_events_per_cpu_s={self.events_per_cpu_s:.0f}"
        )


def audited(entries_count: int, directory: Path) -> Audited:
    """Fills a store with journals of several rollouts, and verifies it.

    Raises:
        RuntimeError: the journals do not hold, or are not all there.
    """
    return asyncio.run(_measure(entries_count, str(directory / "state.db")))


async def _measure(entries_count: int, path: str) -> Audited:
    store = await open_store(path)
    each_count = entries_count // ROLLOUTS_COUNT
    cpu_s = time.process_time()
    for number in range(ROLLOUTS_COUNT):
        rollout_id = f"r-{number}"
        plan = b'{"name":"bench"}'
        await store.create(rollout_id, plan, _changes(1, BATCH_COUNT))
        lease = await store.acquire(rollout_id, "bench", ttl_s=3600.0, now=time.time())
        for first in range(BATCH_COUNT + 1, each_count + 1, BATCH_COUNT):
            last = min(first + BATCH_COUNT - 1, each_count)
            await store.commit(lease, [_changes(first, last)])
    append_s = time.process_time() - cpu_s
    started_s, cpu_s = time.perf_counter(), time.process_time()
    audit = await store.audit(())
    audit_s, audit_cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    await store.close()
    if audit.findings or audit.entry_count != each_count * ROLLOUTS_COUNT:
        message = f"the journals do not hold: {audit}"
        raise RuntimeError(message)
    append_us = append_s / audit.entry_count * 1e6
    return Audited(audit.entry_count, append_us, audit_cpu_s, audit_s)


def _changes(first: int, last: int) -> Changes:
    data = {"from": "queued", "to": "staging", "attempt": 1, "detail": "copied 12 of 48 MiB"}
    entries = [
        JournalEntry(
            seq, 1.8e9 + seq * 0.137, "device_state", "wave 1", f"dev-{seq % 997:04}", data
        )
        for seq in range(first, last + 1)
    ]
    return Changes({"state": "running"}, {}, entries)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(audited(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES_COUNT, Path(place)))
