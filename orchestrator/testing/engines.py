"""Engines of a simulation, one after another: started, killed, frozen, taken over from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from orchestrator.device.model import DeviceId
from orchestrator.engine.loop import Ended, Engine
from orchestrator.errors import LeaseError, StoreError
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.machine import Rollout
from orchestrator.testing.clock import EPOCH_S, VirtualClock
from orchestrator.testing.counters import check_counters
from orchestrator.testing.exit_rules import check_refusal
from orchestrator.testing.faults import Fault, FaultKind, FaultSource
from orchestrator.testing.frozen import Freezer, FreezingStore, FreezingTransport
from orchestrator.testing.rivals import Rivals
from orchestrator.testing.scenario import TURN_KINDS
from orchestrator.testing.seen import InvariantBroken
from orchestrator.testing.surroundings import StutteringEngine
from orchestrator.testing.world import World

PATIENCE_S = 2500.0
_FIRST = asyncio.FIRST_COMPLETED


class _CounterWatch:
    """Counts the books anew now and then."""

    def __init__(self) -> None:
        self._commits = 0

    def committed(self, rollout: Rollout, journal: Sequence[JournalEntry]) -> None:
        self._commits += bool(journal)
        if journal and self._commits % 5 == 0:
            check_counters(rollout)

    def progressed(self, device: DeviceId, sent_bytes: int) -> None:
        """Not looked at."""


class Engines:
    """Makes the engines of a world, and does to them what is planned.

    Args:
        world: what they work on.
        planned: faults; those of engines happen at their turn.
        source: of faults that are drawn on the way.
        offset_s: how far the controller's wall clock is off now.
        report_rate: how likely an event reaches a rollout twice or late.
    """

    def __init__(
        self,
        world: World,
        planned: Collection[Fault],
        source: FaultSource,
        *,
        offset_s: Callable[[], float],
        report_rate: float,
    ) -> None:
        self.count = self.turns = 0
        self._world = world
        self._source = source
        self._offset_s = offset_s
        self._report_rate = report_rate
        self._faults = sorted(
            (one for one in planned if one.kind in TURN_KINDS), key=lambda one: -one.at
        )
        self._task: asyncio.Task[Ended] | None = None
        self._engine: Engine | None = None
        self._freezer = Freezer()
        self._store = FreezingStore(world.store, self._freezer)
        self._lease_lost = False
        self._taken_over = asyncio.Event()
        self._old: list[asyncio.Task[Ended]] = []
        self._rivals = Rivals(world)

    async def run_one(self, when_idle: Callable[[], None]) -> Ended | None:
        """Runs an engine until it ends, or dies, or another one takes over (None).

        Args:
            when_idle: called each time that it has worked for long without an end.

        Raises:
            InvariantBroken: it was refused though no other one is newer.
        """
        self.count += 1
        self._taken_over.clear()
        self._lease_lost = False
        self._freezer = Freezer()
        self._engine = self._make()
        task = asyncio.ensure_future(self._engine.run())
        self._task = task
        turn = asyncio.ensure_future(self._taken_over.wait())
        try:
            while not (await asyncio.wait((task, turn), timeout=PATIENCE_S, return_when=_FIRST))[0]:
                when_idle()
            if task.done():
                return await self._result(task)
            self._old.append(task)  # it goes on, and must notice by itself
            return None
        finally:
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)

    async def _result(self, task: asyncio.Task[Ended]) -> Ended | None:
        if task.cancelled():
            return None
        error = task.exception()
        newest = self._store.epoch == await self._world.store.last_epoch()
        if isinstance(error, LeaseError) and newest and not self._lease_lost:
            message = f"I9: the newest engine was refused: {error}"
            raise InvariantBroken(message)
        return None if isinstance(error, StoreError) else task.result()

    def _make(self) -> Engine:
        world = self._world
        ports, job = world.parts("engine", VirtualClock(EPOCH_S + self._offset_s()))
        self._store = FreezingStore(world.store, self._freezer)
        transport = FreezingTransport(world.transport, self._freezer)
        ports = replace(ports, store=self._store, leases=self._store, transport=transport)
        return StutteringEngine(
            ports,
            job,
            observer=_CounterWatch(),
            pace=world.pace,
            source=self._source,
            rate=self._report_rate,
        )

    async def check_old(self) -> None:
        """I9: an engine that was taken over from has noticed and stopped, and so has every rival.

        Raises:
            InvariantBroken: it has not.
        """
        await self._rivals.check()
        if any(not task.done() for task in self._old):
            message = "I9: an engine works on after another took over"
            raise InvariantBroken(message)
        results = await asyncio.gather(*self._old, return_exceptions=True)
        for result in results:
            # it may have ended in order, when its last commit came before the other's start
            if isinstance(result, LeaseError):
                check_refusal(result)
            elif not isinstance(result, Ended | StoreError | asyncio.CancelledError):
                message = f"I9: an engine that was taken over from ended with {result!r}"
                raise InvariantBroken(message)

    def turn(self) -> None:
        """Between two steps of the world: perhaps the engine dies here."""
        self.turns += 1
        while self._faults and self._faults[-1].at <= self.turns:
            fault = self._faults.pop()
            if fault.kind is FaultKind.TAKEOVER:
                self._taken_over.set()
                self._freezer.freeze(fault.span)
            elif fault.kind is FaultKind.RIVAL:
                self._rivals.send(VirtualClock(EPOCH_S + self._offset_s()))
            elif fault.kind is FaultKind.LEASE_LOST:
                self._lease_lost = True
                self._world.store.forget_lease(self._world.rollout_id)
            elif fault.kind is FaultKind.STOP and self._engine is not None:
                self._engine.stop()
            elif self._task is not None:
                self._task.cancel()

    async def close(self) -> None:
        """Leaves no task behind."""
        await self._rivals.close()
        tasks = [task for task in (self._task, *self._old) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
