"""Our spans as OpenTelemetry's SDK sends them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra `otel` is not installed")

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from orchestrator.traces import otlp
from orchestrator.traces.otlp import Outlet
from orchestrator.traces.spans import Ended, Happening, Span

TRACE, ROLLOUT, WAVE, ATTEMPT = 0xABC, 1, 2, 3


def span(
    name: str, span_id: int, parent_id: int, status: Ended = Ended.OK, reason: str = ""
) -> Span:
    happened = (Happening("gate_result", 1_700_000_000.5, {"rollout.gate": "serves"}),)
    return Span(
        name, TRACE, span_id, parent_id, 1_700_000_000.25, 1_700_000_001.0, status, reason,
        {"rollout.device": "gw-1"}, happened,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch) -> Iterator[None]:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)
    return


def sent(*spans: Span) -> dict[str, ReadableSpan]:
    exporter = InMemorySpanExporter()
    outlet = Outlet(exporter, {})
    for each in spans:
        outlet.send(each)
    assert outlet.close()
    return {each.name: each for each in exporter.get_finished_spans()}


def test_ids_times_and_parents_are_ours() -> None:
    found = sent(
        span("device attempt", ATTEMPT, WAVE),
        span("wave", WAVE, ROLLOUT),
        span("rollout", ROLLOUT, 0),
    )

    rollout, wave, attempt = (found[name] for name in ("rollout", "wave", "device attempt"))
    assert {each.context.trace_id for each in found.values()} == {TRACE}
    assert (rollout.context.span_id, wave.context.span_id) == (ROLLOUT, WAVE)
    assert rollout.parent is None
    assert (wave.parent.span_id, attempt.parent.span_id) == (ROLLOUT, WAVE)
    assert (attempt.start_time, attempt.end_time) == (
        1_700_000_000_250_000_000,
        1_700_000_001_000_000_000,
    )
    assert dict(attempt.attributes) == {"rollout.device": "gw-1"}
    (event,) = attempt.events
    assert (event.name, event.timestamp) == ("gate_result", 1_700_000_000_500_000_000)
    assert dict(event.attributes) == {"rollout.gate": "serves"}


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (Ended.OK, "", (StatusCode.OK, None)),
        (Ended.UNSET, "", (StatusCode.UNSET, None)),
        (Ended.ERROR, "gate_failed", (StatusCode.ERROR, "gate_failed")),
    ],
)
def test_status_has_the_code_of_the_reason(status, reason, expected) -> None:
    found = sent(span("wave", WAVE, ROLLOUT, status, reason))["wave"].status

    assert (found.status_code, found.description) == expected


def test_the_service_is_named_unless_the_environment_names_it(monkeypatch) -> None:
    named = sent(span("wave", WAVE, ROLLOUT))["wave"].resource.attributes
    assert named["service.name"] == "rollout-orchestrator"

    monkeypatch.setenv("OTEL_SERVICE_NAME", "gateways")
    exporter = InMemorySpanExporter()
    outlet = Outlet(exporter, {"OTEL_SERVICE_NAME": "gateways"})
    outlet.send(span("wave", WAVE, ROLLOUT))
    outlet.close()

    (found,) = exporter.get_finished_spans()
    assert found.resource.attributes["service.name"] == "gateways"


class Broken(SpanExporter):
    """A collector that refuses."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


class Hanging(SpanExporter):
    """A collector that does not answer, until it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.free.wait(30)
        return SpanExportResult.SUCCESS


def test_what_a_collector_refused_is_known_at_the_end() -> None:
    outlet = Outlet(Broken(), {})
    outlet.send(span("wave", WAVE, ROLLOUT))

    assert not outlet.close()


def test_a_collector_that_hangs_keeps_nobody_from_ending(monkeypatch) -> None:
    monkeypatch.setattr(otlp, "CLOSE_S", 0.05)
    exporter = Hanging()
    outlet = Outlet(exporter, {})
    outlet.send(span("wave", WAVE, ROLLOUT))

    try:
        assert not outlet.close()
    finally:
        exporter.free.set()
