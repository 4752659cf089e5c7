"""The executor of one process: a task per conversation with a device, on asyncio.

Laws:
1. A key that was started is not started again as long as it is wanted, also after it reported.
2. What is no longer wanted is cancelled: its connection closes, and the device keeps or drops
   what the protocol says. A device that stands ready is told no.
3. The go is given only to the conversation of the same device and transaction; when that has
   ended, the activation asks anew.
4. No task outlives the executor; a bug in one ends all (`TaskGroup`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.engine.orders import Orders
from orchestrator.engine.perform import GO_WAIT_S, Conversation
from orchestrator.engine.ports import Prober, Sample, Transport
from orchestrator.plan.resolved import Gate, Probe, ResolvedPlan
from orchestrator.rollout.actions import Action, DeviceAction, GateAction, Stretch, Work
from orchestrator.rollout.events import (
    DeviceReported,
    DeviceStatus,
    Event,
    GateSampled,
    Outcome,
    PastSample,
)

GRACE_S = 5.0  # deadlines inside an action come first and say more
LINGER_S = 15.0  # a proven connection waits that long for the commit or the next round
REFUSAL_S = 10.0  # a device that is told no answers within this
_GOING = frozenset({Work.ACTIVATE, Work.KEEP})  # what a device that stands ready may be told
_FOLLOWING = frozenset({Work.COMMIT, Work.CONFIRM})  # carried out in the exec of the proof
_LINGERING = _FOLLOWING | {Work.PROVE}


class LocalExecutor:
    """Keeps actions going on this machine; an async context manager."""

    def __init__(
        self,
        orders: Orders,
        *,
        transport: Transport,
        prober: Prober,
        devices: Mapping[DeviceId, Device],
    ) -> None:
        self._orders = orders
        self._transport = transport
        self._prober = prober
        self._devices = devices
        self._running: dict[str, _Line | asyncio.Task[None]] = {}
        self._reported: set[str] = set()
        self._lines: dict[DeviceId, _Line] = {}
        self._events: list[Event] = []
        self._arrived = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._tasks: dict[asyncio.Task[None], None] = {}

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cancel_all()
        await self._group.__aexit__(kind, error, trace)

    def amend(self, plan: ResolvedPlan, devices: Mapping[DeviceId, Device]) -> None:
        """Devices joined; see `Executor`."""
        self._orders = replace(self._orders, plan=plan)
        self._devices = devices

    def ensure(self, actions: Collection[Action]) -> None:
        """Starts what is new, then drops what is no longer wanted."""
        wanted = {action.key: action for action in actions}
        for key, action in wanted.items():
            if key not in self._running and key not in self._reported:
                self._begin(key, action)
        for key in [key for key in self._running if key not in wanted]:
            self._drop(key)
        if self._reported:
            self._reported &= wanted.keys()

    async def next_events(self, *, timeout_s: float, limit: int) -> Sequence[Event]:
        """What happened; see `Executor`."""
        if not self._events and timeout_s > 0:
            self._arrived.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._arrived.wait()
            except TimeoutError:
                return ()
        batch, self._events = self._events[:limit], self._events[limit:]
        return batch

    async def close(self) -> None:
        """Drops everything."""
        self._cancel_all()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def _cancel_all(self) -> None:
        for task in self._tasks:
            task.cancel()

    # --- starting and dropping ---------------------------------------------------------------

    def _begin(self, key: str, action: Action) -> None:
        if isinstance(action, GateAction):
            self._running[key] = self._spawn(self._sample(key, action))
            return
        line = self._lines.get(action.device)
        if line is not None and line.takes(action):
            if line.key in self._running:
                del self._running[line.key]  # the delivery became the activation
            self._running[key] = line
            line.give(action)
            return
        if line is not None:
            line.cancel()
        line = _Line(self, action, self._conversation(action.device))
        self._lines[action.device] = line
        self._running[key] = line
        line.task = self._spawn(line.run())

    def _conversation(self, device: DeviceId) -> Conversation:
        return Conversation(self._devices[device], self._transport, self._orders)

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = self._group.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            self._arrived.set()

    def _drop(self, key: str) -> None:
        runner = self._running.pop(key)
        if isinstance(runner, _Line):
            runner.dismiss()
            if self._lines.get(runner.device) is runner:
                del self._lines[runner.device]
        else:
            runner.cancel()

    # --- called by lines ---------------------------------------------------------------------

    def report(self, key: str, event: Event) -> None:
        """An action ended."""
        if self._running.pop(key, None) is not None:
            self._reported.add(key)
            self.announce(event)

    def announce(self, event: Event) -> None:
        """Something happened."""
        self._events.append(event)
        self._arrived.set()

    def leave(self, line: _Line) -> None:
        """A line has ended."""
        if self._lines.get(line.device) is line:
            del self._lines[line.device]

    @property
    def now(self) -> Callable[[], float]:
        """The engine's clock."""
        return self._orders.clock.now

    async def _sample(self, key: str, action: GateAction) -> None:
        gate: Gate = self._orders.plan.gates[action.gate]
        probe = gate.probe if action.device is None else gate.probes.get(action.device, gate.probe)
        past = None if action.missed is None else await self._past(probe, action, action.missed)
        error = ""
        sample = Sample()
        try:
            async with asyncio.timeout(action.timeout_s + GRACE_S):
                sample = await self._prober.sample(probe, deadline_s=action.timeout_s)
            error = sample.error
        except TimeoutError:
            error = f"no sample within {action.timeout_s:.0f} s"
        event = GateSampled(
            self.now(),
            action.gate,
            action.wave,
            action.round,
            action.device,
            sample.fields,
            error,
            sample.series,
            past,
        )
        self.report(key, event)

    async def _past(
        self, probe: Probe, action: GateAction, missed: Stretch
    ) -> tuple[PastSample, ...]:
        """What the source remembers of a stretch; what it does not stays missing."""
        end_at = missed.start_at + (missed.count - 0.5) * missed.step_s  # a float never one short
        try:
            async with asyncio.timeout(action.timeout_s + GRACE_S):
                history = await self._prober.history(
                    probe,
                    start_at=missed.start_at,
                    end_at=end_at,
                    step_s=missed.step_s,
                    deadline_s=action.timeout_s,
                )
        except TimeoutError:
            return ()
        return tuple(PastSample(at, each.fields, each.series) for at, each in history.samples)


class _Line:
    """One conversation with one device.

    A delivery with its activation, a proof with what follows it, or a single request.
    """

    def __init__(
        self, executor: LocalExecutor, action: DeviceAction, conversation: Conversation
    ) -> None:
        self.device = action.device
        self.task: asyncio.Task[None] | None = None
        self._executor = executor
        self._action = action
        self._talk = conversation
        self._next: asyncio.Future[DeviceAction | None] | None = None
        self._ready = False
        self._deadline: asyncio.Timeout | None = None

    @property
    def key(self) -> str:
        """The action it works on."""
        return self._action.key

    def takes(self, action: DeviceAction) -> bool:
        """Whether this action goes on in this conversation."""
        if self._next is None or self._next.done() or action.txn != self._action.txn:
            return False
        if self._ready:
            return action.work in _GOING
        return action.work in _LINGERING

    def give(self, action: DeviceAction) -> None:
        """Hands the next action over."""
        assert self._next is not None
        self._action = action
        self._next.set_result(action)

    def dismiss(self) -> None:
        """Its action is no longer wanted: a device that stands ready is told no."""
        if self._ready and self._next is not None and not self._next.done():
            self._next.set_result(None)
            if self._deadline is not None:
                self._deadline.reschedule(asyncio.get_running_loop().time() + REFUSAL_S)
            return
        self.cancel()

    def cancel(self) -> None:
        """Ends it at once; its connection closes."""
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        """Works until there is nothing more to do with the device."""
        try:
            if self._action.work is Work.DELIVER:
                await self._deliver()
                return
            goes_on = True
            while goes_on:
                if self._action.work is Work.PROVE:
                    goes_on = await self._prove()
                else:
                    await self._perform(self._action)
                    goes_on = self._talk.is_open and await self._linger()
        finally:
            self._executor.leave(self)
            await self._talk.close()

    async def _perform(self, action: DeviceAction) -> None:
        try:
            async with asyncio.timeout(action.timeout_s + GRACE_S):
                event = await self._talk.perform(action)
        except TimeoutError:
            await self._talk.close()
            event = self._late(action)
        if self._talk.is_open:
            self._next = asyncio.get_running_loop().create_future()
        self._executor.report(action.key, event)

    async def _prove(self) -> bool:
        """A proof and what follows it; True when another action is to be done after that."""
        proof = self._action
        try:
            async with asyncio.timeout(proof.timeout_s + GRACE_S) as self._deadline:
                event = await self._talk.prove(proof, self._follow)
        except TimeoutError:
            await self._talk.close()
            event = self._late(self._action)
        if event is None:  # nothing followed in its exec: another round does, or nothing at all
            return self._action is not proof
        if event.work is Work.PROVE and self._talk.is_open:
            self._next = asyncio.get_running_loop().create_future()
        self._executor.report(self._action.key, event)
        return self._next is not None and await self._linger()

    async def _follow(self, report: DeviceReported) -> DeviceAction | None:
        """Reports a proof, and waits a little for what the engine makes of it."""
        loop = asyncio.get_running_loop()
        self._next = loop.create_future()
        if self._deadline is not None:
            self._deadline.reschedule(loop.time() + LINGER_S + GRACE_S)
        self._executor.report(self._action.key, report)
        if not await self._linger():
            return None
        action = self._action
        if self._deadline is not None:
            self._deadline.reschedule(loop.time() + action.timeout_s + GRACE_S)
        return action if action.work in _FOLLOWING else None

    async def _linger(self) -> bool:
        assert self._next is not None
        try:
            async with asyncio.timeout(LINGER_S):
                await self._next
        except TimeoutError:
            self._next = None
            return False
        self._next = None
        return True

    async def _deliver(self) -> None:
        delivery = self._action
        try:
            async with asyncio.timeout(delivery.timeout_s + GRACE_S) as self._deadline:
                event = await self._talk.deliver(delivery, self._go)
        except TimeoutError:
            event = self._late(self._action)
        activation = self._action
        if event is not None:
            self._executor.report(activation.key, event)
        elif activation.work in _GOING:
            await self._perform(activation)  # stood ready from before, without a connection

    async def _go(self, status: DeviceStatus | None) -> DeviceAction | None:
        loop = asyncio.get_running_loop()
        delivery = self._action
        self._next = loop.create_future()
        self._ready = True
        if self._deadline is not None:  # how long it may stand ready is the device's limit
            self._deadline.reschedule(loop.time() + GO_WAIT_S + GRACE_S)
        ready = DeviceReported(
            self._executor.now(),
            delivery.device,
            delivery.txn,
            Work.DELIVER,
            Outcome(Reason.OK),
            delivery.round,
            status=status,
        )
        self._executor.announce(ready)
        activation = await self._next
        if activation is not None and self._deadline is not None:
            self._deadline.reschedule(loop.time() + activation.timeout_s + GRACE_S)
        return activation

    def _late(self, action: DeviceAction) -> DeviceReported:
        outcome = Outcome(Reason.TIMEOUT, f"no end within {action.timeout_s:.0f} s")
        return DeviceReported(
            self._executor.now(), action.device, action.txn, action.work, outcome, action.round
        )
