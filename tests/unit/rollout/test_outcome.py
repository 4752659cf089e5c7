"""Exit codes: every state of a rollout with every kind of device (docs/reference/exit-codes.md)."""

from dataclasses import replace

import pytest

from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.events import Ask
from orchestrator.rollout.outcome import exit_code
from orchestrator.rollout.states import DeviceState, Pause, RolloutState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B = device_ids(2)
R, X = RolloutState, ExitCode
# state: (nothing ever started, none runs the new version, some device may run it, one is lost)
TABLE = {
    R.AWAITING_APPROVAL: (X.WAITING, X.WAITING, X.WAITING, X.NEEDS_HUMAN),
    R.SCHEDULED: (X.WAITING, X.WAITING, X.WAITING, X.NEEDS_HUMAN),
    R.RUNNING: (X.WAITING, X.WAITING, X.WAITING, X.NEEDS_HUMAN),
    R.PAUSED: (X.WAITING, X.WAITING, X.WAITING, X.NEEDS_HUMAN),
    R.HALTED: (X.ROLLED_BACK, X.ROLLED_BACK, X.HALTED, X.NEEDS_HUMAN),
    R.ABORTING: (X.WAITING, X.WAITING, X.WAITING, X.NEEDS_HUMAN),
    R.ROLLING_BACK: (X.WAITING, X.WAITING, X.WAITING, X.NEEDS_HUMAN),
    R.CATCHING_UP: (X.WAITING, X.WAITING, X.WAITING, X.NEEDS_HUMAN),
    R.SUCCEEDED: (X.DONE, X.DONE, X.DONE, X.NEEDS_HUMAN),
    R.SUCCEEDED_WITH_EXCEPTIONS: (X.PARTIAL, X.PARTIAL, X.PARTIAL, X.NEEDS_HUMAN),
    R.ABORTED: (X.HALTED, X.HALTED, X.HALTED, X.NEEDS_HUMAN),
    R.ROLLED_BACK: (X.ROLLED_BACK, X.ROLLED_BACK, X.HALTED, X.NEEDS_HUMAN),
    R.FAILED: (X.NEEDS_HUMAN, X.NEEDS_HUMAN, X.NEEDS_HUMAN, X.NEEDS_HUMAN),
    R.SUPERSEDED: (X.REFUSED, X.ROLLED_BACK, X.HALTED, X.NEEDS_HUMAN),
    R.REJECTED: (X.REFUSED, X.REFUSED, X.REFUSED, X.NEEDS_HUMAN),
    R.EXPIRED: (X.REFUSED, X.REFUSED, X.REFUSED, X.NEEDS_HUMAN),
}


def books(*, started=True, moved=False, lost=False):
    led = Hand(make_plan([ResolvedWave("rest", "rest", (A, B))])).rollout.ledger
    rec = led.devices[A]
    led.start_count = int(started)
    rec.moved = moved
    if lost:
        led.move(rec, DeviceState.LOST)
    return led


def test_every_state_is_in_the_table():
    assert set(TABLE) == set(RolloutState)


@pytest.mark.parametrize("state", RolloutState)
@pytest.mark.parametrize("asked", [None, *Ask])
def test_code_of_every_state(state, asked):
    never = books(started=False)
    none_new, some_new, lost = books(), books(moved=True), books(moved=True, lost=True)
    for led in (never, none_new, some_new, lost):
        led.state = state

    codes = tuple(exit_code(led, asked) for led in (never, none_new, some_new, lost))

    assert codes == TABLE[state]


@pytest.mark.parametrize("cause", Pause)
@pytest.mark.parametrize("moved", [False, True])
def test_pause_of_any_cause_is_never_taken_for_an_end(cause, moved):
    led = books(moved=moved)
    led.state, led.causes = RolloutState.PAUSED, {cause.value: ""}

    assert exit_code(led) is ExitCode.WAITING


@pytest.mark.parametrize("state", [R.HALTED, R.ROLLED_BACK, R.SUPERSEDED])
def test_a_device_that_ran_the_version_before_runs_it_still(state):
    led = books()
    led.state = state
    led.move(led.devices[B], DeviceState.UNCHANGED)

    assert exit_code(led) is ExitCode.HALTED


def test_a_device_that_was_seen_with_the_version_runs_it_though_its_turn_never_came():
    plan = make_plan([ResolvedWave("rest", "rest", (A, B))])
    target = replace(plan.devices[B], current_manifest=plan.artifact.manifest_sha256)
    led = Hand(replace(plan, devices={**plan.devices, B: target})).rollout.ledger
    led.state = RolloutState.HALTED
    led.move(led.devices[B], DeviceState.CANCELLED)

    assert exit_code(led) is ExitCode.HALTED


def test_rollback_that_was_asked_for_and_is_proven_is_done_for_who_asked():
    led = books()
    led.state, led.scope = RolloutState.ROLLED_BACK, {"asked": True}

    assert exit_code(led, Ask.ROLLBACK) is ExitCode.DONE
    assert exit_code(led) is ExitCode.ROLLED_BACK
