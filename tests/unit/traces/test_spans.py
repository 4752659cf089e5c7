"""The journal as spans."""

from __future__ import annotations

import json

import pytest

from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import DeviceState
from orchestrator.testing.simulation import simulate
from orchestrator.traces.spans import Ended, Span, SpanTree

SEEDS = range(8)


class Book:
    """A journal, an entry each second."""

    def __init__(self) -> None:
        self.entries: list[JournalEntry] = []

    def add(self, kind: str, wave: str = "", device: str = "", **data: object) -> None:
        seq = len(self.entries) + 1
        self.entries.append(JournalEntry(seq, 100.0 + seq, kind, wave, device, data))  # type: ignore[arg-type]

    def states(self, device: str, *states: str, wave: str = "canary", **data: object) -> None:
        for to in states:
            self.add("device_state", wave, device, **{"from": "queued", "to": to}, **data)

    def spans(self) -> list[Span]:
        return list(SpanTree("r-1", "fw").take(self.entries))


@pytest.fixture
def book() -> Book:
    begun = Book()
    begun.add("rollout_started")
    begun.add("wave_started", "canary", devices=1)
    return begun


def told(spans: list[Span]) -> list[tuple[str, str, str]]:
    return [(span.name, span.status.value, span.reason) for span in spans]


def test_an_attempt_stands_in_its_wave_and_the_wave_in_the_rollout(book) -> None:
    book.states("gw-1", "transferring", "activating", "verifying", "succeeded", attempt=1)
    book.add("wave_done", "canary", state="passed")
    book.add("rollout_done", state="succeeded")

    attempt, wave, rollout = book.spans()

    assert told([attempt, wave, rollout]) == [
        ("device attempt", "ok", ""),
        ("wave", "ok", ""),
        ("rollout", "ok", ""),
    ]
    assert (attempt.parent_id, wave.parent_id, rollout.parent_id) == (
        wave.span_id,
        rollout.span_id,
        0,
    )
    assert len({attempt.trace_id, wave.trace_id, rollout.trace_id}) == 1
    assert (attempt.began_at, attempt.ended_at) == (103.0, 106.0)
    assert (rollout.began_at, rollout.ended_at) == (101.0, 108.0)
    assert attempt.attributes == {
        "rollout.id": "r-1",
        "rollout.device": "gw-1",
        "rollout.attempt": 1,
        "rollout.wave": "canary",
        "rollout.state": "succeeded",
    }
    assert [each.attributes["rollout.state"] for each in attempt.happenings] == [
        "transferring", "activating", "verifying", "succeeded",
    ]  # fmt: skip


def test_each_attempt_that_failed_is_an_error_with_its_reason(book) -> None:
    book.states("gw-1", "transferring", attempt=1)
    book.states("gw-1", "retry_wait", attempt=1, reason="unreachable")
    book.states("gw-1", "transferring", "activating", attempt=2)
    book.states("gw-1", "rolling_back", attempt=2, reason="gate_failed")
    book.states("gw-1", "rolled_back", attempt=2)

    first, second = book.spans()

    assert told([first, second]) == [
        ("device attempt", "error", "unreachable"),
        ("device attempt", "error", "gate_failed"),
    ]
    assert first.span_id != second.span_id
    assert second.attributes["rollout.attempt"] == 2


def test_the_way_back_of_a_device_that_had_ended_is_a_span_of_its_own(book) -> None:
    book.states("gw-1", "activating", "succeeded")
    book.states("gw-1", "rolling_back", "rolled_back")

    assert told(book.spans()) == [("device attempt", "ok", ""), ("device rollback", "ok", "")]


def test_a_rollout_that_ended_and_is_taken_back_gets_a_span_for_the_way_back(book) -> None:
    book.states("gw-1", "activating", "succeeded")
    book.add("wave_done", "canary", state="passed")
    book.add("rollout_done", state="succeeded")
    book.add("rollback_started", devices=["gw-1"], who="ann")
    book.states("gw-1", "rolling_back", "rolled_back")
    book.add("rollout_done", state="rolled_back")

    *_, rollout, device, back = book.spans()

    assert told([rollout, device, back]) == [
        ("rollout", "ok", ""),
        ("device rollback", "ok", ""),
        ("rollback", "ok", ""),
    ]
    assert (device.parent_id, back.parent_id) == (back.span_id, rollout.span_id)


@pytest.mark.parametrize("state", ["queued", "cancelled", "skipped"])
def test_what_ended_without_proof_is_never_ok(book, state) -> None:
    book.states("gw-1", "transferring", state)

    (span,) = book.spans()

    assert span.status is Ended.UNSET


def test_devices_that_are_only_waiting_have_no_span(book) -> None:
    book.states("gw-1", "queued", "deferred", "unchanged")

    assert book.spans() == []


def test_results_of_gates_are_events_of_the_attempt_or_of_the_wave(book) -> None:
    book.states("gw-1", "verifying")
    said = {"gate": "serves", "reading": "failure", "verdict": "failed"}
    book.add("gate_result", "canary", "gw-1", **said, **{"result.body": "s3cret"}, error="s3cret")
    book.add("gate_result", "canary", **said)
    book.states("gw-1", "failed", reason="gate_failed")
    book.add("wave_done", "canary", state="tripped")

    attempt, wave = book.spans()

    expected = {
        "rollout.gate": "serves",
        "rollout.reading": "failure",
        "rollout.verdict": "failed",
    }
    assert [each.attributes for each in attempt.happenings if each.name == "gate_result"] == [
        expected
    ]
    assert [each.attributes for each in wave.happenings] == [expected]
    assert told([wave]) == [("wave", "error", "tripped")]


def test_what_a_rollout_was_stopped_by_is_an_event_of_it(book) -> None:
    book.add("halted", "canary", cause="budget", detail="words of gw-1")
    book.add("rollout_done", state="aborted")

    wave, rollout = book.spans()

    assert told([wave, rollout]) == [("wave", "unset", ""), ("rollout", "error", "aborted")]
    (halt,) = rollout.happenings
    assert (halt.name, halt.attributes) == ("halted", {"rollout.cause": "budget"})


def test_no_text_of_a_device_or_of_a_person_is_in_a_span(book) -> None:
    book.states("gw-1", "activating")
    book.states("gw-1", "failed", reason="io", detail="s3cret", boot="s3cret")
    book.add("operator", ask="pause", who="s3cret", why="s3cret")
    book.add("approval", "canary", what="given", who="s3cret", why="s3cret")
    book.add("paused", "canary", cause="operator", detail="s3cret")
    book.add("warning", "canary", "gw-1", what="unsigned_report", detail="s3cret")
    book.add("rollout_done", state="failed")

    assert "s3cret" not in repr(book.spans())


def test_a_loop_of_samples_does_not_grow_a_span_without_end(book) -> None:
    for _ in range(1000):
        book.add("gate_result", "canary", gate="serves", reading="error", verdict="running")
    book.add("wave_done", "canary", state="passed")

    (wave,) = book.spans()

    assert len(wave.happenings) == 128


@pytest.mark.parametrize("seed", SEEDS)
def test_spans_of_whole_rollouts_are_trees_whoever_tells_them(seed) -> None:
    for journal in journals(seed):
        check_tree(journal)


def journals(seed: int) -> list[list[JournalEntry]]:
    """Those of the one or two rollouts of a simulation."""
    found: list[list[JournalEntry]] = []
    for entry in simulate(seed).journal:
        if entry.seq == 1:
            found.append([])
        found[-1].append(entry)
    return found


def check_tree(journal: list[JournalEntry]) -> None:
    whole = SpanTree("r-1", "fw").take(journal)

    half = len(journal) // 2
    later = SpanTree("r-1", "fw")
    earlier = later.take(journal[:half])

    assert earlier + later.take(journal[half:]) == whole
    ids = [span.span_id for span in whole]
    assert len(set(ids)) == len(ids)
    assert {span.parent_id for span in whole} <= {*ids, 0}
    assert sum(span.parent_id == 0 for span in whole) == 1
    assert all(span.began_at <= span.ended_at for span in whole)
    proven = [span for span in whole if span.name == "device attempt" and span.status is Ended.OK]
    states = [span.attributes["rollout.state"] for span in proven]
    assert {DeviceState(str(state)) for state in states} <= {
        DeviceState.SUCCEEDED,
        DeviceState.UNCHANGED,
    }
    json.dumps([dict(span.attributes) for span in whole])
