"""An empty store to try, and what the cases of its contract write into it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from orchestrator.device.model import DeviceId
from orchestrator.engine.ports import Changes, Lease, Leases, Row, Store, Stored
from orchestrator.plan.resolved import COMPONENT_DEFAULT
from orchestrator.rollout.events import JournalEntry, OperatorAsked

R, S = "r-contract", "r-other"  # rollouts
A, B, C, D = (DeviceId(f"dev-000{number}") for number in range(1, 5))
PLAN = b'{"name":"contract"}'
TTL_S = 10.0
NOW = 1_800_000_000.0


@dataclass(frozen=True, slots=True)
class StoreCase:
    """An empty store.

    Attributes:
        store: what is tested; `leases` may be the same object.
        leave: leaves an operator's request in the store, and gives its number.
    """

    store: Store
    leases: Leases
    leave: Callable[[str, OperatorAsked], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class HeldStore:
    """A store with the rollout `R`: one journal entry, the device `A`, a lease of `me`."""

    store: Store
    leases: Leases
    leave: Callable[[str, OperatorAsked], Awaitable[int]]
    lease: Lease

    async def stored(self) -> Stored:
        """The rollout as it is stored now."""
        found = await self.store.load(R)
        assert found is not None
        return found

    async def taken_over(self) -> Lease:
        """The lease of another owner, after this one's has run out."""
        return await self.leases.acquire(R, "other", ttl_s=TTL_S, now=NOW + TTL_S)


def changes(
    *seqs: int, state: str = "running", devices: Mapping[DeviceId, Row] | None = None
) -> Changes:
    """Changes with a journal line for each number."""
    journal = tuple(JournalEntry(seq, NOW + seq, "device_state", "canary", A) for seq in seqs)
    return Changes({"state": state}, devices or {}, journal)


def rows(*devices: DeviceId) -> dict[DeviceId, Row]:
    """Rows of devices that wait."""
    return {device: {"state": "pending"} for device in devices}


def scheduled(*devices: DeviceId, state: str = "scheduled", waiting: bool = False) -> Changes:
    """A rollout that has not begun; `waiting`: for its turn."""
    row: Row = {"state": state, "waiting": {"rollout": "another"} if waiting else {}}
    return replace(changes(1, devices=rows(*devices)), rollout=row)


def of(plan: str, release: str, component: str = COMPONENT_DEFAULT) -> bytes:
    """A plan in its canonical form, as far as a store reads it."""
    return json.dumps({"name": plan, "release": release, "component": component}).encode()


class StoreCases:
    """What sets of cases for `Store` and `Leases` stand on."""

    def make(self) -> AbstractAsyncContextManager[StoreCase]:
        """An empty store, gone at the end."""
        raise NotImplementedError

    @asynccontextmanager
    async def held(self) -> AsyncIterator[HeldStore]:
        """A store with a rollout and its lease."""
        async with self.make() as case:
            await case.store.create(R, PLAN, changes(1, devices={A: {"state": "pending"}}))
            lease = await case.leases.acquire(R, "me", ttl_s=TTL_S, now=NOW)
            yield HeldStore(case.store, case.leases, case.leave, lease)

    async def expect_nothing_written(self, held: HeldStore) -> None:
        """The rollout is as `held` left it."""
        stored = await held.stored()
        assert (stored.rollout, stored.last_seq) == ({"state": "running"}, 1)
