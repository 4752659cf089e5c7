"""The local executor: starting, dropping, handing the go over."""

import asyncio
import dataclasses

import pytest

from orchestrator.device.reason import Reason
from orchestrator.engine.local import LocalExecutor
from orchestrator.engine.loop import devices_of
from orchestrator.engine.orders import Orders
from orchestrator.engine.ports import History
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.actions import DeviceAction, GateAction, Stretch, Work
from orchestrator.testing.clock import VirtualClock, run_virtual
from orchestrator.testing.plans import SimulatedArtifact, device_ids, make_plan
from orchestrator.testing.transport import Faults, SimulatedTransport
from orchestrator.testing.world import SimulatedProber, make_fleet

[A] = device_ids(1)
TXN = "A" * 26
DELIVER = DeviceAction(Work.DELIVER, A, TXN, round=1)
ACTIVATE = DeviceAction(Work.ACTIVATE, A, TXN, round=2)
PROVE = DeviceAction(Work.PROVE, A, TXN, round=3)
GATE = Gate("g", Stage.WAVE, Probe(ProbeKind.HTTP, url="u"), success_when="value > 0")


def bench(faults=None, prober=None):
    clock = VirtualClock()
    plan = make_plan([ResolvedWave("all", "1", (A,))], gates=(GATE,))
    fleet = make_fleet((A,), clock)
    transport = SimulatedTransport(fleet, faults=faults)
    orders = Orders(plan, "ctl", 1, SimulatedArtifact.of("new").frames, lambda: "n", clock)
    executor = LocalExecutor(
        orders,
        transport=transport,
        prober=prober or SimulatedProber({"u": {"value": 1}}),
        devices=devices_of(plan),
    )
    return executor, fleet[A], transport


async def following(executor, timeout_s=1000.0):
    [event] = await executor.next_events(timeout_s=timeout_s, limit=1)
    return event


def test_same_actions_are_started_once():
    async def work():
        executor, _, transport = bench()
        async with executor:
            executor.ensure([DELIVER])
            executor.ensure([DELIVER])
            await following(executor)
            executor.ensure([DELIVER])
            return transport.opened

    assert run_virtual(work()) == 1


def test_go_is_handed_to_the_waiting_delivery():
    async def work():
        executor, device, transport = bench()
        async with executor:
            executor.ensure([DELIVER])
            ready = await following(executor)
            executor.ensure([ACTIVATE])
            activated = await following(executor)
            return ready, activated, transport.opened, device

    ready, activated, connections, device = run_virtual(work())

    assert (ready.work, ready.outcome.ok, ready.round) == (Work.DELIVER, True, 1)
    assert (activated.work, activated.outcome.ok, activated.round) == (Work.ACTIVATE, True, 2)
    assert connections == 1
    assert device.txn.state == "probation"


def test_dropped_delivery_is_told_no():
    async def work():
        executor, device, _ = bench()
        async with executor:
            executor.ensure([DELIVER])
            await following(executor)
            executor.ensure([])
            events = await executor.next_events(timeout_s=60.0, limit=9)
            return device, events

    device, events = run_virtual(work())

    assert device.txn.state == "aborted"
    assert events == ()


def test_dropped_transfer_is_cut():
    async def work():
        executor, device, _ = bench(Faults(latency_s=5.0))
        async with executor:
            executor.ensure([DELIVER])
            await asyncio.sleep(1.0)
            executor.ensure([])
            await asyncio.sleep(100.0)
            return device

    assert run_virtual(work()).activations == {}


def test_activation_without_a_waiting_delivery_asks_the_device():
    async def work():
        executor, device, _ = bench()
        async with executor:
            executor.ensure([ACTIVATE])
            event = await following(executor)
            return event, device

    event, device = run_virtual(work())

    assert event.outcome.reason is Reason.WRONG_STATE
    assert device.activations == {}


def test_finished_action_is_not_started_again_while_it_is_wanted():
    async def work():
        executor, _, transport = bench()
        inquiry = DeviceAction(Work.INQUIRE, A, TXN, round=1)
        async with executor:
            executor.ensure([inquiry])
            await asyncio.sleep(10.0)  # reported, but not yet looked at
            executor.ensure([inquiry])
            await asyncio.sleep(10.0)
            return transport.opened

    assert run_virtual(work()) == 1


def test_proof_keeps_its_connection_for_the_commit():
    async def work():
        executor, _, transport = bench()
        async with executor:
            executor.ensure([DELIVER])
            await following(executor)
            executor.ensure([ACTIVATE])
            await following(executor)
            executor.ensure([PROVE])
            proof = await following(executor)
            commit = DeviceAction(Work.COMMIT, A, TXN, round=4, nonce=proof.status.commit_nonce)
            executor.ensure([commit])
            done = await following(executor)
            return done, transport.opened

    done, connections = run_virtual(work())

    assert done.outcome.ok
    assert connections == 2


def test_action_past_its_deadline_is_reported():
    async def work():
        executor, _, _ = bench(Faults(latency_s=500.0))
        async with executor:
            executor.ensure([DeviceAction(Work.INQUIRE, A, TXN, round=1, timeout_s=20.0)])
            return await following(executor)

    event = run_virtual(work())

    assert event.outcome.reason is Reason.TIMEOUT


def test_gate_samples_come_as_events():
    async def work():
        executor, _, _ = bench()
        async with executor:
            executor.ensure([GateAction(0, 0, 1)])
            return await following(executor)

    event = run_virtual(work())

    assert (event.gate, event.round, dict(event.fields)) == (0, 1, {"value": 1})


def test_slow_probe_is_an_error_of_the_sample():
    class Slow(SimulatedProber):
        async def sample(self, probe, *, deadline_s):
            await asyncio.sleep(1000.0)

    async def work():
        executor, _, _ = bench(prober=Slow())
        async with executor:
            executor.ensure([GateAction(0, 0, 1, timeout_s=3.0)])
            return await following(executor)

    assert run_virtual(work()).error == "no sample within 3 s"


def test_missed_samples_come_with_the_one_of_now():
    async def work():
        prober = SimulatedProber({"u": {"value": 1}})
        prober.remembered = lambda at: {"value": at} if at < 30 else {}
        executor, _, _ = bench(prober=prober)
        async with executor:
            executor.ensure([GateAction(0, 0, 1, missed=Stretch(10.0, 10.0, 3))])
            return await following(executor)

    event = run_virtual(work())

    assert dict(event.fields) == {"value": 1}
    assert [(each.at, dict(each.fields)) for each in event.past] == [
        (10.0, {"value": 10.0}),
        (20.0, {"value": 20.0}),
        (30.0, {}),
    ]


@pytest.mark.parametrize("trouble", ["slow", "error"])
def test_past_that_cannot_be_had_stays_missing_and_holds_up_no_sample(trouble):
    class Forgetful(SimulatedProber):
        async def history(self, probe, **choices):
            if trouble == "slow":
                await asyncio.sleep(1000.0)
            return History(error="refused")

    async def work():
        executor, _, _ = bench(prober=Forgetful({"u": {"value": 1}}))
        async with executor:
            executor.ensure([GateAction(0, 0, 1, timeout_s=3.0, missed=Stretch(10.0, 10.0, 3))])
            return await following(executor)

    event = run_virtual(work())

    assert (event.error, dict(event.fields), event.past) == ("", {"value": 1}, ())


def test_nothing_happens_within_a_timeout():
    async def work():
        executor, _, _ = bench()
        async with executor:
            return await executor.next_events(timeout_s=1.0, limit=1)

    assert run_virtual(work()) == ()


def test_close_drops_everything():
    async def work():
        executor, _, _ = bench(Faults(latency_s=50.0))
        async with executor:
            executor.ensure([DELIVER, GateAction(0, 0, 1)])
            await asyncio.sleep(0)
            await executor.close()
            return len(executor._tasks)

    assert run_virtual(work()) == 0


async def activated(executor):
    executor.ensure([DELIVER])
    await following(executor)
    executor.ensure([ACTIVATE])
    await following(executor)


def test_another_round_of_a_proof_uses_its_connection():
    async def work():
        executor, device, transport = bench()
        async with executor:
            await activated(executor)
            executor.ensure([PROVE])
            first = await following(executor)
            await asyncio.sleep(5.0)
            executor.ensure([dataclasses.replace(PROVE, round=4)])
            second = await following(executor)
            return first, second, transport.opened, device.txn.state

    first, second, connections, state = run_virtual(work())

    assert (first.outcome.ok, first.round) == (True, 3)
    assert (second.outcome.ok, second.round) == (True, 4)
    assert connections == 2
    assert state == "probation"


def test_commit_long_after_its_proof_takes_a_connection_of_its_own():
    async def work():
        executor, device, transport = bench()
        async with executor:
            await activated(executor)
            executor.ensure([PROVE])
            proof = await following(executor)
            executor.ensure([])
            await asyncio.sleep(60.0)
            nonce = proof.status.commit_nonce
            executor.ensure([DeviceAction(Work.COMMIT, A, TXN, round=4, nonce=nonce)])
            return await following(executor), transport.opened, device.txn.state

    done, connections, state = run_virtual(work())

    assert done.outcome.ok
    assert connections == 3
    assert state == "committed"


def test_way_back_after_a_proof_commits_nothing():
    async def work():
        executor, device, _ = bench()
        async with executor:
            await activated(executor)
            executor.ensure([PROVE])
            await following(executor)
            executor.ensure([DeviceAction(Work.ROLL_BACK, A, TXN, round=4)])
            return await following(executor), device

    done, device = run_virtual(work())

    assert (done.work, done.outcome.ok) == (Work.ROLL_BACK, True)
    assert device.commits == []
    assert device.txn.state == "rolled-back"
