"""A simulated world for one rollout: fleet, store, probes and engines that can crash."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from orchestrator.device.model import DeviceId
from orchestrator.engine.deltas import Delta
from orchestrator.engine.loop import Ended, Engine, Job, Pace, Ports
from orchestrator.engine.ports import History, Observer, Sample
from orchestrator.plan.digest import to_json
from orchestrator.plan.resolved import Probe, ResolvedPlan
from orchestrator.rollout.events import Value
from orchestrator.testing.clock import VirtualClock
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.plans import SimulatedArtifact
from orchestrator.testing.release import Release
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import SimulatedTransport

ROLLOUT_ID = "r-1"
CONTROLLER_ID = "ctl"


class SimulatedProber:
    """Implements `Prober`: answers from a table by url or program; `silent` ones never do."""

    def __init__(
        self,
        answers: Mapping[str, Mapping[str, Value]] | None = None,
        *,
        silent: Collection[str] = (),
    ) -> None:
        self.answers: dict[str, Mapping[str, Value]] = dict(answers or {})
        self.silent = set(silent)
        self.samples = 0
        self.remembered: Callable[[float], Mapping[str, Value]] = lambda _at: {}

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """One sample; what is not in the table is an error."""
        self.samples += 1
        asked = probe.url or " ".join(probe.argv)
        if asked in self.silent:
            await asyncio.sleep(deadline_s)
            return Sample(error=f"no answer within {deadline_s:g} s")
        fields = self.answers.get(asked)
        return Sample(error="nobody answers") if fields is None else Sample(fields)

    async def history(
        self, probe: Probe, *, start_at: float, end_at: float, step_s: float, deadline_s: float
    ) -> History:
        """What `remembered` says of each time; nothing unless somebody says otherwise."""
        del probe, deadline_s
        count = math.floor((end_at - start_at) / step_s) + 1
        times = (start_at + number * step_s for number in range(count))
        return History(tuple((at, Sample(self.remembered(at))) for at in times))


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
    """Everything outside of an engine, surviving its crashes.

    `plan` and `rollout_id` are of the rollout that engines are made for; `begin` goes on to
    another one on the same devices and the same store. `differences` lie beside releases, by their names.
    """

    def __init__(
        self,
        plan: ResolvedPlan,
        transport: SimulatedTransport,
        *,
        clock: VirtualClock,
        prober: SimulatedProber | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.rollout_id, self.plan, self.plan_json = ROLLOUT_ID, plan, to_json(plan)
        self.transport = transport
        self.clock = clock
        self.prober = prober or SimulatedProber()
        self.store = MemoryStore()
        self.pace = pace or Pace()
        self.differences: Mapping[str, Sequence[Delta]] = {}
        self._tokens = itertools.count(1)

    @property
    def devices(self) -> Mapping[DeviceId, SimulatedDevice]:
        """The fleet."""
        return self.transport.devices

    def begin(self, rollout_id: str, plan: ResolvedPlan) -> None:
        """Engines made from now on drive this rollout."""
        self.rollout_id = rollout_id
        if plan is not self.plan:
            self.plan, self.plan_json = plan, to_json(plan)

    def parts(self, owner: str, clock: VirtualClock) -> tuple[Ports, Job]:
        """What an engine on this world is made of."""
        ports = Ports(
            self.store,
            self.store,
            self.transport,
            self.prober,
            clock,
            lambda: f"n{next(self._tokens)}",
        )
        planned = self.plan.artifact
        frames = partial(SimulatedArtifact.of(planned.name).frames, planned.ticket)
        deltas = self.differences.get(planned.name, ())
        job = Job(
            self.rollout_id, self.plan, self.plan_json, frames, owner, CONTROLLER_ID, deltas=deltas
        )
        return ports, job

    def engine(self, *, owner: str = "engine", observer: Observer | None = None) -> Engine:
        """A new engine on this world."""
        ports, job = self.parts(owner, self.clock)
        return Engine(ports, job, observer=observer, pace=self.pace)

    async def run(self) -> Ended:
        """Runs an engine to its end."""
        return await self.engine().run()
