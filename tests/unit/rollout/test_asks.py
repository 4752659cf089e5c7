"""What operators ask: what comes of it in each state, and when it is asked twice."""

from dataclasses import replace

import pytest

from orchestrator.device.reason import CLASS_OF, FailureClass, Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import Freeze, OnFailure, ResolvedWave, Schedule
from orchestrator.rollout.actions import Work
from orchestrator.rollout.answers import Kind
from orchestrator.rollout.events import Ask, OperatorAsked, TakeBack
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState
from orchestrator.rollout.story import tell
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C = device_ids(3)


def hand(*, limits=None, **choices):
    waves = [
        ResolvedWave("canary", "1", (A,), **(limits or {})),
        ResolvedWave("rest", "rest", (B, C), **(limits or {})),
    ]
    return Hand(make_plan(waves, **choices))


def answer(rollout):
    return rollout.lines("operator")[-1].data["answer"]


def test_halt_by_a_person_cancels_what_may_be_cancelled_and_lets_the_rest_finish():
    rollout = hand(limits={"slow_start": False})
    rollout.succeed(A)
    rollout.activate(B)

    rollout.ask(Ask.HALT, why="smoke in the lab")

    assert rollout.rollout.state is RolloutState.HALTED
    assert (rollout.state(B), rollout.state(C)) == (DeviceState.VERIFYING, DeviceState.CANCELLED)
    rollout.prove(B)
    rollout.report(B)
    assert rollout.state(B) is DeviceState.SUCCEEDED
    [halted] = rollout.lines("halted")
    assert halted.data == {"cause": "operator", "detail": "ann: smoke in the lab"}
    assert rollout.rollout.exit_code is ExitCode.HALTED


def test_halt_by_a_person_wants_failures_accepted_to_go_on():
    rollout = hand()
    rollout.ask(Ask.HALT)

    rollout.ask(Ask.RESUME)
    refused = answer(rollout), rollout.rollout.state
    rollout.ask(Ask.RESUME, accept_failures=True)

    assert refused == ("refused", RolloutState.HALTED)
    assert rollout.rollout.state is RolloutState.RUNNING
    rollout.succeed(A, B, C)
    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_halt_by_a_person_does_not_roll_back_by_itself():
    rollout = hand(on_failure=OnFailure.ROLLBACK)
    rollout.succeed(A)

    rollout.ask(Ask.HALT)

    assert rollout.rollout.state is RolloutState.HALTED
    assert "rollout rollback r-hand" in tell(rollout.rollout).next_commands
    assert tell(rollout.rollout).stops[0].cause.name == "OPERATOR"


def test_what_is_halted_or_paused_before_its_time_waits_for_it_again():
    rollout = hand(schedule=Schedule(start_at=100.0))
    for stop, go_on in ((Ask.PAUSE, {}), (Ask.HALT, {"accept_failures": True})):
        rollout.ask(stop)
        stopped = rollout.rollout.state

        rollout.ask(Ask.RESUME, **go_on)

        assert stopped in (RolloutState.PAUSED, RolloutState.HALTED)
        assert rollout.rollout.state is RolloutState.SCHEDULED
    rollout.tick(100.0)
    rollout.succeed(A, B, C)
    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_abort_leaves_what_is_committed_unless_told_otherwise():
    rollout = hand()
    rollout.succeed(A)

    rollout.ask(Ask.ABORT)

    assert rollout.rollout.state is RolloutState.ABORTED
    assert (rollout.state(A), rollout.state(B)) == (DeviceState.SUCCEEDED, DeviceState.CANCELLED)
    assert rollout.rollout.exit_code is ExitCode.HALTED


@pytest.mark.parametrize(
    ("take_back", "gone", "code"),
    [(TakeBack.WAVE, [B], ExitCode.HALTED), (TakeBack.ALL, [B, A], ExitCode.ROLLED_BACK)],
)
def test_abort_takes_back_after_what_is_in_flight(take_back, gone, code):
    rollout = hand()
    rollout.succeed(A)
    rollout.activate(B)

    rollout.ask(Ask.ABORT, take_back=take_back)

    assert rollout.rollout.state is RolloutState.ROLLING_BACK
    assert (rollout.state(B), rollout.state(C)) == (DeviceState.VERIFYING, DeviceState.CANCELLED)
    rollout.prove(B)
    rollout.report(B)
    for device in gone:
        rollout.go_back(device)
    assert rollout.rollout.state is RolloutState.ROLLED_BACK
    assert rollout.rollout.exit_code is code


def test_abort_that_takes_back_is_so_already_the_second_time():
    rollout = hand()
    rollout.succeed(A)
    request = OperatorAsked(0.0, Ask.ABORT, "ann", take_back=TakeBack.ALL)
    rollout.apply(request)
    rolling_back = rollout.rollout.state

    during = rollout.rollout.judge(request)
    of_less = rollout.rollout.judge(replace(request, take_back=TakeBack.WAVE))
    without = rollout.rollout.judge(replace(request, take_back=TakeBack.NONE))
    rollout.go_back(A)
    after = rollout.rollout.judge(request)

    assert rolling_back is RolloutState.ROLLING_BACK
    assert rollout.rollout.state is RolloutState.ROLLED_BACK
    assert (during.kind, of_less.kind, after.kind) == (Kind.ALREADY,) * 3
    assert without.kind is Kind.REFUSED


def test_abort_that_has_nothing_to_take_back_just_ends():
    rollout = hand()

    rollout.ask(Ask.ABORT, take_back=TakeBack.ALL)

    assert rollout.rollout.state is RolloutState.ABORTED


def test_retry_of_a_class_tries_only_devices_that_failed_like_that():
    limits = {"max_failures": 2, "slow_start": False}
    rollout = hand(limits=limits)
    rollout.succeed(A)
    rollout.report(B, Reason.LOW_SPACE, status=rollout.status(B, "none"))
    rollout.report(C, Reason.INSTALL, status=rollout.status(C, "none"))

    rollout.ask(Ask.RETRY, only=FailureClass.TRANSFER)

    assert (rollout.state(B), rollout.state(C)) == (DeviceState.QUEUED, DeviceState.FAILED)
    rollout.ask(Ask.RETRY, only=FailureClass.TRUST)
    assert answer(rollout) == "already"


def test_every_failure_has_a_class():
    no_failure = {Reason.OK, Reason.UNCHANGED, Reason.WINDOW}

    assert set(CLASS_OF) == set(Reason) - no_failure


TWICE = [
    (Ask.PAUSE, {}),
    (Ask.HALT, {}),
    (Ask.ABORT, {}),
    (Ask.ABORT, {"take_back": TakeBack.ALL}),
    (Ask.ROLLBACK, {}),
    (Ask.PROMOTE, {}),
    (Ask.PROMOTE, {"full": True}),
]


@pytest.mark.parametrize(("ask", "choices"), TWICE)
def test_what_is_asked_twice_is_done_once(ask, choices):
    rollout = hand(limits={"soak_s": 60.0})
    rollout.succeed(A)
    rollout.ask(ask, **choices)
    first = answer(rollout)
    rollout.now = 1.0
    before = {key: value for key, value in rollout.rollout_row.items() if key not in ("seq", "at")}
    wanted = rollout.wanted()

    rollout.ask(ask, **choices)

    after = {key: value for key, value in rollout.rollout_row.items() if key not in ("seq", "at")}
    allowed = {"already", "refused"} if choices.get("take_back") else {"already"}
    assert first == "done"
    assert answer(rollout) in allowed
    assert (after, rollout.wanted()) == (before, wanted)


@pytest.mark.parametrize("ask", [Ask.RESUME, Ask.RETRY])
def test_what_is_so_from_the_start_changes_nothing(ask):
    rollout = hand()

    rollout.ask(ask)

    assert answer(rollout) == "already"
    assert rollout.rollout.state is RolloutState.RUNNING


STATES = {
    "scheduled": lambda rollout: None,
    "running": lambda rollout: rollout.tick(100.0),
    "paused": lambda rollout: (rollout.tick(100.0), rollout.ask(Ask.PAUSE)),
    "halted": lambda rollout: (rollout.tick(100.0), rollout.ask(Ask.HALT)),
    "rolling_back": lambda rollout: (
        rollout.tick(100.0),
        rollout.activate(A),
        rollout.ask(Ask.ROLLBACK),
    ),
    "aborting": lambda rollout: (
        rollout.tick(100.0),
        rollout.activate(A),
        rollout.ask(Ask.ABORT),
    ),
    "aborted": lambda rollout: rollout.ask(Ask.ABORT),
    "succeeded": lambda rollout: (rollout.tick(100.0), rollout.succeed(A, B, C)),
}
D, S, R = "done", "already", "refused"
TABLE = {  # pause, resume, resume accepting, halt, abort, promote, retry, rollback, approve
    "scheduled": (D, S, S, D, D, R, R, R, R),
    "running": (D, S, S, D, D, R, S, D, R),
    "paused": (S, D, D, D, D, R, S, D, R),
    "halted": (R, R, D, S, D, R, D, D, R),
    "rolling_back": (R, S, S, R, R, R, R, S, R),
    "aborting": (R, S, S, R, S, R, R, R, R),
    "aborted": (R, R, R, R, S, R, R, R, R),
    "succeeded": (R, R, R, R, R, R, R, D, R),
}
ASKED = [
    (Ask.PAUSE, {}), (Ask.RESUME, {}), (Ask.RESUME, {"accept_failures": True}), (Ask.HALT, {}),
    (Ask.ABORT, {}), (Ask.PROMOTE, {}), (Ask.RETRY, {}), (Ask.ROLLBACK, {}), (Ask.APPROVE, {}),
]  # fmt: skip


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("number", range(len(ASKED)))
def test_each_request_has_an_answer_in_each_state(state, number):
    rollout = hand(schedule=Schedule(start_at=100.0))
    STATES[state](rollout)
    assert rollout.rollout.state == state
    ask, choices = ASKED[number]
    told = rollout.rollout.judge(OperatorAsked(rollout.now, ask, "ann", **choices))
    before = rollout.rollout.state

    rollout.ask(ask, **choices)

    assert answer(rollout) == told.kind == TABLE[state][number]
    assert told.kind == "done" or told.text
    if told.kind != "done":
        assert rollout.rollout.state is before


def test_attended_rollout_answers_and_starts_nothing():
    rollout = hand()
    rollout.ask(Ask.HALT)
    rollout.rollout.attend()

    rollout.ask(Ask.RESUME, accept_failures=True)

    assert rollout.rollout.state is RolloutState.RUNNING
    assert rollout.wanted() == {}
    rollout.restart()
    assert rollout.wanted() == {A: Work.DELIVER}


def test_wave_that_waits_for_nothing_is_not_tripped_by_a_halt_before_it_began():
    rollout = hand(schedule=Schedule(start_at=100.0))

    rollout.ask(Ask.HALT)

    assert rollout.rollout.ledger.waves[0].state is WaveState.PENDING


def test_rollback_twice_after_its_end_is_nothing_to_do():
    rollout = hand()
    rollout.succeed(A)
    rollout.ask(Ask.ROLLBACK)
    rollout.go_back(A)

    rollout.ask(Ask.ROLLBACK)

    assert rollout.rollout.state is RolloutState.ROLLED_BACK
    assert answer(rollout) == "already"


@pytest.mark.parametrize("choices", [{"wave": "nowhere"}, {"wave": "rest"}, {"devices": (B,)}])
def test_rollback_of_something_else_waits_for_the_present_one(choices):
    rollout = hand()
    rollout.activate(A)
    rollout.ask(Ask.ROLLBACK, wave="canary")

    rollout.ask(Ask.ROLLBACK, **choices)

    assert answer(rollout) == "refused"


def test_rollback_of_a_wave_that_is_not_there_changes_nothing():
    rollout = hand()

    rollout.ask(Ask.ROLLBACK, wave="nowhere")

    assert (answer(rollout), rollout.rollout.state) == ("refused", RolloutState.RUNNING)


def test_abort_while_a_soak_ends_lets_go_of_the_read_back():
    rollout = hand(limits={"soak_s": 60.0})
    rollout.succeed(A)
    rollout.ask(Ask.PROMOTE)
    assert rollout.wanted() == {A: Work.READ_BACK}

    rollout.ask(Ask.ABORT)

    assert rollout.wanted() == {}
    assert rollout.rollout.state is RolloutState.ABORTED


def test_abort_that_takes_back_may_follow_one_that_does_not():
    rollout = hand()
    rollout.activate(A)
    rollout.ask(Ask.ABORT)

    rollout.ask(Ask.ABORT, take_back=TakeBack.ALL)

    assert (answer(rollout), rollout.rollout.state) == ("done", RolloutState.ROLLING_BACK)


def test_same_request_read_twice_is_answered_once():
    rollout = hand()

    rollout.ask(Ask.PAUSE, request=3)
    rollout.ask(Ask.PAUSE, request=3)

    assert len(rollout.lines("operator")) == 1


def test_pause_that_ends_by_itself_is_not_resumed_by_hand():
    freeze = Freeze(5.0, 100.0, "fair")
    rollout = hand(schedule=Schedule(freezes=(freeze,)))
    rollout.tick(5.0)
    assert rollout.rollout.state is RolloutState.PAUSED

    rollout.ask(Ask.RESUME)

    assert answer(rollout) == "already"
    assert rollout.rollout.ledger.causes == {"freeze": "fair"}


def test_freeze_that_begins_before_the_start_is_kept_after_a_pause():
    freeze = Freeze(50.0, 200.0, "fair")
    rollout = hand(schedule=Schedule(start_at=100.0, freezes=(freeze,)))
    rollout.ask(Ask.PAUSE)
    rollout.tick(60.0)

    rollout.ask(Ask.RESUME)
    rollout.tick(150.0)
    before = rollout.rollout.state
    rollout.tick(200.0)

    assert before is RolloutState.SCHEDULED
    assert rollout.rollout.state is RolloutState.RUNNING
