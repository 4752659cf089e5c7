"""R9 as a table: what a series of samples makes of a gate, worked out by hand from the rule.

A lone `success_when` that is false has failed: only the gap between two conditions is inconclusive.
The rule leaves that case inconclusive, but then a health check could never fail (ADR 0008).
"""

import math

import pytest

from orchestrator.plan.resolved import Gate, Probe, ProbeKind, Stage
from orchestrator.rollout.verdict import Tally, read_sample

NAN, ERROR = math.nan, object()
LOW, HIGH = {"success_when": "value < 5"}, {"fail_when": "value > 5"}
BOTH = {"success_when": "value < 5", "fail_when": "value > 50"}


def many(count, **choices):
    return LOW | {"count": count} | choices


@pytest.mark.parametrize(
    ("choices", "samples", "verdict"),
    [
        # no evidence: no sample, not a number, infinite, absent, empty
        (LOW, [], "open"),
        (LOW, [NAN], "inconclusive"),
        (HIGH, [NAN], "inconclusive"),  # no data comes before the condition that is not true
        (HIGH, [math.inf], "inconclusive"),  # nor is it more than 5
        (HIGH, [None], "inconclusive"),
        (HIGH, [""], "inconclusive"),
        # one sample
        (LOW, [3], "passed"),
        (LOW, [6], "failed"),
        (HIGH, [3], "passed"),  # only `fail_when`, and false
        (HIGH, [6], "failed"),
        (BOTH, [3], "passed"),
        (BOTH, [20], "inconclusive"),  # the gap
        (BOTH, [51], "failed"),
        ({"success_when": "value > 1", "fail_when": "value > 5"}, [6], "failed"),  # the first speaks
        # errors are no measurements, and pause only when too many come in a row
        (LOW, ["many"], "open"),  # cannot be evaluated
        (LOW, [ERROR] * 4, "open"),
        (LOW, [ERROR] * 5, "error"),
        (LOW, [*[ERROR] * 4, 3], "passed"),
        (many(2), [*[ERROR] * 4, 3, *[ERROR] * 4, 3], "passed"),
        (many(2), [3, ERROR], "open"),
        # failed as soon as failed > failure_limit
        (many(3), [3, 6], "failed"),
        (many(3, failure_limit=1), [3, 6, 3], "passed"),
        (many(3, failure_limit=1), [6, 6], "failed"),
        # inconclusive as soon as inconclusive + no data > inconclusive_limit
        (many(3, inconclusive_limit=1), [3, NAN, 3], "open"),  # no data is no measurement
        (many(3, inconclusive_limit=1), [3, NAN, 3, 3], "passed"),
        (BOTH | {"count": 3, "inconclusive_limit": 1}, [20, NAN], "inconclusive"),
        # no majority: successes > failed + inconclusive
        (many(2, failure_limit=1), [3, 6], "inconclusive"),
        (BOTH | {"count": 2, "inconclusive_limit": 1}, [3, 20], "inconclusive"),
        # 29 of 100 may fail
        (many(100, failure_limit=29), [*[6] * 29, *[3] * 70], "open"),
        (many(100, failure_limit=29), [*[6] * 29, *[3] * 71], "passed"),
        (many(100, failure_limit=29), [6] * 30, "failed"),
        (many(100, failure_limit=50), [*[6] * 50, *[3] * 50], "inconclusive"),
        # with `consecutive_success_limit` only by reaching it
        (many(1, consecutive_success_limit=3, failure_limit=1), [3, 3, 6, 3, 3], "open"),
        (many(1, consecutive_success_limit=3, failure_limit=1), [3, 3, 6, 3, 3, 3], "passed"),
        (many(1, consecutive_success_limit=2, inconclusive_limit=1), [3, NAN, 3], "open"),
    ],
)  # fmt: skip
def test_r9(choices, samples, verdict):
    fields = {"success_when": None} | choices
    gate = Gate("g", Stage.WAVE, Probe(ProbeKind.HTTP, url="http://x/"), **fields)
    tally = Tally()

    for number, value in enumerate(samples):
        error = "refused" if value is ERROR else ""
        data = {} if value is ERROR else {"value": value}
        tally.add(gate, read_sample(gate, data, error), float(number))

    assert tally.verdict.value == verdict
