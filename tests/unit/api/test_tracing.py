"""Who gets traces, and which."""

from __future__ import annotations

import sys

import pytest

from orchestrator import api
from orchestrator.api.tracing import Traces, observing, open_traces
from orchestrator.errors import OrchestratorError
from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.plans import device_ids, make_plan
from orchestrator.traces.spans import Span

(A,) = device_ids(1)
NAMED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


class Kept:
    """An outlet that keeps what it is told."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def send(self, span: Span) -> None:
        self.spans.append(span)

    def close(self) -> bool:
        return True

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


@pytest.fixture
def plan() -> ResolvedPlan:
    return make_plan([ResolvedWave("all", "rest", (A,))])


def entries() -> list[JournalEntry]:
    told: list[tuple[str, str, str, dict[str, str]]] = [
        ("rollout_started", "", "", {}),
        ("wave_started", "all", "", {}),
        ("device_state", "all", A, {"from": "queued", "to": "transferring"}),
        ("device_state", "all", A, {"from": "transferring", "to": "retry_wait"}),
        ("device_state", "all", A, {"from": "queued", "to": "transferring"}),
        ("device_state", "all", A, {"from": "verifying", "to": "succeeded"}),
        ("wave_done", "all", "", {"state": "passed"}),
        ("rollout_done", "", "", {"state": "succeeded"}),
    ]
    return [
        JournalEntry(seq, 100.0 + seq, kind, wave, device, data)
        for seq, (kind, wave, device, data) in enumerate(told, 1)
    ]


def test_a_new_rollout_is_told_from_its_beginning(plan) -> None:
    kept, journal = Kept(), entries()
    traces = Traces(kept)

    traces.started(api.Run("r-1", plan, "d", joined=False, history=tuple(journal[:4])))
    traces.journal(journal[4:])

    assert kept.names == ["device attempt", "device attempt", "wave", "rollout"]


def test_of_one_that_goes_on_only_what_ends_now_is_told_and_with_its_beginning(plan) -> None:
    kept, journal = Kept(), entries()
    traces = Traces(kept)

    traces.started(api.Run("r-1", plan, "d", joined=True, history=tuple(journal[:4])))
    traces.journal(journal[4:])

    assert kept.names == ["device attempt", "wave", "rollout"]
    assert kept.spans[-1].began_at == 101.0


def test_what_another_engine_did_meanwhile_is_told_once(plan) -> None:
    kept, journal = Kept(), entries()
    traces = Traces(kept)

    traces.started(api.Run("r-1", plan, "d", joined=False, history=tuple(journal[:2])))
    traces.journal(journal[2:5])
    traces.started(api.Run("r-1", plan, "d", joined=True, history=tuple(journal[:6])))
    traces.journal(journal[6:])

    assert kept.names == ["device attempt", "device attempt", "wave", "rollout"]


def test_rollouts_at_the_same_time_are_not_mixed_up(plan) -> None:
    kept, journal = Kept(), entries()
    observe = observing(kept, None)
    one, other = observe(), observe()

    one.started(api.Run("r-1", plan, "d", joined=False))
    other.started(api.Run("r-2", plan, "d", joined=False))
    for entry in journal:
        one.journal([entry])
        other.journal([entry])

    assert len({span.trace_id for span in kept.spans}) == 2
    assert kept.names.count("rollout") == 2


@pytest.mark.parametrize("environment", [{}, {"OTEL_SDK_DISABLED": "true", **NAMED}])
def test_nobody_who_asks_for_none_gets_traces(environment) -> None:
    assert open_traces(environment, wanted=False) is None


@pytest.fixture
def without_extra(monkeypatch) -> None:
    name = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_extra")
def test_without_the_extra_a_wish_is_refused_by_its_name() -> None:
    with pytest.raises(OrchestratorError, match="the extra `otel`") as refused:
        open_traces(NAMED, wanted=True)

    assert "rollout-orchestrator[otel]" in refused.value.hint


@pytest.mark.usefixtures("without_extra")
def test_without_the_extra_a_variable_of_the_machine_is_no_error() -> None:
    assert open_traces(NAMED, wanted=False) is None
