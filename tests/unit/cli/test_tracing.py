"""Traces of what a command drives."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from orchestrator import api
from orchestrator.cli.tracing import traces
from orchestrator.traces.spans import Span


@dataclass
class Collector:
    """An outlet whose collector takes everything, or does not."""

    takes: bool
    closed: bool = False

    def send(self, span: Span) -> None:
        """Nobody looks at it."""

    def close(self) -> bool:
        self.closed = True
        return self.takes


@pytest.mark.parametrize("takes", [True, False])
def test_traces_that_did_not_arrive_are_said_at_the_end(
    takes, session, monkeypatch, capsys
) -> None:
    collector = Collector(takes)
    monkeypatch.setattr(api, "open_traces", lambda _environment, *, wanted: collector)

    with traces(session) as outlet:
        assert outlet is collector

    said = capsys.readouterr().err
    assert ("did not take all traces" in said) is not takes


def test_they_are_closed_where_the_work_fails_too(session, monkeypatch) -> None:
    collector = Collector(takes=True)
    monkeypatch.setattr(api, "open_traces", lambda _environment, *, wanted: collector)

    with pytest.raises(KeyboardInterrupt), traces(session):
        raise KeyboardInterrupt

    assert collector.closed


def test_a_command_that_nobody_asked_for_traces_has_none(session, monkeypatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)

    with traces(session) as outlet:
        assert outlet is None
