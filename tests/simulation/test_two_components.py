"""Two parts of the same devices are updated at once, each by a rollout and engines of its own.

A part has a version, a way back and an epoch for itself (R14), and one rollout at a time (I3); the
power is that of the device: who loses it loses it for both. Each rollout is held against the rules
that hold for one alone, which share nothing with the engine; none waits for the other, and no
request for one part comes to the other.
"""

import asyncio
import random

import pytest

from orchestrator.device.protocol import Request
from orchestrator.engine.loop import Engine, Pace
from orchestrator.engine.orders import Orders
from orchestrator.errors import LeaseError
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.testing.clock import VirtualClock, run_virtual
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.invariants import Checker
from orchestrator.testing.plans import SimulatedArtifact, device_ids, make_plan
from orchestrator.testing.release import Release
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import Faults, SimulatedTransport
from orchestrator.testing.world import World, old_release

SEEDS = 40
PARTS = ("main", "modem")
CHECK = Gate(
    "service", Stage.DEVICE, Probe(ProbeKind.CHECK, check="s"), success_when="result.exit == 0"
)


class Part(SimulatedDevice):
    """What a device is for one component; `beside` are its other parts."""

    def __init__(self, component, *args, **choices):
        super().__init__(*args, **choices)
        self.component = component
        self.beside = []

    def reboot(self, down_s):
        super().reboot(down_s)
        for other in self.beside:
            SimulatedDevice.reboot(other, down_s)

    def answer(self, request, serial):
        self._look(request)
        return super().answer(request, serial)

    def begin(self, request):
        self._look(request)
        return super().begin(request)

    def _look(self, request):
        asked = request.params.get("component", "main")
        assert asked == self.component, f"{self.component} was asked for {asked}"


class WatchedStore(MemoryStore):
    """Shows each rollout's lines to its checker."""

    def __init__(self):
        super().__init__()
        self.checkers = {}

    async def create(self, rollout_id, plan_json, changes):
        await super().create(rollout_id, plan_json, changes)
        self.checkers[rollout_id].see(changes.journal)

    async def commit(self, lease, batch):
        last = await super().commit(lease, batch)
        for changes in batch:
            self.checkers[lease.rollout_id].see(changes.journal)
        return last


def parts_of(rng, clock, devices):
    fleets = {}
    for component in PARTS:
        release = Release(
            component,
            SimulatedArtifact.of(component).manifest_sha256,
            healthy=rng.random() < 0.7,
            restarts=rng.random() < 0.2,
        )
        fleets[component] = {
            device: Part(
                component, device, now=clock.now, installed=old_release(), releases=(release,)
            )
            for device in devices
        }
    for device in devices:
        one, other = (fleets[component][device] for component in PARTS)
        one.beside, other.beside = [other], [one]
    return fleets


def world_of(rng, clock, store, component, fleet):
    members = [*fleet]
    rng.shuffle(members)
    waves = [ResolvedWave("canary", "1", tuple(members[:1]), soak_s=5.0)]
    if members[1:]:
        waves.append(ResolvedWave("rest", "rest", tuple(members[1:])))
    artifact = SimulatedArtifact.of(component)
    plan = make_plan(waves, name=component, artifact=artifact, gates=(CHECK,), component=component)
    faults = rng.choice((None, Faults(refuse=0.05, lose_reply=0.05, reboot=0.01)))
    world = World(plan, SimulatedTransport(fleet, faults=faults), clock=clock)
    world.store = store
    world.begin(f"r-{component}", plan)
    store.checkers[world.rollout_id] = Checker(plan, fleet)
    return world


async def drive(rng, world):
    """Engines of one rollout, one after the other, until it is over; killed now and then."""
    for _ in range(200):
        ports, job = world.parts(f"engine of {world.rollout_id}", world.clock)
        task = asyncio.ensure_future(Engine(ports, job, pace=Pace(poll_s=0.5)).run())
        limit_s = rng.choice((None, None, rng.uniform(0, 60)))
        done, _ = await asyncio.wait((task,), timeout=limit_s)
        if not done:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif not isinstance(task.exception(), LeaseError):
            rollout = task.result().rollout
            if rollout.is_terminal:
                return rollout
            ask = rng.choice((Ask.ROLLBACK, Ask.ABORT))
            asked = OperatorAsked(world.clock.now(), ask, "drawn")
            world.store.ask(world.rollout_id, asked)
        await asyncio.sleep(rng.uniform(0.5, 20))
    pytest.fail(f"{world.rollout_id} has no end")


async def simulated(seed):
    rng = random.Random(seed)
    clock, store = VirtualClock(), WatchedStore()
    fleets = parts_of(rng, clock, device_ids(rng.randint(1, 6)))
    worlds = [world_of(rng, clock, store, *each) for each in fleets.items()]
    await asyncio.gather(*(drive(rng, world) for world in worlds))
    await asyncio.sleep(worlds[0].plan.timeouts.confirm_s + 60)
    for world in worlds:
        stored = await store.load(world.rollout_id)
        store.checkers[world.rollout_id].truth.finish(rows=stored.devices)
    return [store.journal(world.rollout_id) for world in worlds]


def waits_for_the_other(journal):
    return [line for line in journal if line.type == "waiting" and line.data["for"] == "rollout"]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_two_parts_of_a_device_are_updated_at_once_and_know_nothing_of_each_other(seed):
    one, other = run_virtual(simulated(seed))

    assert not waits_for_the_other(one) + waits_for_the_other(other)
    assert max(one[0].at, other[0].at) < min(one[-1].at, other[-1].at)


def test_engine_that_asks_another_part_than_its_own_is_noticed(monkeypatch):
    monkeypatch.setattr(
        Orders,
        "request",
        lambda _orders, verb, **more: Request(verb, {**more, "component": "main"}),
    )

    with pytest.raises(BaseExceptionGroup) as caught:
        run_virtual(simulated(0))

    assert caught.group_contains(AssertionError, match="modem was asked for main")


def test_store_that_knows_no_parts_is_noticed(monkeypatch):
    monkeypatch.setattr(MemoryStore, "_component", lambda *_: "main")

    found = [run_virtual(simulated(seed)) for seed in range(5)]

    assert any(waits_for_the_other(journal) for pair in found for journal in pair)
