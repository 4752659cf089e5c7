"""Background gates about updated devices: whom a sample is about, and when none is taken (R9, R11)."""

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.gate import StatName
from orchestrator.plan.resolved import (
    Approval,
    Compare,
    CompareTest,
    CompareTo,
    Direction,
    Gate,
    OnFailure,
    Probe,
    ProbeKind,
    ResolvedWave,
    Stage,
)
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import GateSampled
from orchestrator.rollout.states import RolloutState, WaveState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C, D, E, F = device_ids(6)
HTTP = Probe(ProbeKind.HTTP, url="http://x/")
SERIES = Probe(ProbeKind.PROMETHEUS, url="http://prom:9090", query="q", label="device")
INTERVAL_S = 10.0


def background(probe=SERIES, **fields):
    fields = {"success_when": "value < 5", "interval_s": INTERVAL_S} | fields
    return Gate("metric", Stage.BACKGROUND, probe, **fields)


def stat(name):
    return background(Probe(ProbeKind.STATS, stat=name.value))


def comparing(to, min_samples):
    compare = Compare(to, CompareTest.RATIO, 0.05, Direction.INCREASE, 2.0, min_samples)
    return background(success_when=None, compare=compare)


def hand(gate, canary=(A,), *, soak_s=0.0, approval=None, **choices):
    rest = tuple(each for each in (A, B, C, D, E, F) if each not in canary)
    limits = {"max_failures": 1, "slow_start": False}
    waves = [
        ResolvedWave("canary", "1", tuple(canary), soak_s=soak_s, **limits),
        ResolvedWave("rest", "rest", rest, approval=approval, soak_s=soak_s, **limits),
    ]
    return Hand(make_plan(waves, gates=(gate,), manifest="old", **choices))


def wait(rollout, seconds):
    rollout.tick(rollout.now + seconds)


def series(rollout, **values):
    [action] = rollout.samples()
    named = {rollout.plan.waves[0].devices[0]: 0.0} | values
    rollout.apply(
        GateSampled(rollout.now, action.gate, action.wave, action.round, None, {}, "", named)
    )


def heard(rollout):
    return [(line.wave, line.data["reading"]) for line in rollout.lines("gate_result")]


ABOUT_UPDATED = [
    background(),
    stat(StatName.OFFLINE_AFTER_UPDATE),
    stat(StatName.DURATION),
    stat(StatName.REGRESSIONS),
    comparing(CompareTo.CONTROL, 1),
]


@pytest.mark.parametrize("gate", ABOUT_UPDATED)
def test_nothing_is_asked_before_a_device_was_updated(gate):
    rollout = hand(gate)

    for _ in range(5):
        wait(rollout, INTERVAL_S)

    assert rollout.samples() == []
    assert heard(rollout) == []
    assert rollout.rollout.state is RolloutState.RUNNING
    assert rollout.wanted() == {A: Work.DELIVER}


@pytest.mark.parametrize("name", StatName)
def test_the_rollouts_own_counts_let_a_wave_pass_when_they_are_well(name):
    rollout = hand(stat(name))

    rollout.succeed(A)
    wait(rollout, INTERVAL_S)

    assert heard(rollout) == [("canary", "success")]
    assert rollout.rollout.ledger.waves[0].state is WaveState.PASSED


def test_a_device_is_looked_at_an_interval_after_its_proof():
    rollout = hand(background(), soak_s=60.0)
    wait(rollout, 5.0)
    rollout.succeed(A)
    wait(rollout, 5.0)
    early = rollout.samples()

    wait(rollout, INTERVAL_S)

    assert early == []
    assert len(rollout.samples()) == 1


@pytest.mark.parametrize("gate", ABOUT_UPDATED[:-1])
def test_a_soak_of_nobody_has_no_evidence(gate):
    rollout = hand(gate, (A, B), soak_s=60.0, on_failure=OnFailure.CONTINUE)
    for device in (A, B):
        rollout.report(device, Reason.LOW_SPACE)
    judged = rollout.rollout.ledger.waves[0].state

    wait(rollout, INTERVAL_S)
    if rollout.samples():
        series(rollout)

    assert judged is WaveState.JUDGING  # nobody is there to be watched for a time
    assert heard(rollout)[-1] == ("canary", "no_data")


def test_a_device_without_a_value_is_no_data_from_then_on():
    rollout = hand(background(), canary=(A, B), soak_s=60.0)
    rollout.succeed(A, B)
    wait(rollout, INTERVAL_S)

    series(rollout)

    assert heard(rollout) == [("canary", "no_data")]
    assert rollout.rollout.state is RolloutState.PAUSED


def waiting_for_approval(gate):
    rollout = hand(gate, approval=Approval(1))
    rollout.succeed(A)
    wait(rollout, INTERVAL_S)
    series(rollout)
    wait(rollout, INTERVAL_S)
    assert rollout.rollout.ledger.waves[1].state is WaveState.AWAITING_APPROVAL
    return rollout


def test_the_wave_before_is_watched_while_the_present_one_waits():
    rollout = waiting_for_approval(background())

    series(rollout, **{A: 9.0})

    assert heard(rollout) == [("canary", "success"), ("canary", "failed")]
    assert rollout.rollout.state is RolloutState.HALTED


def test_samples_of_the_wave_before_let_no_wave_pass():
    rollout = hand(background())
    rollout.succeed(A)
    wait(rollout, INTERVAL_S)
    series(rollout)
    wait(rollout, INTERVAL_S)

    series(rollout)

    assert rollout.rollout.ledger.current == 1
    assert heard(rollout) == [("canary", "success"), ("canary", "success")]
    assert rollout.rollout.ledger.gates[0].inside.successes == 0


@pytest.mark.parametrize(("probe", "asked_count"), [(HTTP, 1), (SERIES, 0)])
def test_a_gate_is_asked_in_the_waves_that_it_names_only(probe, asked_count):
    rollout = hand(background(probe, waves=("rest",)))
    wait(rollout, INTERVAL_S)
    in_canary = rollout.samples()
    rollout.succeed(A)

    wait(rollout, INTERVAL_S)

    assert in_canary == []
    assert len(rollout.samples()) == asked_count
    assert heard(rollout) == []


def test_a_comparison_waits_for_as_many_devices_as_it_wants():
    rollout = hand(comparing(CompareTo.CONTROL, 2), canary=(A, B))
    rollout.succeed(A)
    wait(rollout, INTERVAL_S)
    few = rollout.samples()

    rollout.succeed(B)
    wait(rollout, INTERVAL_S)
    series(rollout, **{B: 1.0, C: 1.0, D: 1.0})

    assert few == []
    assert heard(rollout) == [("canary", "success")]


def test_a_comparison_with_too_few_devices_is_no_data_when_its_wave_soaks():
    rollout = hand(comparing(CompareTo.CONTROL, 2), soak_s=60.0)
    rollout.succeed(A)
    wait(rollout, INTERVAL_S)

    series(rollout, **{C: 1.0, D: 1.0})

    assert heard(rollout) == [("canary", "no_data")]


def test_a_comparison_with_before_measures_first_and_is_asked_on():
    rollout = hand(comparing(CompareTo.BEFORE, 1), soak_s=60.0)
    wait(rollout, 0.0)
    held = rollout.wanted()
    series(rollout, **{A: 1.0})
    free = rollout.wanted()
    rollout.succeed(A)
    wait(rollout, INTERVAL_S)

    series(rollout, **{A: 3.0})

    assert (held, free) == ({}, {A: Work.DELIVER})
    assert heard(rollout) == [("canary", "failed")]
    assert rollout.rollout.state is RolloutState.HALTED
