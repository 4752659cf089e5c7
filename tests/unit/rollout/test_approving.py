"""Approvals of a rollout and of its waves: who counts, when, and what a denial does."""

import pytest

from orchestrator.errors import ExitCode
from orchestrator.plan.controls import Approval
from orchestrator.plan.joiners import target_set_digest
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Schedule, Stage
from orchestrator.rollout.events import Ask, Signed
from orchestrator.rollout.states import RolloutState, WaveState
from orchestrator.rollout.story import tell
from orchestrator.testing.hand import DIGEST, Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C = device_ids(3)
TWO = Approval(2, ("ops", "safety"), not_author=True, expires_s=3600.0)


def hand(approval=None, *, wave=None, **choices):
    waves = [ResolvedWave("canary", "1", (A,)), ResolvedWave("rest", "rest", (B, C), approval=wave)]
    return Hand(make_plan(waves, approval=approval, **choices))


def approve(rollout, who="ann@desk", *, roles=("ops",), **choices):
    rollout.ask(Ask.APPROVE, who=who, roles=roles, **({"digest": DIGEST} | choices))
    return rollout.lines("operator")[-1].data["answer"]


def deny(rollout, who="ann@desk", *, why="", roles=("ops",)):
    rollout.ask(Ask.DENY, who=who, roles=roles, digest=DIGEST, why=why)
    return rollout.lines("operator")[-1].data["answer"]


def test_nothing_starts_before_as_many_approved_as_must():
    rollout = hand(TWO)
    before = rollout.rollout.state, rollout.wanted(), rollout.rollout.is_waiting

    first = approve(rollout, "ann@desk")
    between = rollout.rollout.state
    second = approve(rollout, "bob@desk", roles=("safety", "night"))

    assert before == (RolloutState.AWAITING_APPROVAL, {}, True)
    assert (first, between, second) == ("done", RolloutState.AWAITING_APPROVAL, "done")
    assert rollout.rollout.state is RolloutState.RUNNING
    given = [line.data for line in rollout.lines("approval") if line.data["what"] == "given"]
    assert [(line["who"], line["digest"]) for line in given] == [
        ("ann@desk", DIGEST),
        ("bob@desk", DIGEST),
    ]


def test_waiting_for_an_approval_has_an_exit_code_and_a_next_command_of_its_own():
    rollout = hand(TWO)

    story = tell(rollout.rollout)

    assert (story.exit_code, story.waits_for) == (ExitCode.WAITING, ("approval",))
    assert "rollout approve r-hand" in story.next_commands


def test_approved_rollout_still_waits_for_its_time():
    rollout = hand(Approval(1), schedule=Schedule(start_at=100.0))

    approve(rollout, roles=())

    assert rollout.rollout.state is RolloutState.SCHEDULED


@pytest.mark.parametrize(
    ("who", "choices", "answer"),
    [
        ("ann@desk", {"roles": ()}, "refused"),
        ("ann@desk", {"roles": ("sales",)}, "refused"),
        ("ann@desk", {"roles": ("sales", "safety")}, "done"),
        ("zoe@desk", {}, "refused"),
        ("zoe@phone", {}, "refused"),
        ("ann@desk", {"digest": "e" * 64}, "refused"),
        ("ann@desk", {"wave": "rest"}, "refused"),
        ("ann@desk", {"wave": "nowhere"}, "refused"),
    ],
    ids=["no role", "another role", "one of the roles", "author", "author elsewhere",
         "another plan", "a wave without approval", "no such wave"],
)  # fmt: skip
def test_who_may_approve(who, choices, answer):
    rollout = hand(TWO)

    assert approve(rollout, who, **choices) == answer

    assert rollout.rollout.state is RolloutState.AWAITING_APPROVAL
    assert len(rollout.rollout.ledger.approvals) == (answer == "done")


def test_a_person_counts_once_wherever_it_sits():
    rollout = hand(TWO)

    answers = [approve(rollout, "ann@desk"), approve(rollout, "ann@phone")]

    assert answers == ["done", "already"]
    assert rollout.rollout.state is RolloutState.AWAITING_APPROVAL


def test_author_may_approve_where_the_plan_lets_it():
    rollout = hand(Approval(1))

    assert approve(rollout, "zoe@desk", roles=()) == "done"
    assert rollout.rollout.state is RolloutState.RUNNING


def test_unknown_author_is_nobody_else():
    rollout = hand(Approval(1, not_author=True))
    rollout.rollout.ledger.author = ""

    assert approve(rollout) == "refused"


def test_denial_before_the_start_rejects():
    rollout = hand(TWO)
    approve(rollout)

    assert deny(rollout, "bob@desk", why="not on a Friday") == "done"

    assert rollout.rollout.state is RolloutState.REJECTED
    assert rollout.rollout.exit_code is ExitCode.REFUSED
    assert rollout.lines("rollout_done")[-1].data == {"state": "rejected"}
    assert deny(rollout) == "already"
    assert approve(rollout) == "refused"


def test_denial_wants_the_role_too():
    rollout = hand(TWO)

    assert deny(rollout, roles=("sales",)) == "refused"
    assert rollout.rollout.state is RolloutState.AWAITING_APPROVAL


def test_approval_that_nobody_gives_expires():
    rollout = hand(TWO)
    approve(rollout)
    rollout.restart()
    assert rollout.rollout.next_wakeup == 3600.0

    rollout.tick(3599.0)
    before = rollout.rollout.state
    rollout.tick(3600.0)

    assert before is RolloutState.AWAITING_APPROVAL
    assert rollout.rollout.state is RolloutState.EXPIRED
    assert rollout.rollout.exit_code is ExitCode.REFUSED
    assert rollout.lines("rollout_done") != []


def test_rollout_without_engine_expires_when_somebody_looks():
    rollout = hand(TWO)
    rollout.rollout.attend()
    rollout.now = 3601.0

    approve(rollout)

    assert rollout.rollout.state is RolloutState.EXPIRED


@pytest.mark.parametrize("stop", [Ask.PAUSE, Ask.HALT])
def test_stopping_before_the_start_needs_no_approval_and_gives_none(stop):
    rollout = hand(TWO)
    rollout.ask(stop)
    stopped = rollout.rollout.state
    approve(rollout)

    rollout.ask(Ask.RESUME, accept_failures=True)

    assert stopped in (RolloutState.PAUSED, RolloutState.HALTED)
    assert rollout.rollout.state is RolloutState.AWAITING_APPROVAL
    approve(rollout, "bob@desk")
    assert rollout.rollout.state is RolloutState.RUNNING


def test_abort_before_the_start_needs_no_approval():
    rollout = hand(TWO)

    rollout.ask(Ask.ABORT)

    assert rollout.rollout.state is RolloutState.ABORTED


def test_wave_waits_for_its_approval_and_then_goes_on_by_itself():
    rollout = hand(wave=TWO)
    rollout.succeed(A)
    waiting = rollout.rollout
    before = (waiting.state, waiting.is_waiting, waiting.exit_code, rollout.wanted())
    rest = waiting.ledger.waves[1].state

    approve(rollout)
    approve(rollout, "bob@desk", wave="rest")

    assert before == (RolloutState.PAUSED, True, ExitCode.WAITING, {})
    assert rest is WaveState.AWAITING_APPROVAL
    assert set(rollout.wanted()) == {B, C}
    rollout.succeed(B, C)
    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_wave_cannot_be_approved_before_it_is_its_turn():
    rollout = hand(wave=TWO)

    assert approve(rollout, wave="rest") == "refused"


def test_how_many_approved_is_kept_over_a_restart():
    rollout = hand(wave=TWO)
    rollout.succeed(A)
    approve(rollout)

    rollout.restart()

    assert rollout.rollout.ledger.causes == {"approval": "wave `rest`: 1 of 2 approved"}
    assert approve(rollout) == "already"
    approve(rollout, "bob@desk")
    assert rollout.rollout.state is RolloutState.RUNNING


def test_resume_and_promote_are_no_approval():
    rollout = hand(wave=TWO)
    rollout.succeed(A)

    rollout.ask(Ask.RESUME, accept_failures=True)
    rollout.ask(Ask.PROMOTE, why="hurry", full=True)
    rollout.ask(Ask.HALT)
    rollout.ask(Ask.RESUME, accept_failures=True)

    assert rollout.rollout.ledger.waves[1].state is WaveState.AWAITING_APPROVAL
    assert rollout.rollout.state is RolloutState.PAUSED
    assert rollout.wanted() == {}


def test_denial_of_a_wave_pauses_until_a_person_resumes_and_asks_again():
    rollout = hand(wave=TWO)
    rollout.succeed(A)
    approve(rollout)

    deny(rollout, "ann@desk", why="wait for the vendor")

    assert set(rollout.rollout.ledger.causes) == {"approval", "operator"}
    assert not rollout.rollout.is_waiting
    approve(rollout, "bob@desk")
    rollout.ask(Ask.RESUME)
    assert rollout.rollout.ledger.causes == {"approval": "wave `rest`: 1 of 2 approved"}
    approve(rollout, "ann@desk")
    assert set(rollout.wanted()) == {B, C}


def test_wave_whose_approval_nobody_gives_is_paused_and_asked_anew_on_resume():
    rollout = hand(wave=TWO)
    rollout.succeed(A)
    approve(rollout)

    rollout.tick(3600.0)
    expired = dict(rollout.rollout.ledger.causes), list(rollout.rollout.ledger.approvals)
    rollout.ask(Ask.RESUME)
    approve(rollout)
    rollout.tick(7199.0)
    in_time = set(rollout.rollout.ledger.causes)
    rollout.tick(7200.0)

    assert set(expired[0]) == {"approval", "deadline"}
    assert expired[1] == []
    assert in_time == {"approval"}
    assert set(rollout.rollout.ledger.causes) == {"approval", "deadline"}


def test_an_approval_that_comes_too_late_counts_for_no_later_question():
    rollout = hand(wave=TWO)
    rollout.succeed(A)
    rollout.tick(3600.0)

    late = approve(rollout), deny(rollout, "bob@desk")
    rollout.ask(Ask.RESUME)
    in_time = approve(rollout, "bob@desk")

    assert late == ("refused", "refused")
    assert in_time == "done"
    assert rollout.rollout.ledger.causes == {"approval": "wave `rest`: 1 of 2 approved"}


def test_operators_pause_outlasts_an_approval():
    rollout = hand(wave=Approval(1))
    rollout.succeed(A)
    rollout.ask(Ask.PAUSE)

    approve(rollout)

    assert rollout.rollout.state is RolloutState.PAUSED
    rollout.ask(Ask.RESUME)
    assert set(rollout.wanted()) == {B, C}


def test_rollback_while_a_wave_waits_needs_no_approval():
    rollout = hand(wave=TWO)
    rollout.succeed(A)

    rollout.ask(Ask.ROLLBACK)
    rollout.go_back(A)

    assert rollout.rollout.state is RolloutState.ROLLED_BACK
    assert rollout.rollout.ledger.waves[1].state is WaveState.CANCELLED


def background(**limits):
    probe = Probe(ProbeKind.HTTP, url="http://127.0.0.1/")
    return Gate(
        "site", Stage.BACKGROUND, probe, success_when="value == 1", fail_when="value == 2",
        interval_s=10.0, count=1, failure_limit=0, **limits,
    )  # fmt: skip


def test_gates_are_watched_while_an_approval_is_waited_for():
    rollout = hand(wave=TWO, gates=(background(inconclusive_limit=0),))
    rollout.tick(0.0)
    rollout.sample(1)
    rollout.succeed(A)
    rollout.tick(10.0)
    assert rollout.rollout.ledger.causes.keys() == {"approval"}

    rollout.sample(0)

    assert rollout.rollout.ledger.causes.keys() == {"approval", "gate_inconclusive"}
    approve(rollout)
    approve(rollout, "bob@desk")
    assert rollout.wanted() == {}
    rollout.ask(Ask.RESUME)
    assert set(rollout.wanted()) == {B, C}


def test_gate_that_fails_before_the_start_halts():
    rollout = hand(TWO, gates=(background(inconclusive_limit=0),))

    rollout.tick(0.0)

    rollout.sample(2)

    assert rollout.rollout.state is RolloutState.HALTED
    approve(rollout)
    approve(rollout, "bob@desk")
    assert rollout.wanted() == {}


def test_last_approval_given_twice_is_nothing_to_do():
    rollout = hand(wave=Approval(1))
    rollout.succeed(A)
    approve(rollout)

    answers = [approve(rollout), approve(rollout, wave="rest"), deny(rollout)]

    assert answers == ["already", "already", "refused"]


def test_rollout_that_is_paused_expires_when_it_waits_again():
    rollout = hand(TWO)
    rollout.ask(Ask.PAUSE)
    rollout.tick(4000.0)
    before = rollout.rollout.state

    rollout.ask(Ask.RESUME)

    assert (before, rollout.rollout.state) == (RolloutState.PAUSED, RolloutState.EXPIRED)


def signed(rollout, **choices):
    says = {
        "key": "SHA256:ann", "plan_sha256": DIGEST, "wave": "rest",
        "targets_sha256": target_set_digest(rollout.rollout.plan),
        "made_at": int(rollout.rollout.ledger.now),
    }  # fmt: skip
    return Signed(**(says | choices))


def asks_for_rest():
    rollout = hand(wave=Approval(1, ("ops",), expires_s=3600.0))
    rollout.tick(100.0)
    rollout.succeed(A)
    assert rollout.rollout.state is RolloutState.PAUSED
    return rollout


@pytest.mark.parametrize(
    ("says", "answer"),
    [
        ({}, "done"),
        ({"targets_sha256": "0" * 64}, "refused"),
        ({"made_at": 100}, "done"),  # when it was asked for, as far as clocks agree
        ({"made_at": -21}, "refused"),  # before: from an approval that was void since
        ({"made_at": 221}, "refused"),  # in the future
    ],
)
def test_signature_counts_for_these_devices_and_while_it_is_asked_for(says, answer):
    rollout = asks_for_rest()

    given = approve(
        rollout, "ann@corp@desk", wave="rest", signed=signed(rollout, **says),
        statement="what", signature="signed",
    )  # fmt: skip

    assert given == answer
    if answer == "done":
        (line,) = [each for each in rollout.lines("approval") if each.data["what"] == "given"]
        kept = [line.data[key] for key in ("who", "key", "statement", "signature")]
        assert kept == ["ann@corp@desk", "SHA256:ann", "what", "signed"]


@pytest.mark.parametrize(
    ("plan_made", "expires_s", "answer"),
    [
        (-5000.0, None, "done"),
        (-5000.0, 3600.0, "refused"),
        (-3000.0, None, "refused"),  # of an earlier plan that decided the same
    ],
)
def test_start_may_be_signed_before_it_is_asked_for_but_not_for_ever(plan_made, expires_s, answer):
    rollout = hand(Approval(1, expires_s=expires_s), made_at=plan_made)
    rollout.tick(10.0)
    made = -4000

    assert approve(rollout, wave="", signed=signed(rollout, wave="", made_at=made)) == answer


def test_request_that_nobody_vouches_for_is_refused_with_why():
    rollout = hand(TWO)

    assert approve(rollout, problem="the key is revoked") == "refused"
    assert rollout.lines("operator")[-1].data["detail"] == "the key is revoked"
    assert rollout.rollout.state is RolloutState.AWAITING_APPROVAL


def test_author_is_told_apart_by_name_though_signers_have_longer_ones():
    rollout = hand(TWO)

    assert approve(rollout, "zoe@corp@desk", signed=signed(rollout, wave="")) == "refused"
    assert approve(rollout, "ann@corp@desk", signed=signed(rollout, wave="")) == "done"


@pytest.mark.parametrize(("targets", "answer"), [("", "done"), ("0" * 64, "refused")])
def test_approval_given_before_devices_joined_does_not_count_for_them(targets, answer):
    rollout = asks_for_rest()

    assert approve(rollout, targets=targets) == answer


def test_approval_of_the_devices_that_stand_there_counts():
    rollout = asks_for_rest()

    assert approve(rollout, targets=target_set_digest(rollout.rollout.plan)) == "done"
