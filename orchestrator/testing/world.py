"""A simulated world for one rollout: fleet, store, probes and engines that can crash."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from orchestrator.device.model import DeviceId
from orchestrator.engine.loop import Ended, Engine, Job, Pace, Ports
from orchestrator.engine.ports import Observer, Sample, Store
from orchestrator.plan.resolved import Probe, ResolvedPlan
from orchestrator.rollout.events import Value
from orchestrator.testing.clock import VirtualClock
from orchestrator.testing.device import Release, SimulatedDevice
from orchestrator.testing.plans import SimulatedArtifact
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import SimulatedTransport

ROLLOUT_ID = "r-1"
CONTROLLER_ID = "ctl"


class SimulatedProber:
    """Implements `Prober`: answers from a table by url or program."""

    def __init__(self, answers: Mapping[str, Mapping[str, Value]] | None = None) -> None:
        self.answers: dict[str, Mapping[str, Value]] = dict(answers or {})
        self.samples = 0

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """One sample; what is not in the table is an error."""
        del deadline_s
        self.samples += 1
        fields = self.answers.get(probe.url or " ".join(probe.argv))
        return Sample(error="nobody answers") if fields is None else Sample(fields)


def make_fleet(
    devices: tuple[DeviceId, ...],
    clock: VirtualClock,
    *,
    release: Release | None = None,
    odd: Mapping[DeviceId, Release] | None = None,
    before: Mapping[DeviceId, Release] | None = None,
    keeps_previous: bool = True,
) -> dict[DeviceId, SimulatedDevice]:
    """Simulated devices that run `old`, and what `new` does on them.

    Args:
        devices: their names.
        clock: of the simulation.
        release: how the new release behaves; healthy when not given.
        odd: devices on which it behaves otherwise.
        before: what devices run that do not run `old`.
        keeps_previous: their module can go back after commit.
    """
    new = release or good_release()
    return {
        device: SimulatedDevice(
            device,
            now=clock.now,
            installed=(before or {}).get(device, old_release()),
            releases=((odd or {}).get(device, new),),
            keeps_previous=keeps_previous,
        )
        for device in devices
    }


def old_release() -> Release:
    """What devices run before."""
    return Release("old", SimulatedArtifact.of("old").manifest_sha256)


def good_release() -> Release:
    """What a plan of `make_plan` brings."""
    return Release("new", SimulatedArtifact.of("new").manifest_sha256)


class World:
    """Everything outside of an engine, surviving its crashes."""

    def __init__(
        self,
        plan: ResolvedPlan,
        transport: SimulatedTransport,
        *,
        clock: VirtualClock,
        prober: SimulatedProber | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.plan = plan
        self.transport = transport
        self.clock = clock
        self.prober = prober or SimulatedProber()
        self.store = MemoryStore()
        self.pace = pace or Pace()
        self._tokens = itertools.count(1)
        self._owners = itertools.count(1)

    @property
    def devices(self) -> Mapping[DeviceId, SimulatedDevice]:
        """The fleet."""
        return self.transport.devices

    def engine(
        self, *, owner: str = "", store: Store | None = None, observer: Observer | None = None
    ) -> Engine:
        """A new engine on this world."""
        ports = Ports(
            store or self.store,
            self.store,
            self.transport,
            self.prober,
            self.clock,
            lambda: f"n{next(self._tokens)}",
        )
        job = Job(
            ROLLOUT_ID,
            self.plan,
            b"{}",
            SimulatedArtifact.of(self.plan.artifact.name).frames,
            owner or "engine",
            CONTROLLER_ID,
        )
        return Engine(ports, job, observer=observer, pace=self.pace)

    async def run(self) -> Ended:
        """Runs an engine to its end."""
        return await self.engine().run()
