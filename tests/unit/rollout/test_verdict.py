import pytest

from orchestrator.plan.resolved import Gate, OnNoData, Probe, ProbeKind, Stage
from orchestrator.rollout.verdict import (
    Reading,
    Tally,
    Verdict,
    flight_bound,
    read_sample,
    required_successes,
)

S, F, I, N, E = (  # noqa: E741  columns of a table
    Reading.SUCCESS,
    Reading.FAILED,
    Reading.INCONCLUSIVE,
    Reading.NO_DATA,
    Reading.ERROR,
)


def gate(**choices):
    fields = {"success_when": "value > 0"} | choices
    return Gate("g", Stage.WAVE, Probe(ProbeKind.HTTP, url="http://x/"), **fields)


@pytest.mark.parametrize(
    ("success_when", "fail_when", "value", "reading"),
    [
        ("value > 5", None, 6, Reading.SUCCESS),
        ("value > 5", None, 5, Reading.FAILED),
        (None, "value > 5", 6, Reading.FAILED),
        (None, "value > 5", 5, Reading.SUCCESS),
        ("value > 5", "value < 2", 6, Reading.SUCCESS),
        ("value > 5", "value < 2", 1, Reading.FAILED),
        ("value > 5", "value < 2", 3, Reading.INCONCLUSIVE),
        ("value > 5", "value > 4", 6, Reading.FAILED),
        ("value > 5", None, None, Reading.NO_DATA),
        ("value > 5", None, "", Reading.NO_DATA),
        ("value > 5", None, float("nan"), Reading.NO_DATA),
        ("value > 5", None, float("inf"), Reading.NO_DATA),
        ("value > 5", None, "many", Reading.ERROR),
    ],
)
def test_sample_is_read_by_its_conditions(success_when, fail_when, value, reading):
    conditions = gate(success_when=success_when, fail_when=fail_when)

    assert read_sample(conditions, {"value": value}) is reading


def test_sample_without_fields_is_no_data():
    assert read_sample(gate(), {}) is Reading.NO_DATA


@pytest.mark.parametrize("fields", [{}, {"value": None}, {"value": float("nan")}, {"other": 1}])
def test_missing_data_fails_where_the_gate_says_so(fields):
    strict = gate(on_no_data=OnNoData.FAIL)

    assert read_sample(strict, fields) is Reading.FAILED


def test_provider_error_is_an_error_whatever_the_fields_say():
    assert read_sample(gate(), {"value": 1}, "refused") is Reading.ERROR


@pytest.mark.parametrize(
    ("choices", "readings", "verdict"),
    [
        ({}, [S], Verdict.PASSED),
        ({}, [F], Verdict.FAILED),
        ({}, [I], Verdict.INCONCLUSIVE),
        ({}, [N], Verdict.INCONCLUSIVE),
        ({}, [E], Verdict.OPEN),
        ({}, [E, E, E, E], Verdict.OPEN),
        ({}, [E, E, E, E, E], Verdict.ERROR),
        ({}, [E, E, S], Verdict.PASSED),
        ({"count": 3}, [S, S], Verdict.OPEN),
        ({"count": 3}, [S, S, S], Verdict.PASSED),
        ({"count": 3, "failure_limit": 1}, [S, F, S], Verdict.PASSED),
        ({"count": 3, "failure_limit": 1}, [F, F], Verdict.FAILED),
        ({"count": 3, "failure_limit": 2}, [S, F, F], Verdict.INCONCLUSIVE),
        ({"count": 2, "inconclusive_limit": 1}, [N, S, S], Verdict.PASSED),
        ({"count": 2, "inconclusive_limit": 1}, [N, I], Verdict.INCONCLUSIVE),
        ({"count": 2, "inconclusive_limit": 5}, [N, N, N], Verdict.OPEN),
        ({"count": 2, "inconclusive_limit": 1}, [S, I], Verdict.INCONCLUSIVE),
        ({"consecutive_success_limit": 2, "failure_limit": 3}, [S, F, S], Verdict.OPEN),
        ({"consecutive_success_limit": 2, "failure_limit": 3}, [S, F, S, S], Verdict.PASSED),
        ({"consecutive_success_limit": 2}, [S, E, S], Verdict.OPEN),
    ],
)
def test_gate_verdict_over_a_series_of_samples(choices, readings, verdict):
    conditions = gate(**choices)
    tally = Tally()

    for number, reading in enumerate(readings):
        tally.add(conditions, reading, float(number))

    assert tally.verdict is verdict


def test_verdict_is_final():
    tally = Tally()
    tally.add(gate(), F, 0.0)

    assert tally.add(gate(), S, 1.0) is Verdict.FAILED


def test_next_sample_is_due_one_interval_later():
    tally = Tally()
    tally.add(gate(count=2, interval_s=7.0), S, 100.0)

    assert tally.due_at == 107.0


@pytest.mark.parametrize(
    ("base", "allowed", "unreachable", "required"),
    [(10, 0, 0, 10), (10, 2, 3, 5), (1, 1, 0, 1), (0, 0, 0, 1), (3, 2, 2, 1)],
)
def test_required_successes_are_never_none(base, allowed, unreachable, required):
    assert required_successes(base, allowed, unreachable) == required


@pytest.mark.parametrize(
    ("allowed", "counted", "successes", "bound"),
    [(0, 0, 0, 1), (2, 0, 0, 3), (2, 2, 0, 1), (0, 3, 0, 0), (0, 0, 4, 5), (0, 0, 400, 50)],
)
def test_flight_bound_opens_with_allowed_plus_one_and_grows_with_proof(
    allowed, counted, successes, bound
):
    found = flight_bound(max_parallel=50, allowed=allowed, counted=counted, successes=successes)

    assert found == bound
