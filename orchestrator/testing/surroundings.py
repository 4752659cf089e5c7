"""What planned faults do to the world around an engine: devices, gates, clocks, reports."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from orchestrator.device.model import Device, DeviceId
from orchestrator.engine.loop import Engine, Job, Pace, Ports
from orchestrator.engine.ports import Executor, Lease, Observer, Sample
from orchestrator.plan.resolved import Probe, ProbeKind, ResolvedPlan
from orchestrator.rollout.actions import Action
from orchestrator.rollout.events import DeviceReported, Event, GateSampled
from orchestrator.rollout.machine import Rollout
from orchestrator.testing.clock import EPOCH_S, VirtualClock
from orchestrator.testing.device import BOOT_S, SimulatedDevice
from orchestrator.testing.differences import OLD_FILE
from orchestrator.testing.drawn_gates import ILL_BY_QUERY, WELL_BY_QUERY
from orchestrator.testing.evidence_rules import Taken
from orchestrator.testing.faults import Fault, FaultKind, FaultSource
from orchestrator.testing.plans import SimulatedArtifact
from orchestrator.testing.release import NOTHING, Lie, Release
from orchestrator.testing.scenario import LIES, RELEASE_KINDS, Scenario
from orchestrator.testing.world import SimulatedProber, old_release

K = FaultKind
_BEHAVIOUR: Mapping[FaultKind, Callable[[Release], Release]] = {
    K.UNHEALTHY: lambda release: replace(release, healthy=False),
    K.BRICKS: lambda release: replace(release, bricks=True),
    K.RESTARTS: lambda release: replace(release, restarts=True),
    K.INSTALL_FAILS: lambda release: replace(release, install_fails=True),
    K.ACTIVATE_FAILS: lambda release: replace(release, activate_fails=True),
    K.COMMIT_FAILS: lambda release: replace(release, commit_fails=True),
    K.STUCK: lambda release: replace(release, healthy=False, rollback_fails=True),
    K.COMMIT_STUCK: lambda release: replace(release, commit_fails=True, rollback_fails=True),
    K.SILENT_CHECK: lambda release: replace(release, silent_check=True),
    K.CORRUPT: lambda release: replace(release, corrupt=True),
}
_BEFORE: Mapping[FaultKind, Callable[[Release], Release]] = {
    K.OLD_UNHEALTHY: lambda old: replace(old, healthy=False),
    K.OLD_SILENT: lambda old: replace(old, silent_check=True),
    K.OLD_LACKS_CHECKS: lambda old: replace(old, lacks_checks=True),
    K.OLD_NOTHING: lambda _old: Release(NOTHING, NOTHING, healthy=False),
}
_OF_GATES = frozenset({K.GATES_BAD, K.GATES_SILENT, K.WORSE})
_LIE = dict(zip(LIES, (Lie.TARGET, Lie.OLD, Lie.STATE, Lie.NONCE, Lie.WELL), strict=True))


def make_devices(
    scenario: Scenario, faults: Collection[Fault], clock: VirtualClock
) -> dict[DeviceId, SimulatedDevice]:
    """The fleet of a scenario, with all that is planned to happen to it."""
    releases = {
        device: tuple(
            _release(scenario.artifacts, name, device, faults) for name in scenario.artifacts
        )
        for device in scenario.devices
    }
    fleet = {
        device: SimulatedDevice(
            device,
            now=clock.now,
            installed=_installed(device, releases[device][0], faults),
            releases=releases[device],
            keeps_previous=not scenario.late,
            rooted=device in scenario.known[0].rooted,
        )
        for device in scenario.devices
    }
    for fault in faults:
        if fault.kind is K.OFFLINE:
            start = EPOCH_S + fault.at
            fleet[DeviceId(fault.device)].offline.append((start, start + fault.span))
        elif fault.kind is K.REBOOT_LOOP:
            _loop(fleet[DeviceId(fault.device)], fault)
        elif fault.kind is K.CLOCK_BEHIND:
            fleet[DeviceId(fault.device)].behind_s = fault.span
        elif fault.kind is K.PATCHES:
            fleet[DeviceId(fault.device)].changeable = OLD_FILE
        elif fault.kind in _LIE:
            fleet[DeviceId(fault.device)].lie = _LIE[fault.kind]
    return fleet


def _installed(device: DeviceId, new: Release, faults: Collection[Fault]) -> Release:
    """What a device runs at the start; the new version only where nothing is wrong with it."""
    installed = old_release()
    for fault in faults:
        if fault.device == device and fault.kind in _BEFORE:
            installed = _BEFORE[fault.kind](installed)
    ahead = new.is_good and Fault(K.AHEAD, device=device) in faults
    return new if ahead else installed


def _release(
    artifacts: Sequence[str], name: str, device: DeviceId, faults: Collection[Fault]
) -> Release:
    """How what some rollouts bring behaves on a device."""
    release = Release(name, SimulatedArtifact.of(name).manifest_sha256)
    numbers = [number for number, each in enumerate(artifacts, 1) if each == name]
    for fault in faults:
        here = fault.kind in RELEASE_KINDS and fault.at in numbers
        if here and fault.device in ("", device):
            release = _BEHAVIOUR[fault.kind](release)
    return release


def _loop(device: SimulatedDevice, fault: Fault) -> None:
    at = EPOCH_S + fault.at
    while at < EPOCH_S + fault.at + fault.span:
        heapq.heappush(device.reboots_at, at)
        at += 3 * BOOT_S


class DrawnProber(SimulatedProber):
    """Implements `Prober`: every gate is fine, except while a fault says otherwise.

    Queries give a value of each device; while gates are bad, or what is measured is worse, another
    one of those that do not run what they ran before.
    """

    def __init__(
        self,
        faults: Collection[Fault],
        clock: VirtualClock,
        fleet: Mapping[DeviceId, SimulatedDevice],
    ) -> None:
        super().__init__()
        self._faults = [one for one in faults if one.kind in _OF_GATES]
        self._clock = clock
        self._fleet = fleet
        self._before = {name: device.active for name, device in fleet.items()}
        self.taken: list[Taken] = []

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """One sample."""
        self.samples += 1
        seconds = self._clock.now() - EPOCH_S
        now = {one.kind for one in self._faults if one.at <= seconds < one.at + one.span}
        if K.GATES_SILENT in now:
            await asyncio.sleep(deadline_s)
            return Sample(error="no answer")
        by_device = probe.kind is ProbeKind.PROMETHEUS
        bad = K.GATES_BAD in now or (by_device and K.WORSE in now)
        ill = self._changed() if bad and by_device else frozenset()
        series = self._series(probe, ill) if by_device else {}
        self.taken.append(Taken(self._clock.now(), probe, not bad, series, ill))
        if by_device:
            return Sample(series=series)
        return Sample({"value": 0 if bad else 1, "status": 200, "exit": 0, "open": not bad})

    def _changed(self) -> frozenset[DeviceId]:
        fleet = self._fleet.items()
        return frozenset(name for name, one in fleet if one.active != self._before[name])

    def _series(self, probe: Probe, ill: Collection[DeviceId]) -> dict[str, float]:
        good, bad = WELL_BY_QUERY[probe.query], ILL_BY_QUERY[probe.query]
        return {
            name: bad if name in ill else good * (1 + number % 3 / 10)
            for number, name in enumerate(self._fleet)
        }


def clock_offset_s(faults: Collection[Fault], seconds: float) -> float:
    """How far the controller's wall clock is off by that time."""
    jumps = (one for one in faults if one.kind is K.CLOCK_JUMP and one.at <= seconds)
    return sum(one.span for one in jumps)


class StutteringExecutor:
    """Implements `Executor` over another one: events come twice, or after later ones."""

    def __init__(self, inner: Executor, source: FaultSource, rate: float) -> None:
        self._inner = inner
        self._source = source
        self._rate = rate
        self._held: list[Event] = []

    def amend(self, plan: ResolvedPlan, devices: Mapping[DeviceId, Device]) -> None:
        """As the inner one."""
        self._inner.amend(plan, devices)

    def ensure(self, actions: Collection[Action]) -> None:
        """As the inner one."""
        self._inner.ensure(actions)

    async def next_events(self, *, timeout_s: float, limit: int) -> Sequence[Event]:
        """What the inner one tells, some of it again or later."""
        held, self._held = self._held, []
        if held:
            timeout_s = min(timeout_s, 1.0)
        fresh = []
        for event in await self._inner.next_events(timeout_s=timeout_s, limit=limit):
            device = event.device if isinstance(event, DeviceReported | GateSampled) else None
            late = self._source.strikes(K.LATE_REPORT, self._rate, device or "")
            again = self._source.strikes(K.REPEAT_REPORT, self._rate, device or "")
            if not late:
                fresh.append(event)
            if late or again:
                self._held.append(event)
        return [*fresh, *held]

    async def close(self) -> None:
        """As the inner one."""
        await self._inner.close()


class StutteringEngine(Engine):
    """An engine whose executor stutters."""

    def __init__(
        self,
        ports: Ports,
        job: Job,
        *,
        observer: Observer,
        pace: Pace,
        source: FaultSource,
        rate: float,
    ) -> None:
        super().__init__(ports, job, observer=observer, pace=pace)
        self._source = source
        self._rate = rate

    async def _loop(self, lease: Lease, rollout: Rollout, executor: Executor) -> Rollout:
        stuttering = StutteringExecutor(executor, self._source, self._rate)
        return await super()._loop(lease, rollout, stuttering)
