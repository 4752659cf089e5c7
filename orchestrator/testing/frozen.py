"""An engine that stands still for a while and then goes on where it was, as after SIGSTOP.

Nothing of it reaches the world meanwhile: neither the store nor a device. Then everything does
at once, under an epoch that may be old by now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from orchestrator.engine.ports import Changes, Lease, Stored
from orchestrator.rollout.around import Surroundings
from orchestrator.rollout.events import OperatorAsked
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import SimulatedTransport


class Freezer:
    """Holds one engine's effects back."""

    def __init__(self) -> None:
        self._until_s = 0.0

    def freeze(self, seconds: float) -> None:
        """Holds them back for so long."""
        self._until_s = asyncio.get_running_loop().time() + seconds

    async def pass_by(self) -> None:
        """Comes back when the engine is not frozen."""
        left_s = self._until_s - asyncio.get_running_loop().time()
        if left_s > 0:
            await asyncio.sleep(left_s)


class FreezingTransport(SimulatedTransport):
    """The way of one engine to the devices of another transport."""

    def __init__(self, whole: SimulatedTransport, freezer: Freezer) -> None:
        super().__init__(
            whole.devices,
            random_source=whole.random,
            faults=whole.faults,
            source=whole.source,
            wire=whole.wire,
        )
        self._freezer = freezer

    async def pause(self, device: SimulatedDevice) -> None:
        """The time of one way over the network, and of the frost."""
        await super().pause(device)
        await self._freezer.pass_by()


class FreezingStore:
    """Implements `Store` and `Leases`: the way of one engine to the store."""

    def __init__(self, store: MemoryStore, freezer: Freezer) -> None:
        self._store = store
        self._freezer = freezer
        self.epoch = 0  # the newest that this engine was given

    async def create(self, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
        """As the store, once the frost is over."""
        await self._freezer.pass_by()
        await self._store.create(rollout_id, plan_json, changes)

    async def load(self, rollout_id: str) -> Stored | None:
        """As the store, once the frost is over."""
        await self._freezer.pass_by()
        return await self._store.load(rollout_id)

    async def commit(self, lease: Lease, batch: Sequence[Changes]) -> str:
        """As the store, once the frost is over."""
        await self._freezer.pass_by()
        return await self._store.commit(lease, batch)

    async def around(self, rollout_id: str, *, plans: Collection[str], now: float) -> Surroundings:
        """As the store, once the frost is over."""
        await self._freezer.pass_by()
        return await self._store.around(rollout_id, plans=plans, now=now)

    async def requests(self, rollout_id: str, *, after: int) -> Sequence[OperatorAsked]:
        """As the store, once the frost is over."""
        await self._freezer.pass_by()
        return await self._store.requests(rollout_id, after=after)

    async def acquire(self, rollout_id: str, owner: str, *, ttl_s: float, now: float) -> Lease:
        """As the store, once the frost is over."""
        await self._freezer.pass_by()
        lease = await self._store.acquire(rollout_id, owner, ttl_s=ttl_s, now=now)
        self.epoch = lease.epoch
        return lease

    async def renew(self, lease: Lease, *, ttl_s: float, now: float) -> Lease:
        """As the store, once the frost is over."""
        await self._freezer.pass_by()
        return await self._store.renew(lease, ttl_s=ttl_s, now=now)

    async def release(self, lease: Lease) -> None:
        """As the store, once the frost is over."""
        await self._freezer.pass_by()
        await self._store.release(lease)
