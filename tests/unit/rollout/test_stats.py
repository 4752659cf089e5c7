import pytest

from orchestrator.plan.gate import Gate, Probe, ProbeKind, Stage, StatName
from orchestrator.rollout.stats import WaveCounts, stat_fields
from orchestrator.rollout.verdict import Reading, read_sample

OFFLINE, DURATION, REGRESSIONS = StatName
SOME = WaveCounts(
    updated=10, proven=7, failed=3, silent=2, regressed=1,
    durations_s=(30.0, 41.5, 40.0, 300.0, 35.0, 39.0, 44.0),
)  # fmt: skip


@pytest.mark.parametrize(
    ("stat", "counts", "value"),
    [
        (OFFLINE, SOME, 2),
        (DURATION, SOME, 40.0),
        (REGRESSIONS, SOME, 1),
        (OFFLINE, WaveCounts(1, 0, 0), 0),
        (OFFLINE, WaveCounts(1, 0, 1, silent=1), 1),
        (DURATION, WaveCounts(2, 2, 0, durations_s=(10.0, 20.0)), 15.0),
        (DURATION, WaveCounts(1, 1, 0, durations_s=(7.5,)), 7.5),
        (REGRESSIONS, WaveCounts(1, 1, 0), 0),
        (REGRESSIONS, WaveCounts(3, 3, 3, regressed=3), 3),
    ],
)
def test_value_is_the_count_of_its_name(stat, counts, value):
    assert stat_fields(stat, counts)["value"] == value


@pytest.mark.parametrize(
    ("stat", "counts"),
    [
        (OFFLINE, WaveCounts(0, 0, 0)),
        (DURATION, WaveCounts(0, 0, 0)),
        (REGRESSIONS, WaveCounts(0, 0, 0)),
        (DURATION, WaveCounts(5, 0, 5)),
        (REGRESSIONS, WaveCounts(5, 0, 5)),
    ],
)
def test_count_over_no_devices_is_no_data(stat, counts):
    gate = Gate("g", Stage.WAVE, Probe(ProbeKind.STATS, stat=stat), success_when="value == 0")

    assert stat_fields(stat, counts) == {}
    assert read_sample(gate, stat_fields(stat, counts)) is Reading.NO_DATA


def test_successes_and_failures_stand_beside_it():
    fields = stat_fields(OFFLINE, SOME)

    assert (fields["successes"], fields["failures"]) == (6, 3)


def test_condition_may_read_all_three():
    gate = Gate(
        "g", Stage.WAVE, Probe(ProbeKind.STATS, stat=OFFLINE),
        fail_when="value > 1 and successes < 100 and failures > 0",
    )  # fmt: skip

    assert read_sample(gate, stat_fields(OFFLINE, SOME)) is Reading.FAILED


@pytest.mark.parametrize("counts", [(1, 2, 0), (1, 1, 0, 2), (1, 1, 0, 0, 2)])
def test_counts_that_cannot_be_are_a_bug(counts):
    with pytest.raises(AssertionError):
        WaveCounts(*counts)
