"""Spans to a collector by OpenTelemetry's SDK: the one module that knows it.

Laws:
1. Where spans go, and with which headers, say the standard variables of the environment (`OTEL_*`)
   and never a file of the project.
2. No rollout waits for a collector: spans are sent by a thread of the SDK's, and who ends gives
   it a few seconds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from orchestrator import __version__
from orchestrator.traces.spans import Ended, Span

SERVICE = "rollout-orchestrator"
CLOSE_S = 5.0  # what an end may wait for a collector that does not answer
_US = 1_000_000
_CODES: Mapping[Ended, StatusCode] = {
    Ended.UNSET: StatusCode.UNSET, Ended.OK: StatusCode.OK, Ended.ERROR: StatusCode.ERROR,
}  # fmt: skip


class Outlet:
    """Sends spans through an exporter until it is closed; used from one thread."""

    def __init__(self, exporter: SpanExporter, environment: Mapping[str, str]) -> None:
        # its words about a collector that does not answer are no part of a command's output
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        named = {} if environment.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: SERVICE}
        self._ids = _Ids()
        self._exporter = _Watched(exporter)
        self._provider = TracerProvider(
            resource=Resource.create({**named, SERVICE_VERSION: __version__}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer(SERVICE, __version__)

    def send(self, span: Span) -> None:
        """Hands a span over; returns at once."""
        self._ids.next = span
        made = self._tracer.start_span(
            span.name,
            context=_around(span),
            kind=SpanKind.INTERNAL,
            attributes=span.attributes,
            start_time=_ns(span.began_at),
        )
        for each in span.happenings:
            made.add_event(each.name, each.attributes, _ns(each.at))
        made.set_status(Status(_CODES[span.status], span.reason or None))
        made.end(_ns(span.ended_at))

    def close(self) -> bool:
        """Sends what is left, within `CLOSE_S`; gives whether the collector took everything."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(CLOSE_S)
        return not (ending.is_alive() or self._exporter.failed)


def to_collector(environment: Mapping[str, str]) -> Outlet:
    """An outlet to the collector that the environment names, over HTTP.

    Raises:
        ImportError: its package is not installed.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Outlet(OTLPSpanExporter(), environment)


def _around(span: Span) -> Context:
    """The span around this one, which this process may never have seen."""
    if not span.parent_id:
        return Context()
    sampled = TraceFlags(TraceFlags.SAMPLED)
    parent = SpanContext(span.trace_id, span.parent_id, is_remote=True, trace_flags=sampled)
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _ns(at: float) -> int:
    return round(at * _US) * 1000  # of a float no more than microseconds is exact


class _Ids(IdGenerator):
    """Gives the ids of the span that is made next."""

    next: Span | None = None

    def generate_span_id(self) -> int:
        assert self.next is not None, "a span is made by `send`"
        return self.next.span_id

    def generate_trace_id(self) -> int:
        assert self.next is not None, "a span is made by `send`"
        return self.next.trace_id


class _Watched(SpanExporter):
    """Another exporter, and whether it ever failed."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self.failed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        self.failed |= result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()
