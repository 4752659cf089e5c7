"""Traces of the rollouts that this process drives, where somebody wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Protocol

from orchestrator.api.values import Nobody, Run
from orchestrator.errors import OrchestratorError
from orchestrator.rollout.events import JournalEntry
from orchestrator.traces.spans import Span, SpanTree

EXTRA = "rollout-orchestrator[otel]"
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Outlet(Protocol):
    """Where spans go."""

    def send(self, span: Span) -> None:
        """Takes one; returns at once."""
        ...

    def close(self) -> bool:
        """Sends what is left; gives whether all of it was taken."""
        ...


def open_traces(environment: Mapping[str, str], *, wanted: bool) -> Outlet | None:
    """Where spans go, None where nobody wants any.

    Args:
        environment: names the collector (`OTEL_EXPORTER_OTLP_ENDPOINT`), or switches traces off
            (`OTEL_SDK_DISABLED=true`).
        wanted: somebody asked for traces; otherwise they are sent where the environment names a
            collector and the extra is installed.

    Raises:
        OrchestratorError: they are wanted, and the extra is not installed.
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if not wanted and not any(environment.get(name) for name in ENDPOINTS):
        return None
    require_extra(wanted=wanted)
    if not _is_installed():  # the variable is for every program of the machine
        return None
    from orchestrator.traces.otlp import to_collector

    return to_collector(environment)


def require_extra(*, wanted: bool) -> None:
    """Refuses traces that are wanted where they cannot be sent.

    Raises:
        OrchestratorError: the extra is not installed.
    """
    if wanted and not _is_installed():
        message = "traces need the extra `otel`, which is not installed"
        raise OrchestratorError(message, hint=f"`pip install '{EXTRA}'`")


def _is_installed() -> bool:
    try:
        return all(find_spec(name) is not None for name in PACKAGES)
    except ImportError:  # not even a package around it
        return False


class Traces(Nobody):
    """Tells an outlet the spans of one rollout, as its journal grows."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._tree: SpanTree | None = None
        self._seq = 0

    def started(self, run: Run) -> None:
        """It is driven; what ended before that was told by who drove it then."""
        if self._tree is None:
            self._tree = SpanTree(run.rollout_id, run.resolved.name)
            if run.joined:
                self._tree.take(run.history)
                self._seq = run.history[-1].seq if run.history else 0
        self.journal(run.history)

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """Tells the spans that these entries end."""
        if self._tree is None:
            return
        for span in self._tree.take(entry for entry in entries if entry.seq > self._seq):
            self._outlet.send(span)
        if entries:
            self._seq = max(self._seq, entries[-1].seq)


class Both(Nobody):
    """Tells two observers what a rollout's journal gets."""

    def __init__(self, first: Nobody, second: Nobody) -> None:
        self._both = (first, second)

    def started(self, run: Run) -> None:
        """Handed on."""
        for each in self._both:
            each.started(run)

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """Handed on."""
        for each in self._both:
            each.journal(entries)


def observing(outlet: Outlet | None, other: Nobody | None) -> Callable[[], Nobody]:
    """What makes an observer for each of several rollouts: its traces, and `other` for all."""

    def make() -> Nobody:
        shared = other or Nobody()
        return shared if outlet is None else Both(Traces(outlet), shared)

    return make
