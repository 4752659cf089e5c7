"""Crash recovery and devices of unknown outcome: the table "States of a device"."""

import pytest

from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import ResolvedWave, Timeouts
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask, DeviceReported, Outcome
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C = device_ids(3)
TIMES = Timeouts(install_s=100.0, reboot_s=50.0, lost_after_s=500.0, drain_s=200.0)


def hand(*devices, **choices):
    waves = [ResolvedWave("all", "all", tuple(devices) or (A,), **choices)]
    return Hand(make_plan(waves, timeouts=TIMES))


def test_delivery_is_taken_up_again_after_a_crash():
    rollout = hand()
    before = rollout.action(A)

    rollout.restart()

    assert rollout.action(A).work is Work.DELIVER
    assert rollout.action(A).txn == before.txn
    assert rollout.action(A).round > before.round


def test_ready_device_is_delivered_to_again_after_a_crash():
    rollout = hand()
    rollout.ask(Ask.PAUSE)
    rollout.ready(A)

    rollout.restart()

    assert rollout.state(A) is DeviceState.TRANSFERRING


@pytest.mark.parametrize(("reason", "times"), [(Reason.PROTOCOL, 3), (Reason.CONNECTION_LOST, 10)])
def test_device_that_says_where_it_stands_and_never_how_it_is_is_taken_back(reason, times):
    """Without an end, such a device would be asked for ever, as fast as it answers."""
    rollout = hand()
    rollout.ready(A)
    rollout.activate(A)

    for _ in range(times):
        rollout.report(A, reason)
        assert rollout.state(A) is DeviceState.UNCERTAIN
        rollout.report(A, status=rollout.status(A, "probation"))
        assert rollout.state(A) is DeviceState.VERIFYING
    rollout.report(A, reason)

    assert rollout.state(A) is DeviceState.ROLLING_BACK


def test_device_that_never_takes_the_commit_is_taken_back():
    rollout = hand()
    rollout.activate(A)
    rollout.prove(A)

    for _ in range(10):
        assert rollout.state(A) is DeviceState.COMMITTING
        rollout.report(A, Reason.WRONG_STATE)
        rollout.report(A, status=rollout.status(A, "probation"))
    rollout.report(A, Reason.WRONG_STATE)

    assert rollout.state(A) is DeviceState.ROLLING_BACK


def test_device_that_stays_installed_whatever_it_is_told_is_taken_back():
    rollout = hand()
    rollout.ready(A)

    for _ in range(11):
        assert rollout.state(A) is DeviceState.ACTIVATING
        rollout.report(A, Reason.CONNECTION_LOST)
        rollout.report(A, status=rollout.status(A, "installed"))

    assert rollout.state(A) is DeviceState.ROLLING_BACK


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_device_past_the_point_of_no_return_is_asked_first(steps):
    rollout = hand()
    rollout.ready(A)
    if steps > 0:
        rollout.activate(A)
    if steps > 1:
        rollout.prove(A)

    rollout.restart()

    assert rollout.state(A) is DeviceState.UNCERTAIN
    assert rollout.wanted() == {A: Work.INQUIRE}


@pytest.mark.parametrize(
    ("said", "state", "work"),
    [
        ("probation", "verifying", Work.PROVE),
        ("confirmed", "verifying", Work.PROVE),
        ("committed", "verifying", Work.PROVE),
        ("installed", "activating", Work.ACTIVATE),
        ("aborted", "transferring", Work.DELIVER),
        ("none", "transferring", Work.DELIVER),
        ("rolled-back", "rolled_back", None),
        ("rollback-failed", "rollback_failed", None),
    ],
)
def test_inquiry_continues_where_the_device_stands(said, state, work):
    rollout = hand()
    rollout.ready(A)
    rollout.restart()

    rollout.report(A, status=rollout.status(A, said))

    assert rollout.state(A).value == state
    assert rollout.wanted().get(A) is work


def test_committed_device_with_an_old_proof_of_this_boot_has_succeeded():
    rollout = hand()
    rollout.activate(A)
    rollout.prove(A)
    rollout.report(A, Reason.CONNECTION_LOST)

    rollout.report(A, status=rollout.status(A, "committed"))

    assert rollout.state(A) is DeviceState.SUCCEEDED


def test_committed_device_that_booted_since_is_proven_again():
    rollout = hand()
    rollout.activate(A)
    rollout.prove(A)
    rollout.report(A, Reason.CONNECTION_LOST)

    rollout.report(A, status=rollout.status(A, "committed", boot="boot-2"))
    proving = rollout.wanted()
    rollout.report(A, status=rollout.status(A, "committed", boot="boot-2"))

    assert proving == {A: Work.PROVE}
    assert rollout.state(A) is DeviceState.SUCCEEDED


def test_lost_answer_of_a_commit_is_committed_again():
    rollout = hand()
    rollout.activate(A)
    rollout.prove(A)
    rollout.report(A, Reason.CONNECTION_LOST)

    rollout.report(A, status=rollout.status(A, "probation"))

    assert rollout.wanted() == {A: Work.COMMIT}


def test_new_content_under_an_old_name_goes_back():
    rollout = hand()
    rollout.ready(A)
    rollout.restart()

    rollout.report(A, status=rollout.status(A, "probation", manifest="f" * 64))

    assert rollout.wanted() == {A: Work.ROLL_BACK}


def test_installed_device_is_fenced_off_before_a_halted_rollout_leaves_it():
    rollout = hand(A, B, max_failures=0, slow_start=False)
    rollout.ready(A)
    rollout.ready(B)
    rollout.report(B, Reason.ACTIVATE)
    rollout.report(B, status=rollout.status(B, "rolled-back"))
    rollout.report(A, Reason.CONNECTION_LOST)

    rollout.report(A, status=rollout.status(A, "installed"))
    asked = rollout.wanted()
    rollout.report(A, status=rollout.status(A, "aborted"))

    assert asked == {A: Work.ROLL_BACK}
    assert rollout.state(A) is DeviceState.CANCELLED


def test_device_that_reverted_while_the_controller_was_away_is_no_failure():
    rollout = hand(A, B)
    rollout.activate(A)
    rollout.restart()

    rollout.report(A, status=rollout.status(A, "rolled-back", reverted=True))

    assert rollout.state(A) is DeviceState.ROLLED_BACK
    assert rollout.rollout.state is RolloutState.PAUSED
    assert list(rollout.rollout.ledger.causes) == ["reverted_unconfirmed"]
    assert rollout.rollout.ledger.waves[0].counted == 0


def test_resume_tries_the_unconfirmed_device_again():
    rollout = hand(A, B)
    rollout.activate(A)
    rollout.restart()
    rollout.report(A, status=rollout.status(A, "rolled-back", reverted=True))

    rollout.ask(Ask.RESUME)

    assert rollout.action(A).work is Work.DELIVER
    assert rollout.rollout.ledger.devices[A].attempt == 2


def test_device_that_reverted_with_the_controller_there_is_a_failure():
    rollout = hand(A, B)
    rollout.activate(A)

    rollout.report(A, status=rollout.status(A, "rolled-back", reverted=True))

    assert rollout.rollout.state is RolloutState.HALTED


def test_silent_device_turns_dark_and_counts_at_once():
    rollout = hand(A, B, C)
    rollout.activate(A)
    rollout.report(A, Reason.UNREACHABLE)
    rollout.report(A, Reason.UNREACHABLE)

    rollout.tick(50.0)

    assert rollout.rollout.ledger.devices[A].dark
    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.state(A) is DeviceState.UNCERTAIN


def test_dark_device_that_answers_is_corrected_but_the_trip_stays():
    rollout = hand(A, B, C)
    rollout.activate(A)
    rollout.report(A, Reason.UNREACHABLE)
    rollout.tick(50.0)

    rollout.report(A, status=rollout.status(A, "probation"))

    assert rollout.rollout.ledger.waves[0].counted == 0
    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.wanted() == {A: Work.PROVE}


def test_dark_device_is_lost_in_the_end():
    rollout = hand(A)
    rollout.activate(A)
    rollout.report(A, Reason.UNREACHABLE)
    rollout.tick(50.0)

    rollout.tick(500.0)

    assert rollout.state(A) is DeviceState.LOST
    assert rollout.rollout.exit_code is ExitCode.NEEDS_HUMAN
    assert rollout.rollout.is_resting


def test_device_whose_time_ran_out_while_no_engine_ran_is_asked_before_it_is_lost():
    rollout = hand(A)
    rollout.activate(A)
    rollout.report(A, Reason.UNREACHABLE)
    rollout.now = 5000.0  # nobody asked it for that long

    rollout.restart()
    rollout.tick(5001.0)
    asked = rollout.state(A), rollout.rollout.ledger.devices[A].dark, rollout.wanted()
    rollout.report(A, status=rollout.status(A, "probation"))

    assert asked == (DeviceState.UNCERTAIN, False, {A: Work.INQUIRE})
    assert rollout.wanted() == {A: Work.PROVE}


def test_device_that_stays_silent_after_the_engine_came_back_is_lost_with_that_question():
    rollout = hand(A)
    rollout.activate(A)
    rollout.report(A, Reason.UNREACHABLE)
    rollout.now = 5000.0
    rollout.restart()

    rollout.report(A, Reason.UNREACHABLE)
    rollout.tick(5040.0)
    rollout.tick(5040.0)

    assert rollout.state(A) is DeviceState.LOST


def test_questions_to_a_silent_device_grow_apart():
    rollout = hand(A)
    rollout.activate(A)
    rollout.report(A, Reason.UNREACHABLE)
    distances = []
    for _ in range(3):
        rollout.report(A, Reason.UNREACHABLE)
        wakeup = rollout.rollout.next_wakeup
        distances.append(wakeup - rollout.now)
        rollout.tick(wakeup)

    assert distances == [5.0, 10.0, 20.0]


def test_rollback_starts_without_devices_that_stay_dark():
    rollout = hand(A, B, max_failures=1)
    rollout.succeed(A)
    rollout.activate(B)
    rollout.report(B, Reason.UNREACHABLE)
    rollout.ask(Ask.ROLLBACK)
    before = rollout.wanted()

    rollout.tick(200.0)

    assert before == {B: Work.INQUIRE}
    assert rollout.wanted()[A] is Work.ROLL_BACK


def test_late_answer_during_a_rollback_goes_back_too():
    rollout = hand(A, B, max_failures=1)
    rollout.succeed(A)
    rollout.activate(B)
    rollout.report(B, Reason.UNREACHABLE)
    rollout.ask(Ask.ROLLBACK)
    rollout.tick(200.0)

    rollout.report(B, status=rollout.status(B, "probation"))

    assert rollout.wanted()[B] is Work.ROLL_BACK


def test_rollback_with_lost_answer_is_read_back():
    rollout = hand(A, B)
    rollout.succeed(A)
    rollout.ask(Ask.ROLLBACK)
    rollout.report(A, Reason.CONNECTION_LOST)

    rollout.report(A, status=rollout.status(A, "rolled-back"))

    assert rollout.state(A) is DeviceState.ROLLED_BACK
    assert rollout.rollout.state is RolloutState.ROLLED_BACK


def test_device_that_never_finishes_going_back_needs_a_human():
    rollout = hand(A, B)
    rollout.succeed(A)
    rollout.ask(Ask.ROLLBACK)

    for _ in range(11):
        rollout.report(A, Reason.CONNECTION_LOST)
        rollout.report(A, status=rollout.status(A, "committed"))

    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED


def test_rebooting_device_is_verified_after_its_boot():
    rollout = hand(A)
    rollout.ready(A)
    action = rollout.action(A)
    rollout.apply(
        DeviceReported(
            0.0, A, action.txn, Work.ACTIVATE, Outcome(Reason.OK), action.round, rebooting=True
        )
    )
    rollout.tick(5.0)
    rollout.report(A, status=rollout.status(A, "probation"))
    waiting = rollout.state(A)
    rollout.tick(10.0)
    rollout.report(A, status=rollout.status(A, "probation", boot="boot-2"))

    assert waiting is DeviceState.REBOOTING
    assert rollout.state(A) is DeviceState.VERIFYING


def test_device_that_never_reboots_goes_back():
    rollout = hand(A)
    rollout.ready(A)
    action = rollout.action(A)
    rollout.apply(
        DeviceReported(
            0.0, A, action.txn, Work.ACTIVATE, Outcome(Reason.OK), action.round, rebooting=True
        )
    )
    rollout.tick(50.0)
    rollout.report(A, status=rollout.status(A, "probation"))

    assert rollout.wanted() == {A: Work.ROLL_BACK}
    assert rollout.rollout.ledger.devices[A].reason is Reason.REBOOT
