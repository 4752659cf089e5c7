"""Answers operators' requests where no engine runs the rollout: takes the lease, writes, leaves.

Laws:
1. No device is asked anything, and nothing that takes a device is begun: that is for an engine.
2. All requests that nobody has answered yet are, in the order in which they were made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.engine.ports import Clock, Leases, Store, Vouch, as_asked
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.machine import Rollout

LEASE_S = (
    15.0  # one answer takes milliseconds; a clerk that dies keeps nobody longer than an engine
)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where requests are and who answers them; `owner` stands in the lease.

    `vouch` says whose request it is (`engine.ports`).
    """

    store: Store
    leases: Leases
    clock: Clock
    owner: str
    vouch: Vouch = as_asked


async def answer(desk: Desk, rollout_id: str, plan: ResolvedPlan) -> None:
    """Answers what was asked of a rollout.

    Raises:
        LeaseError: an engine has it; that will answer.
        StoreError: the store failed.
    """
    now = desk.clock.now()
    lease = await desk.leases.acquire(rollout_id, desk.owner, ttl_s=LEASE_S, now=now)
    try:
        stored = await desk.store.load(rollout_id)
        if stored is None:
            return
        rollout = Rollout.restore(plan, rollout_id, stored.rollout, stored.devices)
        rollout.attend()
        after = rollout.ledger.last_request
        asked = await desk.store.requests(rollout_id, after=after)
        changes = rollout.apply_all(replace(desk.vouch(request), at=now) for request in asked)
        await desk.store.commit(lease, [changes])
    finally:
        await desk.leases.release(lease)
