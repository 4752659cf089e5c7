"""I3: two rollouts at once want the same devices; engines are killed at any moment.

And none starts what another one holds back: the same artifact on a device on which it failed, or
anything on one that could not go back. The check folds what is committed and shares nothing with
the engine.
"""

import asyncio
import random

import pytest

from orchestrator.engine.loop import Engine, Pace
from orchestrator.errors import LeaseError
from orchestrator.plan.resolved import Gate, OnConflict, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.testing.clock import VirtualClock, run_virtual
from orchestrator.testing.plans import SimulatedArtifact, device_ids, make_plan
from orchestrator.testing.release import Release
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import Faults, SimulatedTransport
from orchestrator.testing.world import SimulatedDevice, World, old_release

SEEDS = 60
ENDS = {"succeeded", "succeeded_with_exceptions", "aborted", "rolled_back", "failed", "superseded",
        "rejected"}  # fmt: skip
AT_WORK = {"preflight", "transferring", "staged", "activating", "rebooting", "verifying",
           "committing", "rolling_back", "uncertain"}  # fmt: skip
ON_THE_WAY = {"unreachable", "connection_lost", "timeout", "host_key", "authentication", "lost",
              "reverted"}  # fmt: skip
LATENCY_S = 0.3
CHECK = Gate(
    "service", Stage.DEVICE, Probe(ProbeKind.CHECK, check="s"), success_when="result.exit == 0"
)


class WatchedStore(MemoryStore):
    """Folds every commit: who is at work on which device, and who holds it back."""

    def __init__(self, artifacts):
        super().__init__()
        self.artifacts = artifacts
        self.at_work = {}
        self.holds = []
        self.broken = []

    async def around(self, rollout_id, **how):
        found = await super().around(rollout_id, **how)
        await asyncio.sleep(LATENCY_S)  # what was found may be old when it is heard
        return found

    async def commit(self, lease, batch):
        await asyncio.sleep(LATENCY_S)
        last = await super().commit(lease, batch)
        for entry in (entry for changes in batch for entry in changes.journal):
            if entry.type != "device_state":
                continue
            mine = self.at_work.setdefault(lease.rollout_id, set())
            (mine.add if entry.data["to"] in AT_WORK else mine.discard)(entry.device)
            for other, theirs in self.at_work.items():
                if other != lease.rollout_id and entry.device in mine & theirs:
                    self.broken.append((lease.rollout_id, other, entry.device))
            self.see_holds(lease.rollout_id, entry)
        return last

    def see_holds(self, rollout_id, entry):
        to, artifact = entry.data["to"], self.artifacts[rollout_id]
        if to == "rollback_failed":
            self.holds.append((rollout_id, entry.device, None))
        elif to in ("failed", "rolled_back") and entry.data.get("reason") not in ON_THE_WAY:
            self.holds.append((rollout_id, entry.device, artifact))
        elif to == "transferring":
            self.broken += (
                hold
                for hold in self.holds
                if hold[0] != rollout_id and hold[1] == entry.device and hold[2] in (None, artifact)
            )


def plan_of(rng, name, devices, artifact):
    some = tuple(rng.sample(devices, rng.randint(1, len(devices))))
    waves = [ResolvedWave("canary", "1", some[:1], soak_s=5.0)]
    if some[1:]:
        waves.append(ResolvedWave("rest", "rest", some[1:]))
    return make_plan(
        waves,
        name=name,
        artifact=SimulatedArtifact.of(artifact),
        gates=(CHECK,),
        priority=rng.choice((400, 500, 600)),
        on_conflict=rng.choice((OnConflict.QUEUE, OnConflict.QUEUE, OnConflict.SUPERSEDE)),
    )


async def drive(rng, world, rollout_id, plan):
    """Engines of one rollout, one after the other, until it is over; killed now and then."""
    await asyncio.sleep(rng.choice((0, 0, 10)))
    for _ in range(400):
        world.begin(rollout_id, plan)
        ports, job = world.parts(f"engine of {rollout_id}", world.clock)
        engine = Engine(ports, job, pace=Pace(poll_s=0.5))
        task = asyncio.ensure_future(engine.run())
        limit_s = rng.choice((None, None, rng.uniform(0, 60)))
        done, _ = await asyncio.wait((task,), timeout=limit_s)
        if not done:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif not isinstance(task.exception(), LeaseError):
            rollout = task.result().rollout
            if rollout.is_terminal:
                return rollout.state.value
            paused = rollout.state.value == "paused" and not rollout.is_waiting
            if rollout.state.value == "halted" or paused:
                ask = Ask.ROLLBACK if rng.random() < 0.5 else Ask.ABORT
                world.store.ask(rollout_id, OperatorAsked(world.clock.now(), ask, "drawn"))
        await asyncio.sleep(rng.uniform(0.5, 20))
    return "no end"


async def simulated(seed):
    rng = random.Random(seed)
    clock = VirtualClock()
    devices = device_ids(rng.randint(1, 8))
    names = ("one", "two", "three")
    artifacts = {name: rng.choice((name, "one")) for name in names}
    plans = {f"r-{name}": plan_of(rng, name, devices, artifacts[name]) for name in names}
    releases = {
        name: Release(
            name,
            SimulatedArtifact.of(name).manifest_sha256,
            healthy=rng.random() < 0.7,
            rollback_fails=rng.random() < 0.2,
        )
        for name in names
    }
    fleet = {
        device: SimulatedDevice(
            device, now=clock.now, installed=old_release(), releases=tuple(releases.values())
        )
        for device in devices
    }
    transport = SimulatedTransport(
        fleet, faults=rng.choice((None, Faults(refuse=0.05, lose_reply=0.05)))
    )
    world = World(plans["r-one"], transport, clock=clock)
    world.store = WatchedStore({f"r-{name}": artifact for name, artifact in artifacts.items()})

    async def weather():
        await asyncio.sleep(rng.uniform(0, 60))
        world.store.frozen = FleetFreeze("drawn", "nobody", clock.now(), clock.now() + 120)

    frost = asyncio.ensure_future(weather())
    ends = await asyncio.gather(*(drive(rng, world, one, plan) for one, plan in plans.items()))
    frost.cancel()
    return world.store, ends


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_device_is_in_two_hands_or_tried_while_held_and_every_rollout_ends(seed):
    store, ends = run_virtual(simulated(seed))

    assert store.broken == []
    assert set(ends) <= ENDS
