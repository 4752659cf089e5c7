"""Ends of deliveries and activations that the other tests do not reach."""

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import ResolvedWave, Retries
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan
from tests.cost import spending

A, B, C = device_ids(3)


def hand(*devices, retries=None, **choices):
    waves = [ResolvedWave("all", "all", devices or (A,), **choices)]
    return Hand(make_plan(waves, retries=retries or Retries(count=1, delay_s=10.0)))


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (Reason.CONNECTION_LOST, DeviceState.FAILED),
        (Reason.IO, DeviceState.FAILED),
        (Reason.BUSY, DeviceState.FAILED),
        (Reason.INHIBITED, DeviceState.DEFERRED),
        (Reason.WRONG_STATE, DeviceState.DEFERRED),
    ],
)
def test_transfer_is_tried_again_and_then_given_up(reason, state):
    rollout = hand()
    txn = rollout.action(A).txn

    rollout.report(A, reason)
    waiting = rollout.state(A)
    rollout.tick(10.0)
    again = rollout.action(A)
    rollout.report(A, reason)

    assert waiting is DeviceState.RETRY_WAIT
    assert again.txn == txn  # so that the device resumes what it holds
    assert rollout.state(A) is state


@pytest.mark.parametrize("reason", [Reason.INSTALL, Reason.LOW_SPACE, Reason.PROTOCOL])
def test_failure_of_the_device_itself_is_not_tried_again(reason):
    rollout = hand()

    rollout.report(A, reason)

    assert rollout.state(A) is DeviceState.FAILED
    assert not rollout.rollout.ledger.devices[A].moved


def test_device_that_does_not_know_the_request_is_left_out():
    rollout = hand(A, B)

    rollout.report(A, Reason.USAGE)

    assert rollout.state(A) is DeviceState.SKIPPED
    assert rollout.rollout.state is RolloutState.RUNNING


def test_wrong_credentials_are_not_tried_again():
    rollout = hand()

    rollout.report(A, Reason.AUTHENTICATION, reached=False)

    assert rollout.state(A) is DeviceState.DEFERRED


def test_retries_only_of_the_classes_named():
    rollout = hand(retries=Retries(count=5, classes=("connect",)))

    rollout.report(A, Reason.CONNECTION_LOST)

    assert rollout.state(A) is DeviceState.FAILED


def test_delivery_finds_what_an_earlier_try_had_activated():
    rollout = hand()

    rollout.report(A, Reason.WRONG_STATE, status=rollout.status(A, "probation"))

    assert rollout.state(A) is DeviceState.VERIFYING


def test_cancelled_delivery_starts_over_with_another_transaction():
    rollout = hand()
    txn = rollout.action(A).txn

    rollout.report(A, Reason.CANCELLED)

    assert rollout.action(A).work is Work.DELIVER
    assert rollout.action(A).txn != txn


def test_device_that_always_cancels_fails_in_the_end():
    rollout = hand()

    for _ in range(11):
        rollout.report(A, Reason.CANCELLED)

    assert rollout.state(A) is DeviceState.FAILED


def test_cancelled_go_starts_over():
    rollout = hand()
    rollout.ready(A)

    rollout.report(A, Reason.CANCELLED)

    assert rollout.state(A) is DeviceState.TRANSFERRING
    assert not rollout.rollout.ledger.devices[A].moved


def test_cancelled_go_after_an_abort_is_cancelled():
    rollout = hand(A, B)
    rollout.ready(A)
    rollout.ask(Ask.ABORT)

    rollout.report(A, Reason.CANCELLED)

    assert rollout.states() == ["cancelled", "cancelled"]
    assert rollout.rollout.state is RolloutState.ABORTED


def test_refused_activation_goes_back():
    rollout = hand()
    rollout.ready(A)

    rollout.report(A, Reason.ACTIVATE)

    assert rollout.wanted() == {A: Work.ROLL_BACK}


def test_activation_in_another_state_follows_what_the_device_says():
    rollout = hand()
    rollout.ready(A)

    rollout.report(A, Reason.WRONG_STATE, status=rollout.status(A, "aborted"))

    assert rollout.action(A).work is Work.DELIVER


def test_trust_failure_past_the_point_of_no_return_leaves_the_state_unknown():
    rollout = hand(A, B)
    rollout.ready(A)

    rollout.report(A, Reason.HOST_KEY)

    assert rollout.state(A) is DeviceState.LOST
    assert rollout.rollout.ledger.devices[A].shunned


def test_events_cost_constant_time():
    """16 000 events of 4 000 devices: far below a quarter of a millisecond each."""
    ids = device_ids(4000)
    rollout = hand(*ids, max_parallel=200)

    with spending() as cost:
        while not rollout.rollout.is_terminal:
            for device in tuple(rollout.wanted()):
                if rollout.state(device) is DeviceState.TRANSFERRING:
                    rollout.ready(device)
                elif rollout.wanted()[device] in (Work.ACTIVATE, Work.PROVE):
                    rollout.report(device, status=rollout.status(device, "probation"))
                elif rollout.state(device) is DeviceState.COMMITTING:
                    rollout.report(device)

    assert rollout.rollout.state is RolloutState.SUCCEEDED
    assert cost.cpu_s < 8.0
