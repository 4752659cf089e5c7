"""The engine: apply, commit, then act; for ever, or until the rollout ends or rests.

Laws:
1. Nothing is started before the step that wants it is committed (intent before effect).
2. Events that come together are committed together; a batch is small enough that a crash loses
   no more than a question to the devices.
3. Without the lease nothing is done: a lost lease ends the engine at once, and devices refuse
   its epoch.
4. A crash at any moment is repaired by the next start: load, `EngineStarted`, ask, go on.

Source: design "architecture", "Form of the core"; "threats-and-reliability" C.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.device import witness
from orchestrator.device.model import Device, DeviceId
from orchestrator.device.protocol import Frame
from orchestrator.engine.clock import ContinuedClock
from orchestrator.engine.deltas import Delta
from orchestrator.engine.local import LocalExecutor
from orchestrator.engine.orders import Orders
from orchestrator.engine.ports import (
    Clock,
    Executor,
    Lease,
    Leases,
    Observer,
    Prober,
    Reports,
    Store,
    Transport,
    Vouch,
    as_asked,
)
from orchestrator.errors import ClaimedError, ExitCode, LeaseError, StoreError
from orchestrator.plan.digest import digest_of
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.around import Surroundings
from orchestrator.rollout.changes import Changes
from orchestrator.rollout.events import (
    Ask,
    EngineStarted,
    EngineStopping,
    Event,
    JournalEntry,
    LookedAround,
    OperatorAsked,
    Tick,
)
from orchestrator.rollout.machine import Rollout

BATCH_EVENTS = 500  # a transaction of this size is far below any limit of the stores
_STOPS = frozenset({Ask.PAUSE, Ask.HALT, Ask.ABORT, Ask.ROLLBACK, Ask.SUPERSEDE, Ask.DENY})


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the engine looks and writes.

    Attributes:
        lease_s: how long the lease lasts; renewed at a third of it.
        poll_s: distance of looks at operators' requests.
        around_s: distance of looks at what is around: with `poll_s` below a second.
        gather_s: how long events are gathered into one transaction at most.
        gather_share_s: the same for each action in flight: few devices are answered at once,
            and with many no answer is worth a transaction of its own.
    """

    lease_s: float = 15.0
    poll_s: float = 0.25
    around_s: float = 0.5
    gather_s: float = 0.2
    gather_share_s: float = 0.002


@dataclass(frozen=True, slots=True)
class Ports:
    """The world of one engine.

    `token` draws the nonces that devices echo; `vouch` says whose request it is, `reports` who
    signed a proof (`engine.ports`).
    """

    store: Store
    leases: Leases
    transport: Transport
    prober: Prober
    clock: Clock
    token: Callable[[], str]
    vouch: Vouch = as_asked
    reports: Reports | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: a resolved plan, as stored, under its rollout's id.

    `plan_json` is the canonical form of `plan`; a rollout under way must have been stored with
    the same bytes. `frames` gives the artifact's files, `deltas` make
    some of what devices run. `stays`: the engine also waits for
    what comes only with time or an approval; otherwise it ends there and may be started again.
    `leaves_soaks`: it ends also where only the time of a soak is left. `leaves_pauses`: also where
    only an operator is left who paused it, to resume it; devices that stand ready queue anew then.
    """

    rollout_id: str
    plan: ResolvedPlan
    plan_json: bytes
    frames: Callable[[], Sequence[Frame]]
    owner: str
    controller_id: str
    stays: bool = False
    leaves_soaks: bool = False
    leaves_pauses: bool = False
    deltas: Sequence[Delta] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the engine ended; `stopped` tells that somebody asked it to."""

    rollout: Rollout
    exit_code: ExitCode
    stopped: bool = False


class NoObserver:
    """Nobody looks on."""

    def committed(self, rollout: Rollout, journal: Sequence[JournalEntry]) -> None:
        """Looks away."""

    def progressed(self, device: DeviceId, sent_bytes: int) -> None:
        """Looks away."""


class Engine:
    """Runs one rollout until it ends, rests or is stopped; see the module's laws.

    Args:
        ports: the world.
        job: what to run.
        observer: called after each commit, for live output.
        pace: how often to look and write.
    """

    def __init__(
        self, ports: Ports, job: Job, *, observer: Observer | None = None, pace: Pace | None = None
    ) -> None:
        self._ports = ports
        self._job = job
        self._observer: Observer = observer or NoObserver()
        self._pace = pace or Pace()
        self._stop = False
        self._stopped = False
        self._asked_at = float("-inf")
        self._looked_at = float("-inf")
        self._around = Surroundings()
        self._clock: Clock = ports.clock
        self._journal: Mapping[str, str] = {}  # where it stands, for devices to know

    def stop(self) -> None:
        """Starts nothing new and finishes what is in flight (first Ctrl-C)."""
        self._stop = True

    async def run(self) -> Ended:
        """Takes the lease and works.

        Cancelling it detaches at once: devices in flight keep their own timers, and the next
        engine asks them.

        Raises:
            DrivenError: another engine has the lease; nothing was begun.
            LeaseError: it took the lease over.
            StoreError: the store failed; nothing that was not stored has been started.
        """
        ports, job = self._ports, self._job
        lease = await ports.leases.acquire(
            job.rollout_id, job.owner, ttl_s=self._pace.lease_s, now=ports.clock.now()
        )
        failure: StoreError | None = None
        try:
            rollout = await self._work(lease)
        except* StoreError as group:
            failure = _first(group)
        if failure is not None:
            raise failure
        await ports.leases.release(lease)
        code = rollout.exit_code
        return Ended(rollout, code, stopped=self._stopped and not rollout.is_terminal)

    async def _work(self, lease: Lease) -> Rollout:
        rollout = await self._load(lease)
        job, ports = self._job, self._ports
        self._clock = ContinuedClock(ports.clock, rollout.ledger.now)
        orders = Orders(
            rollout.plan,
            job.controller_id,
            lease.epoch,
            job.frames,
            ports.token,
            self._clock,
            self._observer.progressed,
            lambda: self._journal,
            ports.reports,
            job.deltas,
        )
        executor = LocalExecutor(
            orders,
            transport=ports.transport,
            prober=ports.prober,
            devices=devices_of(rollout.plan),
        )
        async with executor, asyncio.TaskGroup() as group:
            keeper = group.create_task(self._keep(lease))
            rollout = await self._loop(lease, rollout, executor)
            keeper.cancel()
        return rollout

    async def _load(self, lease: Lease) -> Rollout:
        job, store = self._job, self._ports.store
        stored = await store.load(job.rollout_id)
        if stored is None:
            now, digest = self._ports.clock.now(), digest_of(job.plan_json)
            rollout = Rollout.start(job.plan, job.rollout_id, at=now, digest=digest)
            await store.create(job.rollout_id, job.plan_json, rollout.collect())
            return rollout
        if stored.plan_json != job.plan_json:
            message = f"rollout `{job.rollout_id}` was stored with another plan"
            raise StoreError(message, hint="run the stored plan, or start another rollout")
        del lease
        return Rollout.restore(job.plan, job.rollout_id, stored.rollout, stored.devices)

    async def _keep(self, lease: Lease) -> None:
        """Renews the lease; its loss ends the engine."""
        while True:
            await self._ports.clock.sleep(self._pace.lease_s / 3)
            now = self._ports.clock.now()
            lease = await self._ports.leases.renew(lease, ttl_s=self._pace.lease_s, now=now)

    async def _loop(self, lease: Lease, rollout: Rollout, executor: Executor) -> Rollout:
        plan = rollout.plan
        events = await self._begin(lease, rollout)
        while True:
            if events:
                try:
                    await self._commit(lease, rollout, await _applied(rollout, events))
                except ClaimedError:  # another one began since the last look; nothing was started
                    rollout = await self._load(lease)
                    events = await self._begin(lease, rollout)
                    continue
                if rollout.plan is not plan:
                    plan = rollout.plan
                    executor.amend(plan, devices_of(plan))
                executor.ensure(rollout.in_flight)
            if self._leaves_a_pause(rollout) and not rollout.is_quiet:
                events = [EngineStopping(self._clock.now(), told=False)]
                continue
            if self._is_over(rollout):
                return rollout
            events = await self._gather(rollout, executor)

    async def _begin(self, lease: Lease, rollout: Rollout) -> list[Event]:
        requests = await self._requests(rollout)
        if not requests and rollout.is_terminal:
            return []
        await self._look_around()  # one that is over may be rolled back
        started = EngineStarted(self._clock.now(), lease.epoch, self._around)
        if rollout.is_terminal or any(request.ask not in _STOPS for request in requests):
            return [started, *requests]
        rollout.attend()  # what only is to be stopped starts nothing before, not even in its books
        return [*requests, started]

    def _is_over(self, rollout: Rollout) -> bool:
        if rollout.is_terminal:
            return True
        stays = rollout.is_measuring or (self._job.stays and rollout.is_waiting)
        if rollout.is_resting and not stays:
            return True
        if self._job.leaves_soaks and rollout.is_soaking:
            return True
        if self._leaves_a_pause(rollout):
            return True
        return self._stopped and rollout.is_quiet

    def _leaves_a_pause(self, rollout: Rollout) -> bool:
        return self._job.leaves_pauses and rollout.is_put_down and not rollout.is_measuring

    async def _commit(self, lease: Lease, rollout: Rollout, changes: Changes) -> None:
        if changes.journal or changes.devices:
            last = await self._ports.store.commit(lease, [changes])
            if changes.journal:
                seq = changes.journal[-1].seq
                self._journal = witness.parameters(lease.rollout_id, seq, last)
            self._observer.committed(rollout, changes.journal)

    async def _gather(self, rollout: Rollout, executor: Executor) -> list[Event]:
        clock, pace = self._clock, self._pace
        wakeup = rollout.next_wakeup
        until = self._asked_at + pace.poll_s
        if wakeup is not None:
            until = min(until, wakeup)
        timeout_s = max(0.0, until - clock.now())
        events = list(await executor.next_events(timeout_s=timeout_s, limit=BATCH_EVENTS))
        gather_s = min(pace.gather_s, (len(rollout.in_flight) - 1) * pace.gather_share_s)
        if events and gather_s > 0:
            await clock.sleep(gather_s)
            more = BATCH_EVENTS - len(events)
            events.extend(await executor.next_events(timeout_s=0.0, limit=more))
        if wakeup is not None and clock.now() >= wakeup:
            events.append(Tick(clock.now()))
        if clock.now() >= self._asked_at + pace.poll_s:
            events.extend(await self._requests(rollout))
            if self._asked_at >= self._looked_at + pace.around_s and await self._look_around():
                events.append(LookedAround(self._looked_at, self._around))
        if self._stop and not self._stopped:
            self._stopped = True
            events.append(EngineStopping(clock.now()))
        return events

    async def _requests(self, rollout: Rollout) -> Sequence[OperatorAsked]:
        self._asked_at = self._clock.now()
        after = rollout.ledger.last_request
        asked = await self._ports.store.requests(self._job.rollout_id, after=after)
        # another machine's clock may be ahead: a request must not end a soak (R15)
        vouch = self._ports.vouch
        return [replace(vouch(request), at=self._asked_at) for request in asked]

    async def _look_around(self) -> bool:
        """Whether anything is other than it was."""
        self._looked_at = self._clock.now()
        before = self._around
        plans = [requirement.plan for requirement in self._job.plan.requires]
        around = self._ports.store.around
        self._around = await around(self._job.rollout_id, plans=plans, now=self._looked_at)
        return self._around != before


async def _applied(rollout: Rollout, events: Sequence[Event]) -> Changes:
    """Applies them, beside the loop where that takes long: leases and devices do not wait.

    Nothing else touches the rollout meanwhile.
    """
    if any(rollout.takes_long(event) for event in events):
        return await asyncio.to_thread(rollout.apply_all, events)
    return rollout.apply_all(events)


def devices_of(plan: ResolvedPlan) -> Mapping[DeviceId, Device]:
    """The devices of a resolved plan, as transports want them."""
    return {
        name: Device(name, planned.address, planned.labels)
        for name, planned in plan.devices.items()
    }


def _first(group: BaseExceptionGroup[StoreError]) -> StoreError:
    """The error that says most: a lost lease before whatever followed from it."""
    lost = group.subgroup(LeaseError)
    error: BaseException = lost if lost is not None else group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, StoreError)
    return error
