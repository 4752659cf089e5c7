from dataclasses import replace

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.runs import Runs, runs
from orchestrator.rollout.states import DeviceState
from orchestrator.rollout.story import tell
from orchestrator.testing.hand import OLD, Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C = device_ids(3)
D = DeviceState


def hand(seen: str | None = OLD) -> Hand:
    """One canary, then two; all were seen with this when the plan was made."""
    plan = make_plan([ResolvedWave("canary", "1", (A,)), ResolvedWave("rest", "rest", (B, C))])
    devices = {
        device: replace(one, current="old", current_manifest=seen)
        for device, one in plan.devices.items()
    }
    return Hand(replace(plan, devices=devices))


def of(rollout: Hand, device: str = A) -> Runs:
    led = rollout.rollout.ledger
    return runs(led, led.devices[device])


def test_a_device_on_its_way_is_changing_from_the_go_to_its_proof():
    rollout = hand()
    seen = [of(rollout)]
    rollout.ready(A)
    seen.append(of(rollout))
    rollout.activate(A)
    seen.append(of(rollout))
    rollout.prove(A)
    seen.append(of(rollout))

    assert seen == [Runs.UNTOUCHED, Runs.CHANGING, Runs.CHANGING, Runs.NEW]


@pytest.mark.parametrize("state", [D.PENDING, D.QUEUED, D.CANCELLED, D.DEFERRED, D.UNCHANGED])
def test_what_ran_the_version_before_is_no_less_on_it_for_never_having_had_its_turn(state):
    rollout = hand(make_plan([]).artifact.manifest_sha256)
    rollout.rollout.ledger.move(rollout.rollout.ledger.devices[B], state)

    assert of(rollout, B) is Runs.ALREADY
    assert tell(rollout.rollout).untouched == 0


def test_nobody_knows_what_a_device_runs_that_was_never_asked():
    rollout = hand(None)

    assert of(rollout, B) is Runs.UNSEEN
    assert tell(rollout.rollout).untouched == 3


def test_a_device_that_failed_in_its_delivery_runs_what_it_ran():
    rollout = hand()
    rollout.report(A, Reason.INSTALL)

    assert of(rollout) is Runs.SPARED


def test_a_device_that_was_begun_and_left_is_not_among_those_that_nobody_touched():
    rollout = hand()
    rollout.report(A, Reason.UNREACHABLE)
    story = tell(rollout.rollout)

    assert (story.untouched, story.begun_on) == (3, 1)


def test_a_device_that_went_back_is_back_also_while_it_waits_for_another_try():
    rollout = hand()
    rollout.activate(A)
    rollout.report(A, Reason.READ_BACK, status=rollout.status(A, "probation", active="no"))
    rollout.go_back(A)
    after = of(rollout)
    rollout.rollout.ledger.move(rollout.rollout.ledger.devices[A], D.QUEUED)

    assert (after, of(rollout)) == (Runs.BACK, Runs.BACK)
    assert tell(rollout.rollout).back_on == {"old": 1}


def test_a_device_that_went_back_to_the_same_version_runs_it():
    target = make_plan([]).artifact.manifest_sha256
    rollout = hand(target)  # a script cannot tell that it ran already, and is run again
    rollout.report(A, status=rollout.status(A, "none", manifest=target, active="unknown"))
    rollout.activate(A)
    rollout.report(A, Reason.READ_BACK, status=rollout.status(A, "probation", active="no"))
    rollout.report(A, status=rollout.status(A, "rolled-back", manifest=target, active="unknown"))

    assert of(rollout) is Runs.ALREADY


@pytest.mark.parametrize(
    ("reason", "moved", "expected"),
    [
        (Reason.ROLLBACK, True, Runs.UNKNOWN),
        (Reason.READ_BACK, True, Runs.UNKNOWN),
        (Reason.UNPROVEN, False, Runs.UNPROVEN),
        (Reason.NOTHING_TO_ROLL_BACK, True, Runs.NEW),
        (Reason.NOTHING_TO_ROLL_BACK, False, Runs.OTHER),
    ],
)
def test_a_device_that_could_not_go_back_runs_what_was_read_back(reason, moved, expected):
    rollout = hand()
    rec = rollout.rollout.ledger.devices[A]
    rec.moved = moved
    rollout.rollout.ledger.move(rec, D.ROLLBACK_FAILED, reason)

    assert of(rollout) is expected


@pytest.mark.parametrize("state", [D.LOST, D.UNCERTAIN])
def test_nobody_knows_what_a_device_runs_that_does_not_answer(state):
    rollout = hand()
    rec = rollout.rollout.ledger.devices[A]
    rec.moved = True
    rollout.rollout.ledger.move(rec, state, Reason.LOST)

    assert of(rollout) is Runs.UNKNOWN


def test_every_device_counts_once():
    rollout = hand()
    rollout.succeed(A)
    rollout.report(B, Reason.INSTALL)

    story = tell(rollout.rollout)

    assert story.runs == {Runs.NEW: 1, Runs.SPARED: 1, Runs.UNTOUCHED: 1}
    assert (story.untouched, story.on_new) == (1, 1)
