"""Gates and evidence: what a series of samples says, and how much proof a wave needs.

Laws:
1. No evidence is never success (R9): a sample without data passes nothing, and nothing passes
   with fewer than one success.
2. Everything here is a pure function of limits and samples.

Source: design "rollout-rules" R8, R9, R16; budgets (R6, R7) are in `plan.budget`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.plan.expression import ExpressionTypeError, NoData, evaluate
from orchestrator.plan.resolved import Gate, OnNoData
from orchestrator.rollout.events import Value


class Reading(StrEnum):
    """What one sample says."""

    SUCCESS = "success"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    ERROR = "error"


class Verdict(StrEnum):
    """What the samples of a gate say together."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"  # treated as inconclusive: pauses, never aborts


def read_sample(gate: Gate, fields: Mapping[str, Value], error: str = "") -> Reading:
    """What one sample says of a gate; `fail_when` speaks before `success_when`."""
    if error:
        return Reading.ERROR
    if not fields:  # as an empty answer of Prometheus
        return no_data(gate)
    try:
        return _classified(gate, fields)
    except NoData:
        return no_data(gate)
    except ExpressionTypeError:
        return Reading.ERROR


def why_unread(gate: Gate, fields: Mapping[str, Value]) -> str:
    """What a sample lacks, or has of the wrong kind, to be read; empty where nothing."""
    if not fields:
        return "the answer is empty"
    try:
        _classified(gate, fields)
    except (NoData, ExpressionTypeError) as trouble:
        return str(trouble)
    return ""


def no_data(gate: Gate) -> Reading:
    """What a sample without data says: never success, and a failure where the plan wants it."""
    return Reading.FAILED if gate.on_no_data is OnNoData.FAIL else Reading.NO_DATA


def _classified(gate: Gate, fields: Mapping[str, Value]) -> Reading:
    # both are evaluated first: absent data of either is no data before any condition (R9)
    fails = evaluate(gate.fail_when, fields) if gate.fail_when is not None else None
    succeeds = evaluate(gate.success_when, fields) if gate.success_when is not None else None
    if fails:
        return Reading.FAILED
    if succeeds or succeeds is None:
        return Reading.SUCCESS
    # A lone condition decides both ways; only the gap between two is inconclusive (ADR 0008).
    return Reading.FAILED if fails is None else Reading.INCONCLUSIVE


@dataclass(slots=True)
class Tally:
    """Samples of one gate so far. `due_at`: when the next one is wanted, in UTC seconds."""

    due_at: float = 0.0
    successes: int = 0
    failed: int = 0
    inconclusive: int = 0
    no_data: int = 0
    errors_in_row: int = 0
    successes_in_row: int = 0
    verdict: Verdict = Verdict.OPEN

    def add(self, gate: Gate, reading: Reading, at: float) -> Verdict:
        """Takes one sample; the verdict is final once it is not `open`."""
        if self.verdict is not Verdict.OPEN:
            return self.verdict
        self.due_at = at + gate.interval_s
        self.errors_in_row = self.errors_in_row + 1 if reading is Reading.ERROR else 0
        self.successes_in_row = self.successes_in_row + 1 if reading is Reading.SUCCESS else 0
        match reading:
            case Reading.SUCCESS:
                self.successes += 1
            case Reading.FAILED:
                self.failed += 1
            case Reading.INCONCLUSIVE:
                self.inconclusive += 1
            case Reading.NO_DATA:
                self.no_data += 1
            case Reading.ERROR:
                pass
        self.verdict = self._judge(gate)
        return self.verdict

    @property
    def measurements(self) -> int:
        """Samples that measured something: errors and missing data are none."""
        return self.successes + self.failed + self.inconclusive

    def _judge(self, gate: Gate) -> Verdict:
        if self.failed > gate.failure_limit:
            return Verdict.FAILED
        if self.inconclusive + self.no_data > gate.inconclusive_limit:
            return Verdict.INCONCLUSIVE
        if self.errors_in_row > gate.consecutive_error_limit:
            return Verdict.ERROR
        if gate.consecutive_success_limit is not None:
            reached = self.successes_in_row >= gate.consecutive_success_limit
            return Verdict.PASSED if reached else Verdict.OPEN
        if self.measurements < gate.count:
            return Verdict.OPEN
        majority = self.successes > self.failed + self.inconclusive
        return Verdict.PASSED if majority and self.successes >= 1 else Verdict.INCONCLUSIVE


def required_successes(base: int, allowed: int, allowed_unreachable: int) -> int:
    """Successes without which a wave has no evidence (R8)."""
    return max(1, base - allowed - allowed_unreachable)


def flight_bound(*, max_parallel: int, allowed: int, counted: int, successes: int) -> int:
    """Devices that may be past the point of no return and unproven at once (R16)."""
    return max(0, min(max_parallel, allowed - counted + 1 + successes))
