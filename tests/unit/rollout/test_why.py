"""Why one device is where it is, and what it waits for."""

import dataclasses

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import (
    Freeze,
    Gate,
    OnFailure,
    Probe,
    ProbeKind,
    Rate,
    ResolvedWave,
    Retries,
    Schedule,
    Skipped,
    Stage,
    Window,
)
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState
from orchestrator.rollout.why import Missed, why
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C, D = device_ids(4)
SERVICE = Probe(ProbeKind.CHECK, check="service")
CHECK = Gate("service", Stage.DEVICE, SERVICE, success_when="result.exit == 0", count=2)
WINDOW = Window(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "02:00", 3600.0, "UTC")


def hand(*, canary=(A,), **choices):
    limits = {"max_failures": 1, "max_parallel": 2}
    waves = [
        ResolvedWave("canary", "1", canary, **limits),
        ResolvedWave("rest", "rest", tuple(d for d in (A, B, C, D) if d not in canary), **limits),
    ]
    return Hand(make_plan(waves, **choices))


def waits(rollout, device):
    found = why(rollout.rollout, device, now=rollout.now)
    return [(wait.what, wait.until_at) for wait in found.waits]


def test_a_device_of_a_later_wave_waits_for_the_present_one():
    rollout = hand()

    found = why(rollout.rollout, B, now=0.0)

    assert (found.wave, found.state, found.may_run_new) == ("rest", DeviceState.PENDING, False)
    assert [(wait.what, wait.detail) for wait in found.waits] == [("wave", "`canary` is running")]


def test_a_device_at_work_waits_for_nothing():
    rollout = hand()

    assert waits(rollout, A) == []


def test_a_device_waits_for_the_start_time():
    assert waits(hand(schedule=Schedule(start_at=50.0)), A) == [("start", 50.0)]


def test_a_stopped_rollout_says_what_stopped_it():
    rollout = hand()
    rollout.ask(Ask.PAUSE, why="lunch")

    found = why(rollout.rollout, B, now=0.0)

    assert ("rollout_stopped", "operator: ann: lunch") in [
        (wait.what, wait.detail) for wait in found.waits
    ]


@pytest.mark.parametrize(
    ("ended_by", "state", "stops"),
    [
        (lambda rollout: rollout.fail(A), DeviceState.PENDING, ("budget: 1 failure, 0 allowed",)),
        (lambda rollout: rollout.ask(Ask.ABORT, why="enough"), DeviceState.CANCELLED, ()),
    ],
)
def test_a_device_of_a_rollout_that_ended_before_its_turn_says_how(ended_by, state, stops):
    waves = [ResolvedWave("one", "1", (A,)), ResolvedWave("rest", "rest", (B,))]
    gates = (dataclasses.replace(CHECK, count=1),)
    rollout = Hand(make_plan(waves, on_failure=OnFailure.ROLLBACK, gates=gates))
    ended_by(rollout)

    begun, never = (why(rollout.rollout, device, now=rollout.now) for device in (A, B))

    assert (never.state, never.waits) == (state, ())
    assert never.missed == Missed(rollout.rollout.state, stops)
    assert begun.missed is None


def test_a_freeze_is_named():
    rollout = hand(schedule=Schedule(freezes=(Freeze(10.0, 90.0, "year end"),)))
    rollout.tick(10.0)

    details = [wait.detail for wait in why(rollout.rollout, B, now=10.0).waits]

    assert "freeze: year end" in details


def test_a_device_waits_for_its_hours_also_when_no_engine_looks():
    waves = [ResolvedWave("one", "1", (A,)), ResolvedWave("rest", "rest", (B, C, D))]
    rollout = Hand(make_plan(waves, schedule=Schedule(windows=(WINDOW,))))
    rollout.tick(7200.0)
    rollout.tick(10_800.0)
    rollout.succeed(A)

    assert waits(rollout, B) == [("hours", 93_600.0)]


def test_a_device_waits_for_a_slot_of_its_label():
    rollout = hand(canary=(A, B, C), max_parallel_per={"site": 1})
    plan = rollout.plan
    labelled = {
        device: dataclasses.replace(planned, labels={"site": "a"})
        for device, planned in plan.devices.items()
    }
    rollout = Hand(dataclasses.replace(plan, devices=labelled))

    assert waits(rollout, B) == [("slots", None)]


def test_a_device_staged_ahead_waits_for_a_slot_once_its_hours_have_come():
    schedule = Schedule(windows=(WINDOW,), stage_outside_window=True)
    plan = hand(canary=(A, B), max_parallel_per={"site": 1}, schedule=schedule).plan
    labelled = {
        device: dataclasses.replace(planned, labels={"site": "a"})
        for device, planned in plan.devices.items()
    }
    rollout = Hand(dataclasses.replace(plan, devices=labelled))
    for device in (A, B):
        rollout.ready(device)
        rollout.report(device)
    ahead = waits(rollout, B)

    rollout.tick(7200.0)

    assert ahead == [("hours", 7200.0)]
    assert ("slots", None) in waits(rollout, B)


def test_a_device_waits_for_the_limit_of_its_wave():
    rollout = hand(canary=(A, B, C))

    assert waits(rollout, C) == [("parallel", None)]


def test_a_device_waits_for_the_rate():
    rollout = hand(canary=(A, B, C), rate=Rate(6))

    assert waits(rollout, B) == [("rate", 10.0)]


def test_a_device_that_stands_ready_waits_for_proof_of_others():
    limits = {"max_failures": 0, "max_parallel": 9}
    rollout = Hand(make_plan([ResolvedWave("all", "all", (A, B, C), **limits)]))
    for device in (A, B):
        rollout.ready(device)

    assert rollout.state(B) is DeviceState.STAGED
    assert waits(rollout, B) == [("bound", None)]


def test_a_failed_try_is_told_with_the_next_one():
    rollout = hand(retries=Retries(count=1, delay_s=10.0))
    rollout.report(A, Reason.UNREACHABLE, reached=False)

    found = why(rollout.rollout, A, now=0.0)

    assert (found.reason, found.state) == (Reason.UNREACHABLE, DeviceState.RETRY_WAIT)
    assert waits(rollout, A) == [("retry", 10.0)]


def test_a_silent_device_is_asked_until_its_deadline():
    rollout = hand()
    rollout.ready(A)
    rollout.report(A, Reason.CONNECTION_LOST)

    assert [what for what, _ in waits(rollout, A)] == ["answer"]
    assert why(rollout.rollout, A, now=0.0).may_run_new


def test_a_device_waits_for_the_next_sample_of_its_gate():
    rollout = hand(gates=(CHECK,))
    rollout.activate(A)
    rollout.prove(A)

    found = why(rollout.rollout, A, now=0.0)

    assert [(wait.what, wait.detail, wait.until_at) for wait in found.waits] == [
        ("gate", "`service`", 10.0)
    ]


def test_a_device_that_was_left_out_says_why():
    rollout = hand(skipped=(Skipped("x", Reason.NOT_ENROLLED, "no helper"),))

    found = why(rollout.rollout, "x", now=0.0)

    assert (found.wave, found.reason, found.detail) == ("", Reason.NOT_ENROLLED, "no helper")


@pytest.mark.parametrize("device", ["nobody", ""])
def test_a_device_that_no_plan_knows_has_no_story(device):
    assert why(hand().rollout, device, now=0.0) is None


def test_nothing_waits_when_the_rollout_is_over():
    rollout = hand()
    rollout.ask(Ask.ABORT)
    rollout.report(A) if A in rollout.wanted() else None

    assert waits(rollout, B) == []
