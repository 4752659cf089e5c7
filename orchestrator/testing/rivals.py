"""Engines of another controller that come while one has the lease: each must leave, and do nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from orchestrator.device.model import Device
from orchestrator.engine.loop import Engine
from orchestrator.engine.ports import Lease
from orchestrator.errors import LeaseError
from orchestrator.testing.clock import VirtualClock
from orchestrator.testing.exit_rules import check_refusal
from orchestrator.testing.seen import InvariantBroken
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import SimulatedSession, SimulatedTransport
from orchestrator.testing.world import World

OWNER = "rival"


class _Free(Exception):  # noqa: N818  no error: there is nothing to be refused
    """Nobody has the lease: a rival would not be one."""


class _Leases:
    """The leases of a store, as a rival asks for one."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def acquire(self, rollout_id: str, owner: str, *, ttl_s: float, now: float) -> Lease:
        """What the store gives; nobody else comes between the look and that."""
        holder = self._store.holder(rollout_id, now)
        if not holder:
            raise _Free
        await self._store.acquire(rollout_id, owner, ttl_s=ttl_s, now=now)
        message = f"I9: `{owner}` was given the lease that `{holder}` has"
        raise InvariantBroken(message)

    async def renew(self, lease: Lease, *, ttl_s: float, now: float) -> Lease:
        """Never gets here."""
        raise NotImplementedError

    async def release(self, lease: Lease) -> None:
        """Never gets here."""
        raise NotImplementedError


class _NoWay(SimulatedTransport):
    """Leads to no device."""

    async def open(self, device: Device, *, deadline_s: float) -> SimulatedSession:
        """A rival has no business there."""
        del deadline_s
        message = f"I9: an engine without the lease asks {device.id}"
        raise InvariantBroken(message)


class Rivals:
    """Sends them, and looks at how they ended."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sent: list[asyncio.Task[None]] = []

    def send(self, clock: VirtualClock) -> None:
        """Another controller starts the rollout now."""
        world = self._world
        if world.rollout_id not in world.store.known():
            return
        ports, job = world.parts(OWNER, clock)
        ports = replace(ports, leases=_Leases(world.store), transport=_NoWay(world.devices))
        self._sent.append(asyncio.ensure_future(_refused(Engine(ports, job))))

    async def check(self) -> None:
        """All of them have left, with the code for that.

        Raises:
            InvariantBroken: one of them has not.
        """
        sent, self._sent = self._sent, []
        for task in sent:
            await task

    async def close(self) -> None:
        """Leaves no task behind."""
        for task in self._sent:
            task.cancel()
        await asyncio.gather(*self._sent, return_exceptions=True)


async def _refused(engine: Engine) -> None:
    try:
        ended = await engine.run()
    except _Free:
        return
    except LeaseError as error:
        check_refusal(error)
        return
    message = f"exit 8: another engine has the rollout, and a rival ended with {ended.exit_code!r}"
    raise InvariantBroken(message)
