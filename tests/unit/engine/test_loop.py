"""Whole engine runs in virtual time."""

import asyncio
import threading

import pytest

from orchestrator.device.model import Address
from orchestrator.engine import loop
from orchestrator.engine.loop import Engine, Pace
from orchestrator.errors import ExitCode, LeaseError, StoreError
from orchestrator.plan.controls import LateJoiners
from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Direction
from orchestrator.plan.joiners import Joiner
from orchestrator.plan.resolved import (
    Gate,
    PlannedDevice,
    Probe,
    ProbeKind,
    ResolvedWave,
    Retries,
    Stage,
    Timeouts,
)
from orchestrator.rollout.events import Ask, GateSampled, OperatorAsked, Tick
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.testing.clock import EPOCH_S, VirtualClock, run_virtual
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import SimulatedArtifact, device_ids, make_plan, split
from orchestrator.testing.release import Release
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import Faults, SimulatedTransport
from orchestrator.testing.world import ROLLOUT_ID, World, make_fleet

TARGET = SimulatedArtifact.of("new").manifest_sha256
CHECK = Gate(
    "service", Stage.DEVICE, Probe(ProbeKind.CHECK, check="s"), success_when="result.exit == 0"
)


def make_world(count=24, *, healthy=True, soak_s=5.0, faults=None):
    clock = VirtualClock()
    ids = device_ids(count)
    first, second, rest = split(ids, 1, count // 4)
    waves = [
        ResolvedWave("canary", "1", first, soak_s=soak_s),
        ResolvedWave("early", "25%", second, soak_s=soak_s),
        ResolvedWave("rest", "rest", rest),
    ]
    plan = make_plan([wave for wave in waves if wave.devices], gates=(CHECK,))
    release = Release("new", TARGET, healthy=healthy)
    fleet = make_fleet(ids, clock, release=release)
    return World(plan, SimulatedTransport(fleet, faults=faults), clock=clock)


def test_good_release_reaches_24_devices():
    async def work():
        world = make_world()
        return world, await world.run()

    world, ended = run_virtual(work())

    assert ended.exit_code is ExitCode.DONE
    assert all(device.active == TARGET for device in world.devices.values())
    assert all(device.activations == {TARGET: 1} for device in world.devices.values())


def test_devices_know_where_the_journal_stood():
    """What they hold is in the journal, and nothing was asked of them that it had not yet."""

    async def work():
        world = make_world(4)
        await world.run()
        journal = [hash_ for _written, hash_ in world.store._rollouts[ROLLOUT_ID].chained]
        return world, journal

    world, journal = run_virtual(work())

    for name, device in world.devices.items():
        ((controller, rollout_id), (seq, hash_)) = device.witnessed.popitem()
        assert (controller, rollout_id) == ("ctl", ROLLOUT_ID)
        assert journal[seq - 1] == hash_
        states = [
            one.data["to"] for one in world.store.journal(ROLLOUT_ID)[:seq] if one.device == name
        ]
        assert states[-1] == "verifying", states


def test_bad_release_ends_with_the_canary():
    async def work():
        world = make_world(healthy=False)
        return world, await world.run()

    world, ended = run_virtual(work())

    assert ended.exit_code is ExitCode.ROLLED_BACK
    assert ended.rollout.state is RolloutState.HALTED
    touched = [device for device in world.devices.values() if device.mutations]
    assert len(touched) == 1
    assert not any(device.active == TARGET for device in world.devices.values())


def test_finished_rollout_runs_no_more():
    async def work():
        world = make_world(4)
        await world.run()
        before = sum(len(device.mutations) for device in world.devices.values())
        ended = await world.run()
        return ended, sum(len(device.mutations) for device in world.devices.values()) - before

    ended, mutations = run_virtual(work())

    assert (ended.exit_code, mutations) == (ExitCode.DONE, 0)


def test_same_plan_on_an_updated_fleet_changes_nothing():
    async def work():
        world = make_world(4)
        await world.run()
        before = sum(len(device.mutations) for device in world.devices.values())
        waves = [ResolvedWave("all", "all", tuple(world.devices))]
        again = World(make_plan(waves), world.transport, clock=world.clock)
        ended = await again.run()
        return ended, sum(len(device.mutations) for device in world.devices.values()) - before

    ended, mutations = run_virtual(work())

    assert (ended.exit_code, mutations) == (ExitCode.DONE, 0)


@pytest.mark.parametrize("ask", [Ask.ABORT, Ask.HALT, Ask.PAUSE])
def test_queued_rollout_that_is_to_be_stopped_never_begins(ask):
    async def work():
        world = make_world(4)
        queued = Rollout.start(world.plan, ROLLOUT_ID, at=EPOCH_S)
        await world.store.create(ROLLOUT_ID, world.plan_json, queued.collect())
        world.store.ask(ROLLOUT_ID, OperatorAsked(EPOCH_S, ask, "ann"))
        engine = asyncio.ensure_future(world.run())
        await asyncio.sleep(5.0)
        engine.cancel()
        await asyncio.gather(engine, return_exceptions=True)
        return world, world.store.journal(ROLLOUT_ID)

    world, journal = run_virtual(work())

    assert "wave_started" not in {entry.type for entry in journal}
    assert {entry.data["to"] for entry in journal if entry.device} <= {"cancelled"}
    assert not any(device.mutations for device in world.devices.values())


def test_second_engine_of_another_owner_is_refused():
    async def work():
        world = make_world(4)
        first = asyncio.ensure_future(world.engine(owner="a").run())
        await asyncio.sleep(0.5)
        try:
            with pytest.raises(LeaseError):
                await world.engine(owner="b").run()
        finally:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)

    run_virtual(work())


def test_engine_that_lost_its_lease_stops():
    async def work():
        world = make_world()
        first = asyncio.ensure_future(world.engine(owner="a").run())
        await asyncio.sleep(0.5)
        second = await world.engine(owner="a").run()
        result = (await asyncio.gather(first, return_exceptions=True))[0]
        return second, result

    second, result = run_virtual(work())

    assert second.exit_code is ExitCode.DONE
    assert isinstance(result, LeaseError)


def test_rollout_of_another_plan_is_refused():
    async def work():
        world = make_world(2)
        engine = world.engine()
        await world.run()
        engine._job = type(engine._job)(ROLLOUT_ID, world.plan, b"[]", list, "engine", "ctl")
        with pytest.raises(StoreError, match="another plan"):
            await engine.run()

    run_virtual(work())


def test_stop_finishes_what_is_in_flight_and_the_next_engine_goes_on():
    async def work():
        world = make_world()
        engine = world.engine()
        task = asyncio.ensure_future(engine.run())
        await asyncio.sleep(6.0)
        engine.stop()
        ended = await task
        between = [device.txn.state for device in world.devices.values() if device.txn]
        return world, ended, between, await world.run()

    world, ended, between, last = run_virtual(work())

    assert ended.stopped
    assert ended.rollout.state is RolloutState.RUNNING
    assert "probation" not in between
    assert last.exit_code is ExitCode.DONE
    assert all(device.activations == {TARGET: 1} for device in world.devices.values())


@pytest.mark.parametrize("crash_at", [0.01, 0.1, 0.16, 0.2, 0.25, 0.3, 5.4, 5.6, 6.0])
def test_killed_engine_is_followed_by_one_that_converges(crash_at):
    async def work():
        world = make_world()
        task = asyncio.ensure_future(world.engine().run())
        await asyncio.sleep(crash_at)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return world, await world.run()

    world, ended = run_virtual(work())

    assert ended.exit_code is ExitCode.DONE
    assert all(device.activations == {TARGET: 1} for device in world.devices.values())


def engine_by(world, clock):
    ports, job = world.parts("engine", clock)
    return Engine(ports, job)


def test_wall_clock_set_back_between_two_engines_extends_no_soak():
    """R15."""

    async def work():
        world = make_world(soak_s=100.0)
        first = asyncio.ensure_future(world.engine().run())
        await asyncio.sleep(30.0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        ended = await engine_by(world, VirtualClock(EPOCH_S - 7200.0)).run()
        return ended, world.clock.now() - EPOCH_S

    ended, took_s = run_virtual(work())

    assert ended.exit_code is ExitCode.DONE
    assert 200.0 < took_s < 300.0


def test_request_from_a_machine_whose_clock_is_ahead_shortens_no_soak():
    """R15: the engine's own clock says when it was asked."""

    async def work():
        world = make_world(soak_s=100.0)
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(30.0)
        world.store.ask(ROLLOUT_ID, OperatorAsked(EPOCH_S + 7200.0, Ask.PAUSE, "ann"))
        await asyncio.sleep(1.0)
        world.store.ask(ROLLOUT_ID, OperatorAsked(EPOCH_S + 7201.0, Ask.RESUME, "ann"))
        ended = await running
        return ended, world.clock.now() - EPOCH_S

    ended, took_s = run_virtual(work())

    assert ended.exit_code is ExitCode.DONE
    assert 200.0 < took_s < 300.0


def test_pause_and_resume_by_an_operator():
    async def work():
        world = make_world()
        task = asyncio.ensure_future(world.run())
        await asyncio.sleep(1.0)
        world.store.ask(ROLLOUT_ID, OperatorAsked(0.0, Ask.PAUSE, "ann"))
        await asyncio.sleep(100.0)
        paused = sum(device.active == TARGET for device in world.devices.values())
        world.store.ask(ROLLOUT_ID, OperatorAsked(0.0, Ask.RESUME, "ann"))
        return paused, await task

    paused, ended = run_virtual(work())

    assert paused == 1
    assert ended.exit_code is ExitCode.DONE


def test_lease_is_released_at_the_end():
    async def work():
        world = make_world(2)
        await world.run()
        return await world.store.acquire(ROLLOUT_ID, "other", ttl_s=1.0, now=world.clock.now())

    assert run_virtual(work()).epoch == 2


def test_observer_sees_each_line_once_and_the_bytes():
    class Observer:
        def __init__(self):
            self.lines = []
            self.bytes = {}

        def committed(self, rollout, journal):
            self.lines.extend(entry.seq for entry in journal)

        def progressed(self, device, sent_bytes):
            self.bytes[device] = sent_bytes

    async def work():
        world = make_world(4)
        observer = Observer()
        await world.engine(observer=observer).run()
        return world, observer

    world, observer = run_virtual(work())

    last = len(world.store.journal(ROLLOUT_ID))
    assert observer.lines == list(range(2, last + 1))  # the first line came with `create`
    assert len(observer.bytes) == 4


def test_store_that_fails_ends_the_engine():
    class Failing(MemoryStore):
        async def commit(self, lease, batch):
            raise StoreError("the disk is full")

    async def work():
        world = make_world(2)
        world.store = Failing()
        with pytest.raises(StoreError, match="disk is full"):
            await world.run()
        return world

    world = run_virtual(work())

    assert not any(device.mutations for device in world.devices.values())


def test_a_bug_is_not_hidden():
    async def work():
        world = make_world(2)
        world.transport.devices[device_ids(1)[0]].answer = None
        await world.run()

    with pytest.raises(ExceptionGroup):
        run_virtual(work())


def test_silent_devices_do_not_hold_up_the_end():
    async def work():
        world = make_world(2, faults=Faults(refuse=1.0))
        return await world.run()

    ended = run_virtual(work())

    assert ended.rollout.state is RolloutState.PAUSED
    assert ended.exit_code is ExitCode.WAITING


def test_pause_for_devices_that_are_away_rests_and_a_resume_delivers_anew():
    """Six devices, three of them offline: those that stand ready wait for a go in vain."""

    async def work():
        clock = VirtualClock()
        ids = device_ids(6)
        waves = [ResolvedWave("canary", "1", ids[:1]), ResolvedWave("rest", "rest", ids[1:])]
        plan = make_plan(
            waves, gates=(CHECK,), retries=Retries(count=0), timeouts=Timeouts(connect_s=1.0)
        )
        fleet = make_fleet(ids, clock)
        for device in ids[3:]:
            fleet[device].offline.append((EPOCH_S, EPOCH_S + 1800.0))
        slow = SimulatedTransport(fleet, faults=Faults(latency_s=0.3))
        world = World(plan, slow, clock=clock)
        async with asyncio.timeout(600.0):
            rested = await world.run()
        left = {fleet[device].txn.state for device in ids[1:3] if fleet[device].txn is not None}
        await clock.sleep(1800.0)
        world.store.ask(ROLLOUT_ID, OperatorAsked(clock.now(), Ask.RESUME, "ann"))
        return rested.rollout.state, rested.exit_code, left, await world.run()

    state, code, left, ended = run_virtual(work())

    assert (state, code) == (RolloutState.PAUSED, ExitCode.WAITING)
    assert left <= {"aborted", "committed"}  # nothing is left armed
    assert ended.exit_code is ExitCode.DONE


def test_finished_rollout_is_rolled_back_when_somebody_asks():
    async def work():
        world = make_world(4)
        await world.run()
        world.store.ask(ROLLOUT_ID, OperatorAsked(world.clock.now(), Ask.ROLLBACK, "ann"))
        return world, await world.run()

    world, ended = run_virtual(work())

    assert ended.rollout.state is RolloutState.ROLLED_BACK
    assert ended.rollout.exit_code_of(Ask.ROLLBACK) is ExitCode.DONE
    assert not any(device.active == TARGET for device in world.devices.values())


def test_finished_rollout_that_refuses_a_request_touches_no_device():
    async def work():
        world = make_world(2)
        await world.run()
        before = sum(len(device.mutations) for device in world.devices.values())
        world.store.ask(ROLLOUT_ID, OperatorAsked(world.clock.now(), Ask.RETRY, "ann"))
        ended = await world.run()
        return ended, sum(len(device.mutations) for device in world.devices.values()) - before

    ended, mutations = run_virtual(work())

    assert (ended.rollout.state, mutations) == (RolloutState.SUCCEEDED, 0)
    assert ended.rollout.collect().rollout["last_request"] == 1


def test_pace_has_safe_defaults():
    pace = Pace()

    assert pace.poll_s <= 1.0
    assert pace.gather_s <= 0.2


def growing_world(*, count=6, late=2):
    """A rollout on all but the last devices, which may join it."""
    clock = VirtualClock()
    ids = device_ids(count)
    waves = [
        ResolvedWave("canary", "1", ids[:1], soak_s=60.0),
        ResolvedWave("rest", "rest", ids[1:-late]),
    ]
    plan = make_plan(waves, gates=(CHECK,), late_joiners=LateJoiners.APPEND)
    fleet = make_fleet(ids, clock, release=Release("new", TARGET))
    joiners = {device: Joiner(PlannedDevice(Address("127.0.0.1"))) for device in ids[-late:]}
    return World(plan, SimulatedTransport(fleet), clock=clock), joiners


def test_devices_that_join_under_way_are_updated():
    async def work():
        world, joiners = growing_world()
        task = asyncio.ensure_future(world.run())
        await world.clock.sleep(30.0)
        world.store.ask(ROLLOUT_ID, OperatorAsked(0.0, Ask.JOIN, "ann", joiners=joiners))
        return world, await task

    world, ended = run_virtual(work())

    assert ended.exit_code is ExitCode.DONE
    assert all(device.active == TARGET for device in world.devices.values())


def test_engine_that_takes_over_knows_who_joined():
    async def work():
        world, joiners = growing_world()
        task = asyncio.ensure_future(world.run())
        await world.clock.sleep(30.0)
        world.store.ask(ROLLOUT_ID, OperatorAsked(0.0, Ask.JOIN, "ann", joiners=joiners))
        await world.clock.sleep(5.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await world.clock.sleep(60.0)
        return world, await world.run()

    world, ended = run_virtual(work())

    assert ended.exit_code is ExitCode.DONE
    assert all(device.activations == {TARGET: 1} for device in world.devices.values())


async def test_long_comparison_does_not_hold_up_the_loop():
    """The lease must be renewed and devices answered while 100 against 100 values are compared."""
    ids = device_ids(200)
    probe = Probe(ProbeKind.PROMETHEUS, url="http://x/", query="q", label="device")
    asked = Compare(
        CompareTo.CONTROL, CompareTest.MANN_WHITNEY, 0.05, Direction.INCREASE, 1.1, 5
    )  # fmt: skip
    gate = Gate("load", Stage.WAVE, probe, compare=asked, waves=("first",))
    first, rest = split(ids, 100)
    waves = [
        ResolvedWave("first", "100", first, slow_start=False, max_parallel=100),
        ResolvedWave("rest", "rest", rest),
    ]
    rollout = Hand(make_plan(waves, gates=(gate,), manifest="old"))
    rollout.succeed(*first)
    [action] = rollout.samples()
    series = {device: float(number % 90) for number, device in enumerate(ids)}
    event = GateSampled(0.0, action.gate, action.wave, action.round, series=series)
    threads = []

    class Watched(Rollout):
        def apply_all(self, events):
            threads.append(threading.current_thread())
            return super().apply_all(events)

    watched = Watched(rollout.rollout.ledger)

    await loop._applied(watched, [event])
    await loop._applied(watched, [Tick(0.0)])

    assert threads[0] is not threading.main_thread()
    assert threads[1] is threading.main_thread()
    assert rollout.state(rest[0]) is DeviceState.TRANSFERRING
