"""Samples that were missed in a soak are asked for by range, where the source remembers (R10)."""

from dataclasses import replace

import pytest

from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Direction
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.actions import Stretch, Work
from orchestrator.rollout.events import Ask, PastSample
from orchestrator.rollout.missed import COMPARED_MAX, GAPS_MAX, SAMPLES_MAX, missing_s, note_gap
from orchestrator.rollout.record import GateRecord
from orchestrator.rollout.states import RolloutState, WaveState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B = device_ids(2)
SOAK_S = 60.0


def gate(kind=ProbeKind.PROMETHEUS, *, label="", **choices):
    probe = Probe(kind, url="http://x/", query="q", label=label)
    fields = {"success_when": "value > 0", "interval_s": 10.0} | choices
    return Gate("errors", Stage.BACKGROUND, probe, **fields)


def soaking(asked=None, *, soak_s=SOAK_S):
    """A wave of one whose soak begins at 0, with a first sample then."""
    waves = [ResolvedWave("canary", "1", (A,), soak_s=soak_s), ResolvedWave("rest", "rest", (B,))]
    rollout = Hand(make_plan(waves, gates=(asked or gate(),)))
    rollout.tick(0.0)
    if rollout.samples():  # a gate about updated devices waits for them
        rollout.sample(1)
    rollout.succeed(A)
    return rollout


def away(rollout, until):
    """No engine ran until then; the next one takes over."""
    rollout.now = until
    rollout.restart()
    rollout.tick(until)


def past(values, start=10.0, step=10.0):
    """Samples of the past: a digit each, `-` where nothing is known."""
    return tuple(
        PastSample(start + number * step, {} if text == "-" else {"value": int(text)})
        for number, text in enumerate(values)
    )


def books(rollout):
    return rollout.rollout.ledger.gates[0]


@pytest.mark.parametrize(
    ("until", "missed"),
    [
        (10.0, None),
        (20.0, None),  # twice the interval is no gap
        (20.5, Stretch(10.0, 10.0, 2)),
        (30.0, Stretch(10.0, 10.0, 2)),  # the third is the one of now
        (35.0, Stretch(10.0, 10.0, 3)),
        (100.0, Stretch(10.0, 10.0, 9)),
        (10.0 * SAMPLES_MAX + 10, Stretch(10.0, 10.0, SAMPLES_MAX)),
        (10.0 * SAMPLES_MAX + 30, Stretch(30.0, 10.0, SAMPLES_MAX)),  # the newest
    ],
)
def test_next_engine_asks_for_what_was_missed(until, missed):
    rollout = soaking()

    away(rollout, until)

    [sample] = rollout.samples()
    assert sample.missed == missed


def test_sample_that_was_under_way_in_a_crash_is_asked_for_with_those_after_it():
    rollout = soaking()
    rollout.tick(10.0)

    away(rollout, 50.0)

    [sample] = rollout.samples()
    assert sample.missed == Stretch(10.0, 10.0, 4)


def test_comparisons_take_a_second_each_so_fewer_are_made_up_for():
    asked = Compare(CompareTo.CONTROL, CompareTest.MANN_WHITNEY, 0.05, Direction.INCREASE, 1.1, 5)
    rollout = soaking(gate(label="device", compare=asked, success_when=None, inconclusive_limit=9))

    away(rollout, 1000.0)

    [sample] = rollout.samples()
    assert sample.missed == Stretch(400.0, 10.0, COMPARED_MAX)


@pytest.mark.parametrize("kind", [ProbeKind.HTTP, ProbeKind.COMMAND, ProbeKind.TCP])
def test_sources_that_do_not_remember_are_not_asked(kind):
    rollout = soaking(gate(kind))

    away(rollout, 100.0)

    assert [sample.missed for sample in rollout.samples()] == [None]


def test_wave_that_does_not_soak_asks_for_no_past():
    rollout = Hand(make_plan([ResolvedWave("all", "rest", (A,))], gates=(gate(),)))

    away(rollout, 100.0)

    assert [sample.missed for sample in rollout.samples()] == [None]


def test_filled_gap_counts_as_soak():
    rollout = soaking()
    away(rollout, 100.0)

    rollout.sample(1, past=past("111111111"))

    assert books(rollout).gaps == []
    assert rollout.wanted() == {A: Work.READ_BACK} or rollout.wanted() == {B: Work.DELIVER}


@pytest.mark.parametrize(
    ("values", "gap_s"),
    [
        ("", 100.0),  # nothing is known: all of it is missing
        ("---------", 100.0),
        ("1-------1", 80.0),  # from 10 to 90
        ("111---111", 40.0),  # from 30 to 70
        ("11-11-111", 0.0),  # 20 s without a sample is no gap
        ("11111111-", 0.0),
        ("1111111--", 30.0),
    ],
)
def test_what_cannot_be_filled_stays_missing(values, gap_s):
    rollout = soaking(soak_s=3600.0)
    away(rollout, 100.0)

    rollout.sample(1, past=past(values))

    assert missing_s([books(rollout)]) == gap_s
    assert books(rollout).inside.successes == 2 + values.count("1")
    assert books(rollout).inside.no_data == 0


def test_past_failure_halts_and_what_came_after_it_is_not_read():
    rollout = soaking()
    away(rollout, 100.0)

    rollout.sample(1, past=past("11101111"))

    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.rollout.ledger.causes == {"gate": "gate `errors` failed: value 0"}
    failed = rollout.lines("gate_result")[-1].data
    assert (failed["reading"], failed["measured_at"]) == ("failed", 40.0)
    assert rollout.lines("gate_result")[-2].data["measured_at"] == 30.0


def test_samples_outside_of_the_gap_are_not_counted_again():
    rollout = soaking(soak_s=3600.0)
    away(rollout, 100.0)
    stray = (
        PastSample(-10.0, {"value": 0}),
        PastSample(0.0, {"value": 0}),
        PastSample(100.0, {"value": 0}),
        PastSample(500.0, {"value": 0}),
    )

    rollout.sample(1, past=stray)

    assert rollout.rollout.state is RolloutState.RUNNING
    assert books(rollout).inside.failed == 0


def test_sample_that_comes_too_late_is_taken_again_with_what_is_missing_before_it():
    rollout = soaking(soak_s=3600.0)
    rollout.tick(10.0)
    rollout.tick(45.0)

    rollout.sample(1)
    [again] = rollout.samples()
    rollout.tick(47.0)
    rollout.sample(1, past=past("1111"))

    assert again.missed == Stretch(10.0, 10.0, 4)
    assert books(rollout).gaps == []
    assert rollout.samples() == []
    assert books(rollout).due_at == 57.0


def test_source_that_stays_slow_is_asked_but_once_more():
    rollout = soaking(soak_s=3600.0)
    rollout.tick(10.0)
    rollout.tick(45.0)
    rollout.sample(1)
    rollout.tick(200.0)

    rollout.sample(1, past=())

    assert rollout.samples() == []
    assert missing_s([books(rollout)]) == 200.0


def test_device_without_a_value_in_the_past_is_missing_and_no_failure():
    rollout = soaking(gate(label="device", inconclusive_limit=9), soak_s=3600.0)
    away(rollout, 40.0)
    told = (PastSample(10.0, series={A: 1.0}), PastSample(20.0, series={B: 1.0}))

    rollout.sample(None, past=told)

    assert books(rollout).inside.successes == 1


def test_paused_soak_is_filled_too():
    rollout = soaking()
    rollout.ask(Ask.PAUSE)
    away(rollout, 100.0)

    rollout.sample(1, past=past("111111111"))
    rollout.ask(Ask.RESUME)

    assert books(rollout).gaps == []
    assert rollout.rollout.ledger.waves[0].state is not WaveState.SOAKING


@pytest.mark.parametrize(
    ("gaps", "seconds"),
    [
        ([[], []], 0.0),
        ([[(0, 60)], [(0, 60)]], 60.0),  # both were silent: the time is missing once
        ([[(0, 60)], [(30, 90)]], 90.0),
        ([[(0, 30), (60, 90)], [(10, 80)]], 90.0),
        ([[(0, 30)], [(60, 90)]], 60.0),  # never both, and never all of them were heard
        ([[(0, 100)], [(20, 30), (40, 50)]], 100.0),
    ],
)
def test_time_in_which_any_gate_was_silent_is_missing_once(gaps, seconds):
    gates = [GateRecord(index, gaps=each) for index, each in enumerate(gaps)]

    assert missing_s(gates) == seconds


def test_many_gaps_are_kept_as_fewer_and_no_shorter_ones():
    gate = GateRecord(0)
    for number in range(GAPS_MAX + 50):
        gate.last_at = 100.0 * number
        note_gap(gate, gate.last_at + 60.0)

    assert len(gate.gaps) == GAPS_MAX
    assert missing_s([gate]) == 60.0 * GAPS_MAX + 100.0 * 50


def test_soak_ends_though_two_gates_are_silent_whenever_no_engine_runs():
    """Each absence of a minute had moved its end away by two."""
    two = (gate(ProbeKind.HTTP), replace(gate(ProbeKind.HTTP), name="alerts"))
    rollout = Hand(make_plan([ResolvedWave("all", "all", (A,), soak_s=60.0)], gates=two))
    rollout.succeed(A)

    for start in (0.0, 100.0, 200.0):
        away(rollout, start)
        for at in range(5):
            rollout.tick(start + 10.0 * at)
            for sample in rollout.samples():
                rollout.sample(1, gate=sample.gate)

    assert rollout.rollout.ledger.waves[0].state is not WaveState.SOAKING
