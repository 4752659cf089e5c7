"""The world of `gateway-production.yml`: 400 devices, the modems' plan, monitoring and people.

Virtual time and the real engine, which goes on once an hour as cron would have it. What the tests
assert is read from the journal by code that shares nothing with the engine.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrator.device.model import DeviceId
from orchestrator.engine.loop import Ended, Engine, Job, Pace, Ports
from orchestrator.engine.ports import Sample
from orchestrator.plan.digest import digest_of, to_json
from orchestrator.plan.resolved import Probe, ResolvedPlan
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked
from orchestrator.rollout.machine import Rollout
from orchestrator.testing.clock import VirtualClock
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.plans import SimulatedArtifact
from orchestrator.testing.release import Release
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import SimulatedTransport
from orchestrator.testing.world import old_release
from tests.examples import ExampleProject

CRON_S = 3600.0
ZONES = {"berlin": "Europe/Berlin", "lisbon": "Europe/Lisbon", "denver": "America/Denver"}
PACE = Pace(lease_s=1800.0, poll_s=60.0, around_s=600.0)
AUTHOR = "carol@desk"
MODEM_PLAN = """\
schema: 1
name: modem-fw
hosts: {hosts}
artifact: releases/{artifact}.mender
release: "{release}"
component: modem
max_failures: 10
waves: [rest]
gates:
  - {{name: modem well, check: modem, success_when: result.exit == 0}}
"""


def utc(text: str) -> float:
    """UTC seconds of `2026-12-01 01:00`."""
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def site_of(device: str) -> str:
    number = int(device.removeprefix("gw-"))
    return "berlin" if number <= 200 else "lisbon" if number <= 300 else "denver"


def simulated(plan: ResolvedPlan) -> ResolvedPlan:
    """The plan with an artifact that simulated devices check, and what a survey of them finds."""
    artifact = replace(SimulatedArtifact.of(plan.artifact.name).planned(), path=plan.artifact.path)
    old = old_release()
    devices = {
        name: replace(device, current=old.name, current_manifest=old.manifest)
        for name, device in plan.devices.items()
    }
    return replace(plan, artifact=artifact, devices=devices, surveyed=True)


async def plan_of_modems(
    project: ExampleProject, release: str, *, hosts: str = "gateways:&production:!held"
) -> ResolvedPlan:
    """What the gateways' plan requires; it changes another component of the same devices."""
    artifact = f"modem-{release}"
    project.release(artifact)
    text = MODEM_PLAN.format(hosts=hosts, artifact=artifact, release=release)
    return simulated(await project.written(f"{artifact}.yml", text))


class Monitoring:
    """Prometheus: pages that fire, and crashes of the last hour by device."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.firing_from = float("inf")
        self.crashes: Mapping[str, float] = {}

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        assert (probe.url, deadline_s) == ("http://prom:9090", 30.0)
        if "ALERTS" in probe.query:
            return Sample({"value": float(self._clock.now() >= self.firing_from)})
        assert "gatewayd_crashes_total" in probe.query
        assert probe.label == "device"
        return Sample(series=self.crashes)


class Production:
    """The fleet, its modems, and one store; begins at that time."""

    def __init__(self, start_at: float, devices: Iterable[DeviceId]) -> None:
        self.clock = VirtualClock(start_at)
        self.store = MemoryStore()
        self.monitoring = Monitoring(self.clock)
        self.names = tuple(devices)
        self._tokens = itertools.count()
        self._json: dict[str, bytes] = {}
        self.gateways: dict[DeviceId, SimulatedDevice] = {}
        self.modems: dict[DeviceId, SimulatedDevice] = {}

    def fleet(
        self, *plans: ResolvedPlan, broken: Collection[DeviceId] = ()
    ) -> dict[DeviceId, SimulatedDevice]:
        """Devices that take the releases of the plans; the first is bad on those named."""
        return {
            name: SimulatedDevice(
                name,
                now=self.clock.now,
                installed=old_release(),
                releases=tuple(
                    Release(
                        plan.artifact.name,
                        plan.artifact.manifest_sha256,
                        healthy=number > 0 or name not in broken,
                    )
                    for number, plan in enumerate(plans)
                ),
            )
            for name in self.names
        }

    async def apply(self, rollout_id: str, plan: ResolvedPlan) -> None:
        """Stores a rollout as `apply` does, with its author."""
        plan_json = self._json[rollout_id] = to_json(plan)
        first = Rollout.start(
            plan, rollout_id, at=self.clock.now(), author=AUTHOR, digest=digest_of(plan_json)
        )
        await self.store.create(rollout_id, plan_json, first.collect())

    async def run(
        self, rollout_id: str, plan: ResolvedPlan, fleet: Mapping[DeviceId, SimulatedDevice]
    ) -> Ended:
        """Goes on with a rollout until it rests or ends."""
        transport = SimulatedTransport(fleet, wire=False)
        ports = Ports(
            self.store, self.store, transport, self.monitoring, self.clock,
            lambda: f"n{next(self._tokens)}",
        )  # fmt: skip
        frames = SimulatedArtifact.of(plan.artifact.name).frames
        job = Job(rollout_id, plan, self._json[rollout_id], frames, "cron", "ctl")
        return await Engine(ports, job, pace=PACE).run()

    async def run_by_cron(
        self, rollout_id: str, plan: ResolvedPlan, *, rare: Iterable[tuple[str, str]] = ()
    ) -> Ended:
        """Every hour until it is over, or needs a person; every twelfth in `rare` times."""
        seldom = [(utc(start), utc(end)) for start, end in rare]
        while True:
            ended = await self.run(rollout_id, plan, self.gateways)
            if ended.rollout.is_terminal or not ended.rollout.is_waiting:
                return ended
            now = self.clock.now()
            is_rare = any(start <= now < end for start, end in seldom)
            every_s = 12 * CRON_S if is_rare else CRON_S
            await self.clock.sleep(every_s - now % every_s)

    async def until(self, text: str) -> None:
        """Waits for a time of UTC."""
        await self.clock.sleep(utc(text) - self.clock.now())

    def approve(self, rollout_id: str, who: str, role: str) -> None:
        """Somebody who has that role approves what a rollout waits for."""
        digest = digest_of(self._json[rollout_id])
        event = OperatorAsked(self.clock.now(), Ask.APPROVE, who, digest=digest, roles=(role,))
        self.store.ask(rollout_id, event)


# --- what the journal says, read without the engine's help ---------------------------------------


def moves(journal: Iterable[JournalEntry]) -> list[tuple[float, str, str, str, str]]:
    """Every step of a device: when, wave, device, from and to."""
    return [
        (one.at, one.wave, one.device, str(one.data["from"]), str(one.data["to"]))
        for one in journal
        if one.type == "device_state"
    ]


def activations(journal: Iterable[JournalEntry]) -> list[tuple[float, str, str]]:
    """Every change of a device: when, wave, device."""
    return [(at, wave, device) for at, wave, device, _, to in moves(journal) if to == "activating"]


def is_in_window(device: str, at: float, needs_s: float) -> bool:
    """Monday to Thursday, 01:00 to 05:00 of the device's zone, with that long left."""
    zone = ZoneInfo(ZONES[site_of(device)])
    local = datetime.fromtimestamp(at, zone)
    opens = local.replace(hour=1, minute=0, second=0, microsecond=0)
    left = opens + timedelta(hours=4) - local
    return local.weekday() < 4 and local >= opens and left.total_seconds() >= needs_s
