"""Budget of the whole rollout, and bursts (R6)."""

import dataclasses
from fractions import Fraction

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.budget import allowed_in_all
from orchestrator.plan.resolved import Budget, Burst, OnFailure, ResolvedWave
from orchestrator.rollout.brakes import is_burst
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

DEVICES = A, B, C, D, E, F = device_ids(6)


def hand(budget=Budget(), *, on_failure=OnFailure.HALT, **wave):  # noqa: B008  frozen
    limits = {"max_failures": 6, "slow_start": False} | wave
    waves = [
        ResolvedWave("one", "2", (A, B), **limits),
        ResolvedWave("rest", "rest", (C, D, E, F), **limits),
    ]
    return Hand(make_plan(waves, budget=budget, on_failure=on_failure))


@pytest.mark.parametrize(
    ("budget", "devices", "allowed"),
    [
        (Budget(), 100, None),
        (Budget(max_failures=0), 100, 0),
        (Budget(max_failures=3), 2, 3),
        (Budget(max_fail_share=Fraction(29, 100)), 100, 29),
        (Budget(max_fail_share=Fraction(29, 100)), 3, 0),
        (Budget(max_fail_share=Fraction(1, 3)), 3, 1),
        (Budget(max_failures=5, max_fail_share=Fraction(2, 100)), 100, 2),
        (Budget(max_failures=1, max_fail_share=Fraction(2, 100)), 100, 1),
    ],
)
def test_allowance_of_the_whole_rollout(budget, devices, allowed):
    assert allowed_in_all(budget, devices) == allowed


@pytest.mark.parametrize(
    ("times", "burst", "trips"),
    [
        ((), Burst(0, 10.0), False),
        ((5.0,), Burst(0, 10.0), True),
        ((5.0,), Burst(1, 10.0), False),
        ((0.0, 10.0), Burst(1, 10.0), True),
        ((0.0, 10.1), Burst(1, 10.0), False),
        ((0.0, 50.0, 55.0), Burst(1, 10.0), True),
        ((0.0, 50.0, 55.0), Burst(2, 10.0), False),
    ],
)
def test_a_burst_is_more_failures_than_allowed_within_its_time(times, burst, trips):
    assert is_burst(times, burst) is trips


def test_failures_of_all_waves_count_together():
    rollout = hand(Budget(max_failures=1), max_failures=2)
    rollout.report(A, Reason.INSTALL)
    rollout.succeed(B)
    before = rollout.rollout.state

    rollout.report(C, Reason.INSTALL)

    assert before is RolloutState.RUNNING
    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.rollout.ledger.causes == {"budget": "2 failures in the whole rollout, 1 allowed"}


def test_the_budget_halts_also_where_waves_go_on_after_failures():
    rollout = hand(Budget(max_failures=2), on_failure=OnFailure.CONTINUE, max_failures=0)
    for device in (A, B):
        rollout.report(device, Reason.INSTALL)
    before = rollout.rollout.state

    rollout.report(C, Reason.INSTALL)

    assert before is RolloutState.RUNNING
    assert rollout.rollout.state is RolloutState.HALTED


def test_accepted_failures_are_the_new_baseline():
    rollout = hand(Budget(max_failures=0))
    rollout.report(A, Reason.INSTALL)
    rollout.ask(Ask.RESUME, accept_failures=True)
    resumed = rollout.rollout.state
    rollout.restart()

    rollout.report(B, Reason.INSTALL)

    assert resumed is RolloutState.RUNNING
    assert rollout.rollout.state is RolloutState.HALTED


@pytest.mark.parametrize("place", ["budget", "wave"])
def test_a_burst_halts_though_the_count_is_allowed(place):
    burst = Burst(1, 60.0)
    rollout = hand(Budget(window=burst)) if place == "budget" else hand(window=burst)
    rollout.report(A, Reason.INSTALL)
    rollout.tick(60.0)
    before = rollout.rollout.state

    rollout.report(B, Reason.INSTALL)

    assert before is RolloutState.RUNNING
    assert rollout.rollout.state is RolloutState.HALTED
    assert "more than 1 failure within 1m" in rollout.rollout.ledger.causes["budget"]


def test_failures_far_apart_are_no_burst():
    rollout = hand(window=Burst(1, 60.0))
    rollout.report(A, Reason.INSTALL)
    rollout.tick(61.0)

    rollout.report(B, Reason.INSTALL)

    assert rollout.rollout.state is not RolloutState.HALTED


def test_a_burst_is_remembered_over_a_restart():
    rollout = hand(window=Burst(1, 60.0))
    rollout.report(A, Reason.INSTALL)
    rollout.restart()
    rollout.tick(30.0)

    rollout.report(B, Reason.INSTALL)

    assert rollout.rollout.state is RolloutState.HALTED


def test_resumed_after_a_burst_counts_anew():
    rollout = hand(window=Burst(0, 60.0))
    rollout.report(A, Reason.INSTALL)

    rollout.ask(Ask.RESUME, accept_failures=True)

    assert rollout.rollout.state is RolloutState.RUNNING
    assert rollout.state(B) is DeviceState.TRANSFERRING


def test_a_wave_with_a_burst_and_continue_goes_on():
    rollout = hand(window=Burst(0, 60.0), on_failure=OnFailure.CONTINUE)
    rollout.report(A, Reason.INSTALL)

    assert rollout.rollout.state is RolloutState.RUNNING
    assert rollout.rollout.ledger.waves[0].tripped


def test_every_value_of_a_budget_is_in_the_plan():
    assert {each.name for each in dataclasses.fields(Budget)} == {
        "max_failures", "max_fail_share", "window",
    }  # fmt: skip
