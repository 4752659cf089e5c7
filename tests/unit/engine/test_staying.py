"""For what an engine stays, and who answers where none runs."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.engine import clerk
from orchestrator.engine.loop import Engine
from orchestrator.errors import ExitCode, LeaseError
from orchestrator.plan.controls import Approval
from orchestrator.plan.digest import digest_of
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.states import RolloutState
from orchestrator.testing.clock import EPOCH_S, VirtualClock, run_virtual
from orchestrator.testing.plans import device_ids, make_plan
from orchestrator.testing.transport import Faults, SimulatedTransport
from orchestrator.testing.world import ROLLOUT_ID, SimulatedProber, World, make_fleet

A, B = device_ids(2)

WATCHED = Gate(
    "site", Stage.BACKGROUND, Probe(ProbeKind.HTTP, url="http://h/"), interval_s=10.0,
    success_when="value == 1", fail_when="value == 2", count=1,
)  # fmt: skip


def make_world(*, approval=None, wave=None, soak_s=0.0, gates=()):
    clock = VirtualClock()
    waves = [
        ResolvedWave("canary", "1", (A,), soak_s=soak_s),
        ResolvedWave("rest", "rest", (B,), approval=wave),
    ]
    plan = make_plan(waves, approval=approval, gates=gates)
    prober = SimulatedProber({"http://h/": {"value": 1}})
    transport = SimulatedTransport(make_fleet((A, B), clock))
    return World(plan, transport, clock=clock, prober=prober)


def engine(world, **choices):
    ports, job = world.parts("engine", world.clock)
    return Engine(ports, replace(job, **choices), pace=world.pace)


def approve(world, who="ann@desk"):
    world.store.ask(
        ROLLOUT_ID, OperatorAsked(0.0, Ask.APPROVE, who, digest=digest_of(world.plan_json))
    )


def desk(world):
    return clerk.Desk(world.store, world.store, world.clock, "clerk")


@pytest.mark.parametrize("where", ["approval", "wave"])
def test_engine_leaves_while_only_an_approval_is_missing(where):
    async def work():
        world = make_world(**{where: Approval(1)})
        return await engine(world).run()

    ended = run_virtual(work())

    assert ended.exit_code is ExitCode.WAITING


@pytest.mark.parametrize("where", ["approval", "wave"])
def test_engine_that_is_told_to_stay_goes_on_with_the_approval(where):
    async def work():
        world = make_world(**{where: Approval(1)})
        running = asyncio.ensure_future(engine(world, stays=True).run())
        await asyncio.sleep(100.0)
        waiting = not running.done()
        asked_at = world.clock.now()
        approve(world)
        ended = await running
        given = [one.at for one in world.store.journal(ROLLOUT_ID) if one.type == "approval"][-1]
        return waiting, ended, given - asked_at

    waiting, ended, took_s = run_virtual(work())

    assert waiting
    assert ended.exit_code is ExitCode.DONE
    assert took_s < 1.0


def test_each_tick_samples_background_gates_once_while_all_else_waits():
    """An alert that fires before the approval is given stops the rollout before it goes on."""

    async def work():
        world = make_world(wave=Approval(1), gates=(WATCHED,))
        ends = [await engine(world).run()]
        world.prober.answers["http://h/"] = {"value": 2}
        await world.clock.sleep(3600.0)
        sampled = world.prober.samples
        ends.append(await engine(world).run())
        return ends, world.prober.samples - sampled

    ends, samples = run_virtual(work())

    assert [one.exit_code for one in ends] == [ExitCode.WAITING, ExitCode.HALTED]
    assert samples == 1
    assert list(ends[1].rollout.ledger.causes) == ["gate"]


def test_each_tick_asks_the_background_gates_of_a_paused_rollout():
    async def work():
        world = make_world(wave=Approval(1), gates=(WATCHED,))
        await engine(world).run()
        world.store.ask(ROLLOUT_ID, OperatorAsked(EPOCH_S, Ask.PAUSE, "bob@desk"))
        paused = await engine(world, leaves_soaks=True, leaves_pauses=True).run()
        sampled, state = world.prober.samples, paused.rollout.state
        world.prober.answers["http://h/"] = {"value": 2}
        await world.clock.sleep(3600.0)
        ended = await engine(world, leaves_soaks=True, leaves_pauses=True).run()
        return paused.exit_code, state, ended, world.prober.samples - sampled

    code, state, ended, samples = run_virtual(work())

    assert (code, state) == (ExitCode.WAITING, RolloutState.PAUSED)
    assert (ended.exit_code, samples) == (ExitCode.HALTED, 1)


def test_who_leaves_pauses_leaves_also_a_device_that_stands_ready():
    """Its delivery is done anew later: nobody keeps a connection open for a person's lunch."""

    async def work():
        world = make_world()
        world.transport.faults = Faults(latency_s=5.0)
        running = asyncio.ensure_future(engine(world, leaves_pauses=True).run())
        await asyncio.sleep(0.1)
        world.store.ask(ROLLOUT_ID, OperatorAsked(EPOCH_S, Ask.PAUSE, "bob@desk"))
        paused = await running
        took_s = world.clock.now() - EPOCH_S
        rows = (await world.store.load(ROLLOUT_ID)).devices
        world.store.ask(ROLLOUT_ID, OperatorAsked(EPOCH_S, Ask.RESUME, "bob@desk"))
        told = [entry.type for entry in world.store.journal(ROLLOUT_ID)]
        ended = await engine(world, leaves_pauses=True).run()
        return paused, rows[A]["state"], took_s, told, ended

    paused, state, took_s, told, ended = run_virtual(work())

    assert (paused.exit_code, paused.stopped, state) == (ExitCode.WAITING, False, "queued")
    assert took_s < 60.0
    assert "engine_stopping" not in told
    assert ended.exit_code is ExitCode.DONE


@pytest.mark.parametrize(
    ("gates", "expected"), [((), ExitCode.WAITING), ((WATCHED,), ExitCode.DONE)]
)
def test_tick_leaves_a_soak_that_nobody_has_to_watch(gates, expected):
    async def work():
        world = make_world(soak_s=600.0, gates=gates)
        first = await engine(world, leaves_soaks=True, leaves_pauses=True).run()
        await asyncio.sleep(600.0)
        return first, await engine(world, leaves_soaks=True, leaves_pauses=True).run()

    first, second = run_virtual(work())

    assert first.exit_code is expected
    assert second.exit_code is ExitCode.DONE


def test_clerk_answers_all_that_was_asked_and_touches_no_device():
    async def work():
        world = make_world(wave=Approval(1))
        await engine(world).run()
        before = sum(len(device.mutations) for device in world.devices.values())
        world.store.ask(ROLLOUT_ID, OperatorAsked(EPOCH_S, Ask.PAUSE, "bob@desk"))
        approve(world)
        await clerk.answer(desk(world), ROLLOUT_ID, world.plan)
        after = sum(len(device.mutations) for device in world.devices.values())
        stored = await world.store.load(ROLLOUT_ID)
        return stored.rollout, after - before, world

    row, mutations, world = run_virtual(work())

    assert (row["state"], list(row["causes"])) == ("paused", ["operator"])
    assert mutations == 0
    told = [one.data["answer"] for one in world.store.journal(ROLLOUT_ID) if one.type == "operator"]
    assert told == ["done", "done"]


def test_engine_goes_on_where_a_clerk_has_answered():
    async def work():
        world = make_world(approval=Approval(1))
        await engine(world).run()
        approve(world)
        await clerk.answer(desk(world), ROLLOUT_ID, world.plan)
        return await engine(world).run()

    assert run_virtual(work()).rollout.state is RolloutState.SUCCEEDED


def test_clerk_leaves_a_rollout_to_its_engine():
    async def work():
        world = make_world(approval=Approval(1))
        running = asyncio.ensure_future(engine(world, stays=True).run())
        await asyncio.sleep(1.0)
        try:
            with pytest.raises(LeaseError):
                await clerk.answer(desk(world), ROLLOUT_ID, world.plan)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run_virtual(work())


def test_clerk_of_an_unknown_rollout_does_nothing():
    async def work():
        world = make_world()
        await clerk.answer(desk(world), "r-nowhere", world.plan)

    run_virtual(work())
