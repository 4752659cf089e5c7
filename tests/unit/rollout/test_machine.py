"""The main way of a rollout, and the rules R6, R7, R8, R13, R16 and R17, driven by hand."""

from dataclasses import replace
from fractions import Fraction

import pytest

from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import (
    Gate,
    OfflinePolicy,
    OnFailure,
    Probe,
    ProbeKind,
    ResolvedWave,
    Retries,
    Rollback,
    RollbackScope,
    Stage,
)
from orchestrator.rollout import held
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask, DeviceReported, EngineStopping, Outcome, Vouched
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState
from orchestrator.testing.hand import OLD, Hand
from orchestrator.testing.plans import device_ids, make_plan

CHECK = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
)


def wave(name, *devices, **choices):
    return ResolvedWave(name, str(len(devices)), tuple(devices), **choices)


def hand(*waves, **choices):
    return Hand(make_plan(waves, **({"gates": (CHECK,)} | choices)))


A, B, C, D, E, F = device_ids(6)


def test_good_release_goes_through_its_waves():
    rollout = hand(wave("canary", A), wave("rest", B, C))

    rollout.succeed(A)
    rollout.succeed(B, C)

    assert rollout.rollout.state is RolloutState.SUCCEEDED
    assert rollout.rollout.exit_code is ExitCode.DONE
    assert rollout.states() == ["succeeded"] * 3
    assert [entry.wave for entry in rollout.lines("wave_done")] == ["canary", "rest"]
    assert not rollout.rollout.in_flight


def test_second_wave_begins_only_when_the_first_has_passed():
    rollout = hand(wave("canary", A), wave("rest", B))

    rollout.activate(A)
    rollout.prove(A)

    assert rollout.state(B) is DeviceState.PENDING
    assert rollout.wanted() == {A: Work.COMMIT}


def test_bad_canary_halts_and_touches_nothing_else():
    rollout = hand(wave("canary", A), wave("rest", B, C))

    rollout.fail(A)

    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.rollout.is_resting
    assert rollout.rollout.exit_code is ExitCode.ROLLED_BACK
    assert rollout.states() == ["rolled_back", "pending", "pending"]
    assert rollout.rollout.ledger.causes == {"budget": "1 failure, 0 allowed"}


def test_journal_is_gapless_and_tells_the_way_of_a_device():
    rollout = hand(wave("canary", A))

    rollout.succeed(A)

    assert [entry.seq for entry in rollout.journal] == list(range(1, len(rollout.journal) + 1))
    states = [entry.data["to"] for entry in rollout.lines("device_state")]
    assert states == [
        "transferring", "staged", "activating", "verifying", "committing", "succeeded",
    ]  # fmt: skip


# --- R6 budgets ------------------------------------------------------------------------------


@pytest.mark.parametrize(("allowed", "failures"), [(0, 1), (1, 2), (2, 3)])
def test_wave_trips_when_failures_exceed_its_budget(allowed, failures):
    rollout = hand(wave("all", *device_ids(6), max_failures=allowed))

    for device in device_ids(failures - 1):
        rollout.fail(device)
    before = rollout.rollout.state
    rollout.fail(device_ids(failures)[-1])

    assert before is RolloutState.RUNNING
    assert rollout.rollout.state is RolloutState.HALTED


def test_share_is_of_the_wave_without_unchanged_devices():
    rollout = hand(wave("all", A, B, C, max_fail_share=Fraction(1, 3)))
    target = rollout.plan.artifact.manifest_sha256

    unchanged = rollout.status(A, "none", manifest=target)
    rollout.report(A, Reason.UNCHANGED, status=unchanged)

    assert rollout.state(A) is DeviceState.UNCHANGED
    assert rollout.rollout.ledger.waves[0].allowed == 0  # a third of two is none


def test_unchanged_claim_without_the_target_in_place_is_a_failure():
    rollout = hand(wave("all", A))

    rollout.report(A, Reason.UNCHANGED, status=rollout.status(A, "none", active="no"))

    assert rollout.state(A) is DeviceState.FAILED


def test_accepted_failures_become_the_baseline():
    rollout = hand(wave("all", A, B, C))
    rollout.fail(A)

    rollout.ask(Ask.RESUME, accept_failures=True)
    rollout.succeed(B, C)

    assert rollout.rollout.ledger.waves[0].allowed == 1
    assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS
    assert rollout.rollout.exit_code is ExitCode.PARTIAL


@pytest.mark.parametrize("restart", [False, True])
def test_accepted_failures_are_no_success(restart):
    """R8: one success is wanted in spite of them; without it a person says why it may pass."""
    rollout = hand(wave("canary", A), wave("rest", B))
    rollout.fail(A)

    rollout.ask(Ask.RESUME, accept_failures=True)
    if restart:
        rollout.restart()

    assert rollout.rollout.ledger.causes == {"insufficient_evidence": "0 succeeded, 1 required"}
    assert rollout.rollout.ledger.waves[0].state is WaveState.INCONCLUSIVE
    assert rollout.state(B) is DeviceState.PENDING
    rollout.ask(Ask.RESUME, accept_failures=True)
    assert rollout.state(B) is DeviceState.PENDING
    rollout.ask(Ask.PROMOTE, why="its modem is broken")
    assert rollout.state(B) is DeviceState.TRANSFERRING
    assert rollout.lines("wave_done")[0].data["why"] == "its modem is broken"


def test_halted_rollout_does_not_resume_without_accepting():
    rollout = hand(wave("all", A, B))
    rollout.fail(A)

    rollout.ask(Ask.RESUME)

    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.lines("operator")[0].data["done"] is False


def test_continue_records_the_trip_and_goes_on():
    rollout = hand(wave("one", A, B), wave("two", C), on_failure=OnFailure.CONTINUE)

    rollout.fail(A)
    rollout.succeed(B)
    rollout.succeed(C)

    assert rollout.rollout.ledger.waves[0].state is WaveState.TRIPPED
    assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS


# --- R7 unreachable --------------------------------------------------------------------------

NO_RETRY = Retries(count=0)


def test_device_that_never_answered_is_deferred_and_replaced():
    rollout = hand(
        wave("canary", A, backfill_limit=1), wave("rest", B, C, backfill_limit=1), retries=NO_RETRY
    )

    rollout.report(A, Reason.UNREACHABLE, reached=False)

    assert rollout.state(A) is DeviceState.DEFERRED
    assert rollout.rollout.ledger.devices[B].wave == 0
    assert rollout.wanted() == {B: Work.DELIVER}


def test_unreachable_devices_beyond_the_limit_pause_and_never_trip():
    rollout = hand(wave("canary", A), wave("rest", B), retries=NO_RETRY)

    rollout.report(A, Reason.UNREACHABLE, reached=False)

    assert rollout.rollout.state is RolloutState.PAUSED
    assert list(rollout.rollout.ledger.causes) == ["unreachable"]
    assert rollout.rollout.exit_code is ExitCode.WAITING


def test_deferred_devices_within_the_limit_are_given_up_after_their_time():
    rollout = hand(wave("all", A, B, max_unreachable_share=Fraction(1, 2)), retries=NO_RETRY)

    rollout.report(A, Reason.UNREACHABLE, reached=False)
    rollout.succeed(B)
    waiting = rollout.rollout.exit_code
    rollout.tick(14 * 86400.0)

    assert waiting is ExitCode.WAITING
    assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS
    assert rollout.rollout.exit_code is ExitCode.PARTIAL


def test_connecting_is_tried_again_with_growing_distance():
    rollout = hand(wave("all", A), retries=Retries(count=2, delay_s=10.0, backoff=2.0))

    rollout.report(A, Reason.UNREACHABLE, reached=False)
    first = rollout.rollout.next_wakeup
    rollout.tick(10.0)
    rollout.report(A, Reason.UNREACHABLE, reached=False)

    assert first == 10.0
    assert rollout.rollout.next_wakeup == 30.0


def test_offline_policy_fail_counts_the_device():
    rollout = hand(wave("all", A), retries=NO_RETRY, offline=OfflinePolicy.FAIL)

    rollout.report(A, Reason.UNREACHABLE, reached=False)

    assert rollout.state(A) is DeviceState.FAILED
    assert rollout.rollout.state is RolloutState.HALTED


def test_backfill_leaves_waves_of_their_own_alone():
    rollout = hand(
        wave("canary", A, backfill_limit=1), wave("lab", B, hosts="lab"), retries=NO_RETRY
    )

    rollout.report(A, Reason.UNREACHABLE, reached=False)

    assert rollout.rollout.ledger.devices[B].wave == 1


# --- R8 evidence -----------------------------------------------------------------------------


def test_wave_without_any_evidence_is_inconclusive():
    rollout = hand(wave("canary", A), wave("rest", B))

    rollout.report(A, Reason.INCOMPATIBLE)

    assert rollout.state(A) is DeviceState.SKIPPED
    assert rollout.rollout.state is RolloutState.PAUSED
    assert rollout.rollout.ledger.waves[0].state is WaveState.INCONCLUSIVE


def test_rollout_of_unchanged_devices_only_is_done():
    rollout = hand(wave("all", A, B))
    target = rollout.plan.artifact.manifest_sha256

    for device in (A, B):
        status = rollout.status(device, "none", manifest=target)
        rollout.report(device, Reason.UNCHANGED, status=status)

    assert rollout.rollout.exit_code is ExitCode.DONE


def test_unchanged_canary_alone_proves_nothing():
    rollout = hand(wave("canary", A), wave("rest", B))
    status = rollout.status(A, "none", manifest=rollout.plan.artifact.manifest_sha256)

    rollout.report(A, Reason.UNCHANGED, status=status)

    detail = "nothing was tried: the one device runs it already"
    assert rollout.rollout.ledger.causes == {"insufficient_evidence": detail}
    assert rollout.rollout.exit_code is ExitCode.WAITING


def test_later_wave_that_is_at_the_target_already_is_passed():
    rollout = hand(wave("canary", A), wave("early", B, C, soak_s=60.0), wave("rest", D))
    rollout.succeed(A)

    unchanged(rollout, B, C)

    assert rollout.wanted() == {D: Work.DELIVER}
    done = [entry.data for entry in rollout.lines("wave_done")]
    assert done[1]["note"] == "nothing to update"
    rollout.succeed(D)
    assert rollout.rollout.exit_code is ExitCode.DONE


def test_unchanged_wave_after_an_unchanged_one_is_no_evidence_either():
    """What an operator lets pass of one wave says nothing of the next."""
    rollout = hand(wave("canary", A), wave("early", B, C), wave("rest", D))
    unchanged(rollout, A)
    rollout.ask(Ask.PROMOTE, why="it is the canary of another plan")

    unchanged(rollout, B, C)

    detail = "nothing was tried: all 2 devices run it already"
    assert rollout.rollout.ledger.causes == {"insufficient_evidence": detail}
    assert rollout.state(D) is DeviceState.PENDING


def test_wave_of_unchanged_and_skipped_devices_is_no_evidence():
    rollout = hand(wave("canary", A), wave("early", B, C), wave("rest", D))
    rollout.succeed(A)

    unchanged(rollout, B)
    rollout.report(C, Reason.INCOMPATIBLE)

    assert list(rollout.rollout.ledger.causes) == ["insufficient_evidence"]


def test_gates_of_a_wave_speak_also_when_there_is_nothing_to_update():
    probe = Probe(ProbeKind.HTTP, url="http://test/")
    gate = Gate("load", Stage.WAVE, probe, success_when="result.value > 0", waves=("early",))
    rollout = hand(wave("canary", A), wave("early", B), wave("rest", C), gates=(CHECK, gate))
    rollout.succeed(A)
    unchanged(rollout, B)

    before = rollout.state(C)
    rollout.sample(1)

    assert before is DeviceState.PENDING
    assert rollout.state(C) is DeviceState.TRANSFERRING


def unchanged(rollout, *devices):
    """These run the target already, read back."""
    target = rollout.plan.artifact.manifest_sha256
    for device in devices:
        status = rollout.status(device, "none", manifest=target)
        rollout.report(device, Reason.UNCHANGED, status=status)


# --- R13 halt and what is in flight ----------------------------------------------------------


def test_halt_cancels_devices_before_the_point_of_no_return():
    rollout = hand(wave("all", A, B, C, D))

    rollout.fail(A)

    assert rollout.states() == ["rolled_back", "cancelled", "cancelled", "pending"]
    assert rollout.wanted() == {}


def test_pause_cancels_nothing_and_starts_nothing():
    rollout = hand(wave("all", A, B, C))
    rollout.ask(Ask.PAUSE)

    rollout.ready(A)

    assert rollout.state(A) is DeviceState.STAGED
    assert rollout.state(B) is DeviceState.TRANSFERRING
    assert rollout.state(C) is DeviceState.PENDING


def test_resume_gives_the_go_that_the_pause_held_back():
    rollout = hand(wave("all", A, B))
    rollout.ask(Ask.PAUSE)
    rollout.ready(A)

    rollout.ask(Ask.RESUME)

    assert rollout.state(A) is DeviceState.ACTIVATING


def test_pause_by_rule_lets_no_device_stand_ready_and_rests():
    rollout = paused_by_rule()
    staged = rollout.rollout.ledger.devices[B].txn

    rollout.report(D, Reason.UNREACHABLE, reached=False)

    assert rollout.rollout.state is RolloutState.PAUSED
    assert rollout.states() == ["deferred", "queued", "queued", "deferred"]
    assert rollout.rollout.is_resting
    assert not rollout.rollout.in_flight  # the devices are told no, and drop what was staged
    assert rollout.rollout.ledger.devices[B].txn != staged


def test_devices_stand_ready_as_long_as_others_are_on_their_way():
    rollout = paused_by_rule()

    assert rollout.rollout.state is RolloutState.PAUSED
    assert rollout.states() == ["deferred", "staged", "staged", "transferring"]
    assert not rollout.rollout.is_resting


def test_resume_after_a_rest_delivers_anew_in_the_same_order():
    rollout = paused_by_rule()
    rollout.report(D, Reason.UNREACHABLE, reached=False)

    rollout.restart()
    rollout.ask(Ask.RESUME)

    works = {device: rollout.wanted()[device] for device in (B, C)}
    assert works == {B: Work.DELIVER, C: Work.DELIVER}
    assert list(rollout.wanted()).index(B) < list(rollout.wanted()).index(C)


def test_devices_stand_ready_through_the_pause_of_a_person():
    rollout = hand(wave("all", A, B))
    rollout.ask(Ask.PAUSE)
    rollout.ready(A)
    rollout.ready(B)

    assert rollout.states() == ["staged", "staged"]
    assert not rollout.rollout.is_resting


def paused_by_rule():
    """Two devices stand ready, one was not reached, one is still being reached."""
    rollout = hand(wave("all", A, B, C, D, slow_start=False, max_parallel=4), retries=NO_RETRY)
    rollout.report(A, Reason.UNREACHABLE, reached=False)
    rollout.ready(B)
    rollout.ready(C)
    return rollout


def test_abort_lets_devices_in_flight_finish():
    rollout = hand(wave("all", A, B))
    rollout.activate(A)

    rollout.ask(Ask.ABORT)
    before = rollout.rollout.state
    rollout.prove(A)
    rollout.report(A)

    assert before is RolloutState.ABORTING
    assert rollout.states() == ["succeeded", "cancelled"]
    assert rollout.rollout.state is RolloutState.ABORTED
    assert rollout.rollout.exit_code is ExitCode.HALTED


def test_automatic_rollback_takes_the_wave_back_in_reverse_order():
    rollout = hand(
        wave("all", A, B, C, D, max_failures=0),
        on_failure=OnFailure.ROLLBACK,
        rollback=Rollback(RollbackScope.WAVE, max_parallel=1),
    )
    rollout.succeed(A)
    rollout.succeed(B)
    rollout.fail(C)

    first = rollout.wanted()
    rollout.go_back(B)
    second = rollout.wanted()
    rollout.go_back(A)

    assert first == {B: Work.ROLL_BACK}
    assert second == {A: Work.ROLL_BACK}
    assert rollout.rollout.state is RolloutState.ROLLED_BACK
    assert rollout.rollout.exit_code is ExitCode.ROLLED_BACK


def test_rollback_waits_for_devices_in_flight():
    rollout = hand(wave("all", A, B, max_failures=1), on_failure=OnFailure.HALT)
    rollout.succeed(A)
    rollout.activate(B)

    rollout.ask(Ask.ROLLBACK)
    waiting = rollout.wanted()
    rollout.prove(B)
    rollout.report(B)

    assert waiting == {B: Work.PROVE}
    assert rollout.wanted() == {A: Work.ROLL_BACK, B: Work.ROLL_BACK}


def test_rollback_of_one_wave_leaves_earlier_waves_and_says_so():
    rollout = hand(wave("one", A), wave("two", B))
    rollout.succeed(A)
    rollout.activate(B)
    rollout.prove(B)

    rollout.ask(Ask.ROLLBACK, wave="two")
    rollout.report(B)
    rollout.go_back(B)

    assert rollout.states() == ["succeeded", "rolled_back"]
    assert rollout.rollout.exit_code is ExitCode.HALTED


def test_healthy_devices_that_a_person_takes_back_are_not_told_as_bad():
    rollout = hand(wave("all", A, B, C, D, max_failures=1))
    rollout.succeed(A)
    rollout.fail(B)
    rollout.ask(Ask.PAUSE)

    rollout.ask(Ask.ROLLBACK)
    rollout.go_back(A)

    led = rollout.rollout.ledger
    assert {name: (rec.reason, held.holds(rollout.rows[name])) for name, rec in led.devices.items()} == {
        A: (Reason.TAKEN_BACK, False),
        B: (Reason.CHECK, True),
        C: (Reason.CANCELLED, False),
        D: (Reason.CANCELLED, False),
    }  # fmt: skip
    assert led.waves[0].counted == 1


def test_a_way_back_whose_answer_was_lost_is_still_by_that_person():
    rollout = hand(wave("all", A, B))
    rollout.succeed(A)
    rollout.ask(Ask.ROLLBACK)
    rollout.report(A, Reason.CONNECTION_LOST)
    rollout.report(A, status=rollout.status(A, "committed"))

    rollout.go_back(A)

    assert rollout.rollout.ledger.devices[A].reason is Reason.TAKEN_BACK
    assert not held.holds(rollout.rows[A])


def test_devices_that_an_abort_takes_back_uncommitted_are_not_held():
    rollout = hand(wave("all", A, B), late=True)
    rollout.activate(A)
    rollout.prove(A)
    rollout.report(A)

    rollout.ask(Ask.ABORT)
    rollout.go_back(A)

    assert rollout.state(A) is DeviceState.ROLLED_BACK
    assert not held.holds(rollout.rows[A])


def test_healthy_devices_that_the_plan_takes_back_say_that_the_rollout_halted():
    rollout = hand(wave("all", A, B), on_failure=OnFailure.ROLLBACK)
    rollout.succeed(A)
    rollout.fail(B)

    rollout.go_back(A)

    assert rollout.rollout.ledger.devices[A].reason is Reason.ROLLOUT_HALTED


def test_device_that_cannot_go_back_needs_a_human():
    rollout = hand(wave("all", A))
    rollout.activate(A)
    rollout.prove(A, 1)

    stuck = rollout.status(
        A, "rollback-failed", manifest=rollout.plan.artifact.manifest_sha256, active="unknown"
    )
    rollout.report(A, Reason.ROLLBACK, status=stuck)

    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED
    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.rollout.exit_code is ExitCode.NEEDS_HUMAN


@pytest.mark.parametrize(
    ("active", "in_place"),
    [
        ("no", "read back: the new version is not in place"),
        ("yes", "read back: the new version is in place"),
        ("unknown", "nothing tells what is in place now"),
    ],
)
def test_device_that_cannot_go_back_tells_why_and_what_is_in_place(active, in_place):
    rollout = hand(wave("all", A))
    rollout.ready(A)
    rollout.report(A, Reason.ROLLBACK, detail="install ended with 7; script does not go back")

    target = rollout.plan.artifact.manifest_sha256
    stuck = rollout.status(A, "rollback-failed", manifest=target, active=active)
    rollout.report(A, Reason.ROLLBACK, status=stuck, detail="script does not go back")

    detail = rollout.rollout.ledger.devices[A].detail
    assert detail == f"install ended with 7; script does not go back; {in_place}"


def test_way_back_counts_only_when_read_back():
    rollout = hand(wave("all", A))
    rollout.activate(A)
    rollout.prove(A, 1)

    rollout.report(A, status=rollout.status(A, "rolled-back", manifest="f" * 64))

    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED


@pytest.mark.parametrize("reason", [Reason.DENIED, Reason.HOST_KEY, Reason.REPORT])
def test_trust_failure_halts_whatever_the_plan_says(reason):
    rollout = hand(wave("all", A, B, max_failures=2), on_failure=OnFailure.CONTINUE)

    rollout.report(A, reason)

    assert rollout.state(A) is DeviceState.FAILED
    assert list(rollout.rollout.ledger.causes) == ["trust"]


def test_device_with_another_host_key_is_never_contacted_again():
    rollout = hand(wave("all", A, B, max_failures=1))
    rollout.activate(A)
    rollout.report(A, Reason.HOST_KEY)

    rollout.ask(Ask.RETRY)
    rollout.ask(Ask.ROLLBACK)

    assert A not in rollout.wanted()
    assert rollout.state(A) is DeviceState.LOST


@pytest.mark.parametrize(
    ("vouched", "told", "warned"),
    [
        (Vouched("SHA256:abc"), {"signed": True, "key": "SHA256:abc"}, []),
        (Vouched(why="no_host_key"), {"signed": False}, ["no_host_key"]),
        (None, {}, []),
    ],
    ids=["signed", "no longer signed", "never signed"],
)
def test_journal_tells_who_signed_what_a_device_was_committed_by(vouched, told, warned):
    rollout = hand(wave("all", A), gates=())
    rollout.activate(A)

    rollout.report(A, status=rollout.status(A, "probation"), vouched=vouched)
    rollout.report(A)

    moves = [entry.data for entry in rollout.lines("device_state")]
    proven = [data for data in moves if data["to"] in ("committing", "succeeded")]
    assert [{key: data[key] for key in ("signed", "key") if key in data} for data in proven] == [
        told, told,
    ]  # fmt: skip
    warnings = [entry.data for entry in rollout.lines("warning")]
    assert [data["detail"] for data in warnings if data["what"] == "unsigned_report"] == warned


def test_journal_tells_who_signed_a_device_at_the_end_of_its_soak():
    rollout = hand(wave("all", A, soak_s=60.0), gates=())
    rollout.activate(A)
    rollout.report(A, status=rollout.status(A, "probation"), vouched=Vouched("SHA256:one"))
    rollout.report(A)
    rollout.tick(rollout.now + 60)

    rollout.report(A, status=rollout.status(A, "committed"), vouched=Vouched(why="no_host_key"))

    (read,) = rollout.lines("device_read_back")
    assert (read.device, read.data) == (A, {"boot": "boot-1", "signed": False})
    warnings = [entry.data["what"] for entry in rollout.lines("warning")]
    assert warnings == ["unsigned_report"]
    assert rollout.rollout.exit_code is ExitCode.DONE


def test_read_back_of_a_device_that_never_signed_is_no_line_of_its_own():
    rollout = hand(wave("all", A, soak_s=60.0), gates=())
    rollout.succeed(A)
    rollout.tick(rollout.now + 60)

    rollout.report(A, status=rollout.status(A, "committed"))

    assert (rollout.lines("device_read_back"), rollout.rollout.exit_code) == ([], ExitCode.DONE)


def test_bad_signature_of_a_proof_is_final():
    rollout = hand(wave("all", A, B, max_failures=1))
    rollout.activate(A)

    rollout.report(A, Reason.REPORT, detail="nobody signed the report")

    assert rollout.state(A) is DeviceState.LOST
    assert rollout.rollout.ledger.causes == {"trust": f"device `{A}`: report_signature"}


# --- rollback of a rollout that is over -------------------------------------------------------


def finished(**choices):
    rollout = hand(wave("one", A), wave("two", B, C), **choices)
    rollout.succeed(A)
    rollout.succeed(B, C)
    return rollout


def test_finished_rollout_is_rolled_back_on_request():
    rollout = finished()

    rollout.ask(Ask.ROLLBACK, why="the screens stay dark")
    wanted = rollout.wanted()
    for device in (A, B, C):
        rollout.go_back(device)

    assert wanted == dict.fromkeys((A, B, C), Work.ROLL_BACK)
    assert rollout.states() == ["rolled_back"] * 3
    assert rollout.rollout.state is RolloutState.ROLLED_BACK
    asked = rollout.lines("operator")[-1].data
    assert (asked["who"], asked["why"], asked["done"]) == ("ann", "the screens stay dark", True)
    assert [entry.data["state"] for entry in rollout.lines("rollout_done")] == [
        "succeeded", "rolled_back",
    ]  # fmt: skip


def test_rollback_of_a_finished_wave_leaves_the_others():
    rollout = finished()

    rollout.ask(Ask.ROLLBACK, wave="two")
    rollout.go_back(B)
    rollout.go_back(C)

    assert rollout.states() == ["succeeded", "rolled_back", "rolled_back"]
    assert [each.state for each in rollout.rollout.ledger.waves] == [
        WaveState.PASSED, WaveState.ROLLED_BACK,
    ]  # fmt: skip
    assert rollout.rollout.exit_code is ExitCode.HALTED  # one device runs the new version on
    assert rollout.rollout.exit_code_of(Ask.ROLLBACK) is ExitCode.DONE


def test_rollback_of_one_device_leaves_its_wave_as_it_was():
    rollout = finished()

    rollout.ask(Ask.ROLLBACK, devices=(B,))
    rollout.go_back(B)

    assert rollout.states() == ["succeeded", "rolled_back", "succeeded"]
    assert rollout.rollout.ledger.waves[1].state is WaveState.PASSED
    assert rollout.rollout.exit_code_of(Ask.ROLLBACK) is ExitCode.DONE


def test_what_was_left_can_be_rolled_back_later():
    rollout = finished()
    rollout.ask(Ask.ROLLBACK, devices=(B,))
    rollout.go_back(B)

    rollout.ask(Ask.ROLLBACK)
    wanted = set(rollout.wanted())
    rollout.go_back(A)
    rollout.go_back(C)

    assert wanted == {A, C}
    assert rollout.rollout.exit_code is ExitCode.ROLLED_BACK


@pytest.mark.parametrize(
    ("ask", "choices"),
    [
        (Ask.RESUME, {"accept_failures": True}),
        (Ask.PAUSE, {}),
        (Ask.ABORT, {}),
        (Ask.RETRY, {}),
        (Ask.ROLLBACK, {"wave": "three"}),
        (Ask.ROLLBACK, {"devices": ("dev-9999",)}),
    ],
)
def test_finished_rollout_refuses_everything_else(ask, choices):
    rollout = finished()

    rollout.ask(ask, request=7, **choices)
    rollout.ask(Ask.ROLLBACK, request=7)  # the same request once more

    assert rollout.rollout.state is RolloutState.SUCCEEDED
    assert [entry.data["done"] for entry in rollout.lines("operator")] == [False]
    assert not rollout.rollout.in_flight


def test_engine_takes_a_finished_rollout_up_for_its_rollback():
    rollout = finished()

    rollout.restart(epoch=5)
    rollout.ask(Ask.ROLLBACK)
    rollout.report(A, Reason.CONNECTION_LOST)
    rollout.restart(epoch=6)

    assert rollout.rollout.state is RolloutState.ROLLING_BACK
    assert rollout.wanted() == dict.fromkeys((A, B, C), Work.INQUIRE)


def test_device_that_had_a_later_transaction_is_told_apart():
    rollout = finished()
    rollout.ask(Ask.ROLLBACK, wave="two")
    rollout.go_back(B)

    other = replace(rollout.status(C, "none", manifest="f" * 64), txn="t-other", artifact="v3")
    rollout.report(C, Reason.NOTHING_TO_ROLL_BACK, status=other)

    rec = rollout.rollout.ledger.devices[C]
    assert rollout.state(C) is DeviceState.ROLLBACK_FAILED
    assert (rec.reason, rec.detail) == (Reason.NOTHING_TO_ROLL_BACK, "it runs `v3`")
    assert not rec.moved
    assert rollout.rollout.state is RolloutState.FAILED
    assert rollout.rollout.exit_code_of(Ask.ROLLBACK) is ExitCode.NEEDS_HUMAN


def test_aborted_rollout_is_rolled_back_as_far_as_it_came():
    rollout = hand(wave("one", A), wave("two", B))
    rollout.succeed(A)
    rollout.ask(Ask.ABORT)

    rollout.ask(Ask.ROLLBACK)
    rollout.go_back(A)

    assert rollout.rollout.state is RolloutState.ROLLED_BACK
    assert [each.state for each in rollout.rollout.ledger.waves] == [
        WaveState.ROLLED_BACK, WaveState.CANCELLED,
    ]  # fmt: skip


def test_rollback_by_the_plan_is_no_success_of_anybody():
    rollout = hand(wave("all", A), on_failure=OnFailure.ROLLBACK)
    rollout.fail(A)

    assert rollout.rollout.state is RolloutState.ROLLED_BACK
    assert rollout.rollout.exit_code is ExitCode.ROLLED_BACK
    assert rollout.rollout.exit_code_of(Ask.ROLLBACK) is ExitCode.ROLLED_BACK


def test_rollback_that_an_operator_asked_for_is_done_for_who_asked_and_not_for_apply():
    rollout = hand(wave("all", A))
    rollout.activate(A)
    rollout.ask(Ask.ROLLBACK)
    rollout.prove(A)
    rollout.report(A)
    rollout.go_back(A)

    assert rollout.rollout.exit_code is ExitCode.ROLLED_BACK
    assert rollout.rollout.exit_code_of(Ask.ROLLBACK) is ExitCode.DONE


# --- R16 slow start --------------------------------------------------------------------------


def test_wave_opens_with_allowed_plus_one_and_grows_with_proof():
    rollout = hand(wave("all", *device_ids(6), max_failures=1))
    for device in (A, B, C, D):
        rollout.ready(device)
    opened = [rollout.state(device) for device in (A, B, C, D)]

    rollout.report(A, status=rollout.status(A, "probation"))
    rollout.prove(A)

    assert opened.count(DeviceState.ACTIVATING) == 2
    in_flight = [rollout.state(device) for device in (B, C, D)]
    assert in_flight.count(DeviceState.ACTIVATING) == 3


def test_deliveries_ahead_are_twice_the_bound():
    rollout = hand(wave("all", *device_ids(6)))

    assert list(rollout.wanted().values()) == [Work.DELIVER] * 2


def test_slow_start_off_opens_with_max_parallel():
    rollout = hand(wave("all", *device_ids(6), slow_start=False, max_parallel=4))

    for device in device_ids(4):
        rollout.ready(device)

    assert rollout.states()[:4] == ["activating"] * 4


def test_devices_at_work_never_exceed_max_parallel():
    rollout = hand(wave("all", *device_ids(6), max_failures=5, max_parallel=2))

    assert len(rollout.wanted()) == 2


# --- R17 confirm and commit ------------------------------------------------------------------


def late(*waves, **choices):
    return hand(*waves, late=True, **choices)


def test_module_that_cannot_go_back_confirms_and_commits_with_its_wave():
    rollout = late(wave("all", A, B, max_failures=1))

    for device in (A, B):
        rollout.activate(device)
        rollout.prove(device)
    confirming = rollout.wanted()
    rollout.report(A)
    first = rollout.states()
    rollout.report(B)

    assert confirming == {A: Work.CONFIRM, B: Work.CONFIRM}
    assert first == ["confirmed", "verifying"]
    assert rollout.wanted() == {A: Work.COMMIT, B: Work.COMMIT}


def test_abort_takes_confirmed_devices_back():
    rollout = late(wave("all", A, B))
    rollout.activate(A)
    rollout.prove(A)
    rollout.report(A)

    rollout.ask(Ask.ABORT)

    assert rollout.wanted() == {A: Work.ROLL_BACK}


def test_commit_carries_the_nonce_of_the_proof():
    rollout = hand(wave("all", A))
    rollout.activate(A)

    rollout.prove(A)

    assert rollout.action(A).nonce == "c0ffee"


def test_stale_nonce_means_proving_again():
    rollout = hand(wave("all", A))
    rollout.activate(A)
    rollout.prove(A)

    rollout.report(A, Reason.NONCE)

    assert rollout.wanted() == {A: Work.PROVE}


def test_proof_with_other_content_in_place_goes_back():
    rollout = hand(wave("all", A))
    rollout.activate(A)

    rollout.report(A, status=rollout.status(A, "probation", active="no"))

    assert rollout.wanted() == {A: Work.ROLL_BACK}


def test_probation_without_a_nonce_is_no_proof():
    rollout = hand(wave("all", A), gates=())
    rollout.activate(A)
    status = rollout.status(A, "probation")

    rollout.report(A, status=type(status)(**{
        name: getattr(status, name) for name in type(status).__slots__ if name != "commit_nonce"
    }))  # fmt: skip

    assert rollout.wanted() == {A: Work.INQUIRE}


# --- events that are not waited for ----------------------------------------------------------


def test_duplicate_and_late_reports_change_nothing():
    rollout = hand(wave("all", A))
    action = rollout.action(A)
    rollout.ready(A)
    lines = len(rollout.journal)

    for number in (action.round, action.round - 1):
        rollout.apply(
            DeviceReported(0.0, A, action.txn, Work.DELIVER, Outcome(Reason.DENIED), number)
        )

    assert len(rollout.journal) == lines
    assert rollout.state(A) is DeviceState.ACTIVATING


def test_report_of_an_unknown_device_changes_nothing():
    rollout = hand(wave("all", A))
    lines = len(rollout.journal)

    rollout.apply(DeviceReported(0.0, B, "x", Work.DELIVER, Outcome(Reason.OK)))

    assert len(rollout.journal) == lines


def test_stopping_engine_puts_devices_before_the_go_back_into_the_queue():
    rollout = hand(wave("all", *device_ids(4)))
    rollout.activate(A)
    rollout.ready(B)

    rollout.apply(EngineStopping(0.0))

    assert rollout.wanted() == {A: Work.PROVE}
    assert rollout.states()[:2] == ["verifying", "queued"]


def test_attempts_have_transactions_of_their_own():
    rollout = hand(wave("all", A))
    first = rollout.action(A).txn
    rollout.fail(A)

    rollout.ask(Ask.RETRY)
    rollout.ask(Ask.RESUME, accept_failures=True)

    assert rollout.action(A).txn != first
    assert len(first) == 26


def test_previous_artifact_is_what_ran_before():
    rollout = hand(wave("all", A))

    rollout.ready(A)

    assert rollout.rollout.ledger.devices[A].previous == OLD
