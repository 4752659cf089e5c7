"""Devices that went back: read-back and their checks, each report given by hand."""

import pytest

from orchestrator.device.protocol import CheckResult
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage, Timeouts
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask, Vouched
from orchestrator.rollout.moves import ROLLBACKS_MAX
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.testing.hand import OLD, Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B = device_ids(2)
TIMES = Timeouts(connect_s=5.0, install_s=50.0, reboot_s=50.0, lost_after_s=500.0, confirm_s=300.0)


def check(name, **choices):
    fields = {"success_when": "result.exit == 0"} | choices
    return Gate(name, Stage.DEVICE, Probe(ProbeKind.CHECK, check=name), **fields)


def hand(*gates, devices=(A,), **choices):
    waves = [ResolvedWave("all", "all", tuple(devices))]
    return Hand(make_plan(waves, gates=gates, timeouts=TIMES, **choices))


def going_back(rollout, device=A, *, previous=OLD):
    """Until the device says that it went back; its checks have not been asked yet."""
    ready = rollout.status(device, "none", manifest=previous)
    rollout.report(device, status=ready)
    rollout.activate(device)
    rollout.prove(device, *(1 for _ in rollout.action(device).checks))
    rollout.report(device, status=rollout.status(device, "rolled-back", manifest=previous))


def test_device_is_rolled_back_when_its_checks_passed_on_what_ran_before():
    rollout = hand(check("service"))
    going_back(rollout)

    asked = rollout.action(A)
    before = rollout.state(A)
    rollout.prove(A)

    assert (asked.work, asked.checks) == (Work.READ_BACK, ("service",))
    assert before is DeviceState.ROLLING_BACK
    assert rollout.state(A) is DeviceState.ROLLED_BACK
    assert rollout.rollout.ledger.devices[A].reason is Reason.CHECK
    assert rollout.rollout.exit_code is ExitCode.ROLLED_BACK


@pytest.mark.parametrize(
    ("vouched", "told"),
    [
        (Vouched("SHA256:back"), {"signed": True, "key": "SHA256:back"}),
        (Vouched(why="no_host_key"), {"signed": False}),
        (None, {}),
    ],
    ids=["signed", "unsigned", "nobody asked"],
)
@pytest.mark.parametrize("checks", [(), ("service",)], ids=["no checks", "checks"])
def test_journal_tells_who_signed_that_a_device_went_back(checks, vouched, told):
    """By the last read-back: what it signed of the version that went says nothing."""
    rollout = hand(*map(check, checks))
    rollout.activate(A)
    exits = tuple(CheckResult(name, 1) for name in checks)
    on_target = rollout.status(A, "probation")
    rollout.report(A, status=on_target, checks=exits, vouched=Vouched("SHA256:forth"))
    if not checks:
        rollout.report(A, Reason.COMMIT)

    back = rollout.status(A, "rolled-back")
    rollout.report(A, status=back, vouched=Vouched("SHA256:first") if checks else vouched)
    if checks:
        rollout.report(A, status=back, checks=(CheckResult("service", 0),), vouched=vouched)

    last = rollout.lines("device_state")[-1].data
    assert last["to"] == "rolled_back"
    assert {key: last[key] for key in ("signed", "key") if key in last} == told


def test_failing_checks_on_what_ran_before_need_a_human():
    rollout = hand(check("service"), devices=(A, B))
    going_back(rollout)

    rollout.prove(A, 1)

    rec = rollout.rollout.ledger.devices[A]
    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED
    assert (rec.reason, rec.detail) == (
        Reason.UNPROVEN,
        "gate `service` failed on what ran before",
    )
    assert not rec.moved  # it was read back: it does not run the new version
    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.rollout.ledger.causes["rollback_failed"] == (
        f"device `{A}` is not proven well after it went back"
    )
    assert rollout.rollout.exit_code is ExitCode.NEEDS_HUMAN


def test_checks_without_evidence_are_no_proof_of_the_way_back():
    rollout = hand(check("service", consecutive_error_limit=0))
    going_back(rollout)

    rollout.prove(A, 124)

    rec = rollout.rollout.ledger.devices[A]
    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED
    assert rec.detail == "gate `service` was error on what ran before"


def test_check_that_went_with_the_release_says_nothing_of_what_ran_before():
    rollout = hand(check("service"), check("disk"))
    going_back(rollout)

    rollout.prove(A, 127, 0)

    left_out = [entry.data for entry in rollout.lines("warning")]
    assert rollout.state(A) is DeviceState.ROLLED_BACK
    assert left_out == [{"what": "check_left_out", "gate": "service"}]


def test_check_left_out_does_not_excuse_another_that_fails():
    rollout = hand(check("service"), check("disk"))
    going_back(rollout)

    rollout.prove(A, 127, 1)

    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED


def test_device_that_ran_nothing_of_ours_needs_no_checks():
    rollout = hand(check("service"))

    going_back(rollout, previous="none")

    assert rollout.state(A) is DeviceState.ROLLED_BACK


def test_gates_of_the_controller_and_dry_runs_do_not_speak_of_the_way_back():
    probe = Probe(ProbeKind.HTTP, url="http://test/")
    gates = (
        check("tried", dry_run=True, fail_when="result.exit > 9", success_when=None),
        Gate("api", Stage.DEVICE, probe, success_when="result.value > 0"),
    )
    rollout = hand(*gates)
    rollout.activate(A)
    rollout.prove(A)
    rollout.sample(0)

    rollout.report(A, status=rollout.status(A, "rolled-back"))

    assert rollout.state(A) is DeviceState.ROLLED_BACK


def test_gates_keep_their_own_limits_on_the_way_back():
    rollout = hand(check("service", count=2, interval_s=5.0))
    rollout.activate(A)
    rollout.prove(A, 1)
    rollout.report(A, status=rollout.status(A, "rolled-back"))

    rollout.prove(A)
    between = rollout.wanted()
    rollout.tick(5.0)
    rollout.prove(A)

    assert between == {}
    assert rollout.state(A) is DeviceState.ROLLED_BACK


def test_samples_of_another_boot_do_not_count():
    rollout = hand(check("service", count=2, interval_s=5.0))
    going_back(rollout)
    rollout.prove(A)
    rollout.tick(5.0)

    good = (CheckResult("service", 0),)
    rollout.report(A, status=rollout.status(A, "rolled-back", boot="boot-2"), checks=good)

    assert rollout.state(A) is DeviceState.ROLLING_BACK
    assert rollout.action(A).checks == ("service",)
    tally = rollout.rollout.ledger.devices[A].tallies[0]
    assert tally.successes == 0


def test_another_artifact_during_the_checks_is_no_way_back():
    rollout = hand(check("service"))
    going_back(rollout)

    rollout.report(A, status=rollout.status(A, "rolled-back", manifest="f" * 64))

    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED
    assert rollout.rollout.ledger.devices[A].reason is Reason.READ_BACK


def cause(rollout):
    record = rollout.rollout.ledger.devices[A]
    return record.state, record.reason, record.detail


@pytest.mark.parametrize("silence", [Reason.CONNECTION_LOST, Reason.UNREACHABLE, Reason.BUSY])
def test_device_that_reboots_on_its_way_back_ends_with_why_it_went(silence):
    rollout = hand(check("service"))
    rollout.activate(A)
    rollout.tick(5.0)
    rollout.prove(A, 1)
    _, reason, detail = cause(rollout)

    rollout.tick(10.0)
    rollout.report(A, silence, detail="not now")
    told = cause(rollout)
    rollout.report(A, Reason.UNREACHABLE)
    rollout.tick(20.0)
    rollout.report(A, status=rollout.status(A, "rolled-back"))
    rollout.prove(A)

    assert told == (DeviceState.UNCERTAIN, silence, "not now")
    assert cause(rollout) == (DeviceState.ROLLED_BACK, reason, detail)
    assert (reason, detail) == (Reason.CHECK, "gate `service` failed")
    assert rollout.rollout.ledger.devices[A].troubled_at == 5.0


def test_device_that_has_not_left_the_new_slot_is_asked_again_for_the_same_reason():
    rollout = hand(check("service"))
    rollout.activate(A)
    rollout.prove(A, 1)
    going = cause(rollout)
    rollout.report(A, Reason.TIMEOUT)

    rollout.report(A, status=rollout.status(A, "probation"))

    assert cause(rollout) == going


def test_why_a_device_goes_back_outlives_the_engine():
    rollout = hand(check("service"))
    rollout.activate(A)
    rollout.prove(A, 1)
    _, *why = cause(rollout)

    rollout.restart()
    rollout.report(A, status=rollout.status(A, "rolled-back"))
    rollout.prove(A)

    assert cause(rollout) == (DeviceState.ROLLED_BACK, *why)


def test_device_that_falls_silent_during_its_checks_is_asked_again():
    rollout = hand(check("service"))
    going_back(rollout)

    rollout.report(A, Reason.CONNECTION_LOST)
    silent = rollout.state(A), rollout.wanted()
    rollout.report(A, status=rollout.status(A, "rolled-back"))
    rollout.prove(A)

    assert silent == (DeviceState.UNCERTAIN, {A: Work.INQUIRE})
    assert rollout.state(A) is DeviceState.ROLLED_BACK


def test_device_that_only_answers_questions_is_given_up_in_the_end():
    rollout = hand(check("service"))
    going_back(rollout)

    for _ in range(ROLLBACKS_MAX):
        rollout.report(A, Reason.TIMEOUT)
        rollout.report(A, status=rollout.status(A, "rolled-back"))

    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED
    assert rollout.rollout.ledger.devices[A].reason is Reason.UNPROVEN


def test_checks_end_with_the_time_they_have():
    """A gate that wants successes in a row may be kept from them for ever by errors."""
    rollout = hand(check("service", consecutive_success_limit=2, interval_s=100.0))
    going_back(rollout)

    for at, code in ((100.0, 0), (200.0, 124), (300.0, 0)):
        rollout.prove(A, code)
        rollout.tick(at)

    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED
    assert rollout.rollout.ledger.devices[A].detail == "its checks came to no end in time"


@pytest.mark.parametrize(
    ("reason", "state"),
    [(Reason.HOST_KEY, DeviceState.LOST), (Reason.USAGE, DeviceState.ROLLBACK_FAILED)],
)
def test_refused_checks_are_no_proof(reason, state):
    rollout = hand(check("service"))
    going_back(rollout)

    rollout.report(A, reason, status=rollout.status(A, "rolled-back"))

    assert rollout.state(A) is state


def test_device_that_went_back_by_itself_is_checked_when_it_answers():
    rollout = hand(check("service"), devices=(A, B))
    rollout.activate(A)
    rollout.restart()

    rollout.report(A, status=rollout.status(A, "rolled-back", reverted=True))
    asked = rollout.action(A)
    rollout.prove(A)

    assert (asked.work, asked.checks) == (Work.READ_BACK, ("service",))
    assert rollout.state(A) is DeviceState.ROLLED_BACK
    assert rollout.rollout.ledger.devices[A].reason is Reason.REVERTED
    assert list(rollout.rollout.ledger.causes) == ["reverted_unconfirmed"]
    assert rollout.rollout.ledger.waves[0].counted == 0


def test_answer_of_an_uncertain_device_is_held_against_what_ran_before():
    rollout = hand(check("service"))
    rollout.activate(A)
    rollout.prove(A, 1)
    rollout.report(A, Reason.CONNECTION_LOST)

    rollout.report(A, status=rollout.status(A, "rolled-back", manifest="f" * 64))

    assert rollout.state(A) is DeviceState.ROLLBACK_FAILED
    assert rollout.rollout.ledger.devices[A].reason is Reason.READ_BACK


def test_checks_begin_anew_after_a_crash_of_the_engine():
    rollout = hand(check("service", count=2, interval_s=5.0))
    going_back(rollout)
    rollout.prove(A)

    rollout.restart()
    asked = rollout.wanted()
    rollout.report(A, status=rollout.status(A, "rolled-back"))
    rollout.prove(A)
    rollout.tick(5.0)
    rollout.prove(A)

    assert asked == {A: Work.INQUIRE}
    assert rollout.state(A) is DeviceState.ROLLED_BACK


def test_rollback_of_a_wave_waits_for_checks_under_way_and_ends_failed_without_them():
    rollout = hand(check("service"), devices=(A, B))
    rollout.succeed(A)
    rollout.activate(B)
    rollout.ask(Ask.ROLLBACK)
    rollout.prove(B, 1)
    rollout.report(B, status=rollout.status(B, "rolled-back"))

    waiting = rollout.wanted()
    rollout.prove(B)
    rollout.report(A, status=rollout.status(A, "rolled-back"))
    rollout.prove(A, 1)

    assert waiting == {B: Work.READ_BACK}
    assert rollout.states() == ["rollback_failed", "rolled_back"]
    assert rollout.rollout.state is RolloutState.FAILED
    assert rollout.rollout.exit_code is ExitCode.NEEDS_HUMAN


def test_device_whose_way_back_is_unproven_can_be_tried_again():
    rollout = hand(check("service"), devices=(A, B))
    going_back(rollout)
    rollout.prove(A, 1)

    rollout.ask(Ask.RETRY, devices=(A,))
    rollout.ask(Ask.RESUME, accept_failures=True)

    assert rollout.action(A).work is Work.DELIVER
