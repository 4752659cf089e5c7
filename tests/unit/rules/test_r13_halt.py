"""R13 as tables: what becomes of devices on their way when a rollout stops, and of a rollback."""

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import (
    Gate,
    OnFailure,
    Probe,
    ProbeKind,
    ResolvedWave,
    Stage,
    Timeouts,
)
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C, D = device_ids(4)
CHECK = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
)
MINUTE_S = 60.0


def hand(*devices, **choices):
    wave = ResolvedWave("all", "rest", devices, max_parallel=4, slow_start=False)
    return Hand(make_plan([wave], gates=(CHECK,), **choices))


def bring(rollout, device, stage):
    """Takes a device to where it shall be when the rollout stops."""
    steps = ["transferring", "staged", "activating", "verifying", "committing", "succeeded"]
    for step in steps[1 : steps.index(stage) + 1]:
        if step == "staged":  # ready, while a pause withholds the go
            rollout.ask(Ask.PAUSE)
            rollout.ready(device)
        elif step == "activating":
            rollout.ask(Ask.RESUME)
        elif step == "verifying":
            rollout.report(device, status=rollout.status(device, "probation"))
        elif step == "committing":
            rollout.prove(device)
        else:
            rollout.report(device)
    assert rollout.state(device).value == stage


STOPS = {
    "pause": lambda rollout: rollout.ask(Ask.PAUSE),
    "halt": lambda rollout: rollout.ask(Ask.HALT),
    "abort": lambda rollout: rollout.ask(Ask.ABORT),
    "trip": lambda rollout: rollout.report(B, Reason.INSTALL),
}


@pytest.mark.parametrize(
    ("stage", "stop", "state", "work"),
    [
        # before the point of no return: cancelled, but not by a pause
        ("transferring", "pause", "transferring", Work.DELIVER),
        ("transferring", "halt", "cancelled", None),
        ("transferring", "abort", "cancelled", None),
        ("transferring", "trip", "cancelled", None),
        ("staged", "pause", "staged", Work.DELIVER),
        ("staged", "halt", "cancelled", None),
        ("staged", "abort", "cancelled", None),
        ("staged", "trip", "cancelled", None),  # a trip while paused
        # from `activate` on it finishes its own way
        ("activating", "pause", "activating", Work.ACTIVATE),
        ("activating", "halt", "activating", Work.ACTIVATE),
        ("activating", "abort", "activating", Work.ACTIVATE),
        ("activating", "trip", "activating", Work.ACTIVATE),
        ("verifying", "pause", "verifying", Work.PROVE),
        ("verifying", "halt", "verifying", Work.PROVE),
        ("verifying", "abort", "verifying", Work.PROVE),
        ("verifying", "trip", "verifying", Work.PROVE),
        ("committing", "halt", "committing", Work.COMMIT),
        ("committing", "abort", "committing", Work.COMMIT),
        ("succeeded", "halt", "succeeded", None),
        ("succeeded", "abort", "succeeded", None),
    ],
)
def test_r13_device_on_its_way(stage, stop, state, work):
    rollout = hand(A, B)
    bring(rollout, A, stage)

    STOPS[stop](rollout)

    assert rollout.state(A).value == state
    assert rollout.wanted().get(A) is work


@pytest.mark.parametrize("stop", ["pause", "halt", "abort", "trip"])
@pytest.mark.parametrize("fleet", [2, 3, 100])
def test_r13_no_device_leaves_the_queue_after_a_stop(stop, fleet):
    devices = device_ids(fleet)
    rollout = Hand(make_plan([ResolvedWave("all", "rest", devices, max_parallel=50)]))
    begun = set(rollout.wanted())

    STOPS[stop](rollout)
    for device in list(rollout.wanted()):
        rollout.ready(device)
    rollout.tick(3600.0)

    assert set(rollout.wanted()) <= begun
    assert not {DeviceState.ACTIVATING, DeviceState.SUCCEEDED} & {
        rollout.state(device) for device in devices
    }


@pytest.mark.parametrize(
    ("drain_s", "answers_at", "back_at", "silent"),
    [
        # drained before its time: the rollback starts at once
        (15 * MINUTE_S, 0.0, 0.0, "rolled_back"),
        (15 * MINUTE_S, 60.0, 60.0, "rolled_back"),
        (15 * MINUTE_S, 899.0, 899.0, "rolled_back"),
        # at the latest after `timeouts.drain`; who is silent then is left to its dead-man
        (15 * MINUTE_S, None, 900.0, "activating"),
        (15 * MINUTE_S, 900.0, 900.0, "rolled_back"),
        (15 * MINUTE_S, 901.0, 900.0, "activating"),
        (60.0, None, 60.0, "activating"),
        (60.0, 59.0, 59.0, "rolled_back"),
        (60.0, 61.0, 60.0, "activating"),
        (1.0, None, 1.0, "activating"),
        (1.0, 0.5, 0.5, "rolled_back"),
    ],
)
def test_r13_rollback_starts_when_drained(drain_s, answers_at, back_at, silent):
    rollout = hand(
        A, B, C, on_failure=OnFailure.ROLLBACK, timeouts=Timeouts(drain_s=drain_s),
    )  # fmt: skip
    bring(rollout, A, "succeeded")
    rollout.ready(C)
    rollout.report(B, Reason.INSTALL)  # the trip, with C past its point of no return
    assert rollout.rollout.state is RolloutState.ROLLING_BACK

    while True:
        if answers_at is not None and rollout.now == answers_at:
            rollout.fail(C)
        if rollout.state(A) is not DeviceState.SUCCEEDED:
            break
        times = (rollout.rollout.next_wakeup, answers_at)
        rollout.tick(min(at for at in times if at is not None and at > rollout.now))

    assert rollout.wanted()[A] is Work.ROLL_BACK
    assert rollout.now == back_at
    assert rollout.state(C).value == silent


@pytest.mark.parametrize("others", [(), (A,)])
def test_r13_device_that_succeeds_after_the_drain_goes_back_too(others):
    rollout = hand(*others, B, C, on_failure=OnFailure.ROLLBACK, timeouts=Timeouts(drain_s=60.0))
    for each in others:
        bring(rollout, each, "succeeded")
    rollout.ready(C)
    rollout.report(B, Reason.INSTALL)
    rollout.tick(60.0)
    for each in others:
        rollout.go_back(each)

    rollout.report(C, status=rollout.status(C, "probation"))
    rollout.prove(C)
    rollout.report(C)

    assert rollout.state(C) is DeviceState.ROLLING_BACK
    assert rollout.rollout.state is RolloutState.ROLLING_BACK
