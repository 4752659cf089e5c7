"""What a journal folds to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave
from orchestrator.rollout.chronicle import chronicle, last_lines
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import DeviceState
from orchestrator.rollout.verdict import Reading
from orchestrator.testing.plans import device_ids, make_plan

A, B, C, D = device_ids(4)


@pytest.fixture
def plan() -> ResolvedPlan:
    return make_plan([ResolvedWave("canary", "1", (A,)), ResolvedWave("rest", "rest", (B, C, D))])


class Book:
    """A journal, an entry each second."""

    def __init__(self) -> None:
        self.entries: list[JournalEntry] = []

    def add(self, kind: str, wave: str = "", device: str = "", **data: object) -> None:
        seq = len(self.entries) + 1
        self.entries.append(JournalEntry(seq, 100.0 + seq, kind, wave, device, data))  # type: ignore[arg-type]

    def state(self, device: str, wave: str, to: str, **data: object) -> None:
        self.add("device_state", wave, device, **{"from": "queued", "to": to, **data})


@pytest.fixture
def book() -> Book:
    return Book()


def crowds(plan: ResolvedPlan, entries: Sequence[JournalEntry]) -> list[tuple[object, ...]]:
    found = chronicle(plan, entries).crowds
    return [(one.wave, one.state, one.reason, one.devices) for one in found]


def test_devices_of_a_wave_that_ended_alike_are_one_crowd(plan, book) -> None:
    book.state(A, "canary", "succeeded")
    for device in (B, C):
        book.state(device, "rest", "transferring")
    for device in (B, C):
        book.state(device, "rest", "failed", reason="io", detail=f"words of {device}")

    assert crowds(plan, book.entries) == [
        ("canary", DeviceState.SUCCEEDED, "", (A,)),
        ("rest", DeviceState.FAILED, "io", (B, C)),
        ("rest", DeviceState.PENDING, "", (D,)),
    ]
    failed, pending = chronicle(plan, book.entries).crowds[1:]
    assert (failed.from_at, failed.to_at) == (102.0, 105.0)
    assert (pending.from_at, pending.to_at) == (None, None)


def test_device_stands_in_the_wave_that_took_it(plan, book) -> None:
    book.state(B, "canary", "succeeded")

    assert ("canary", DeviceState.SUCCEEDED, "", (B,)) in crowds(plan, book.entries)


def test_device_that_joined_after_the_plan_was_made_is_there(plan, book) -> None:
    book.state("late", "rest", "succeeded")

    assert ("rest", DeviceState.SUCCEEDED, "", ("late",)) in crowds(plan, book.entries)


def test_wave_has_its_first_start_and_soak_and_its_last_end(plan, book) -> None:
    for kind in ("wave_started", "soak_started", "wave_done") * 2:
        book.add(kind, "canary")

    canary, rest = chronicle(plan, book.entries).waves

    assert (canary.begun_at, canary.soak_at, canary.done_at) == (101.0, 102.0, 106.0)
    assert (rest.begun_at, rest.soak_at, rest.done_at) == (None, None, None)


def sampled(book: Book, reading: str, **data: object) -> None:
    book.add("gate_result", "canary", gate="g", reading=reading, verdict="open", **data)


def test_samples_stand_in_the_order_of_time_with_the_number_that_says_most(plan, book) -> None:
    sampled(book, "success", **{"result.took_s": 0.1, "result.status": 200})
    sampled(book, "success", **{"result.took_s": 0.2, "result.status": 503, "measured_at": 50.0})

    (track,) = chronicle(plan, book.entries).tracks

    assert (track.gate, track.wave, track.measure) == ("g", "canary", "status")
    assert [(sample.at, sample.value) for sample in track.samples] == [
        (50.0, 503.0),
        (101.0, 200.0),
    ]
    assert track.samples[1].words == "took_s 0.1, status 200"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1", None, [1]])
def test_what_is_no_finite_number_has_no_value(plan, book, value: object) -> None:
    sampled(book, "failed", **{"result.value": value})

    (track,) = chronicle(plan, book.entries).tracks

    assert (track.measure, track.samples[0].value) == ("", None)


def test_reading_that_nobody_here_knows_is_an_error_and_no_success(plan, book) -> None:
    sampled(book, "splendid")

    (track,) = chronicle(plan, book.entries).tracks

    assert track.samples[0].reading is Reading.ERROR


def test_samples_of_single_devices_are_counted(plan, book) -> None:
    for device, reading in ((A, "failed"), (A, "no_data"), (B, "failed")):
        book.add("gate_result", "rest", device, gate="g", reading=reading, verdict="open")

    found = chronicle(plan, book.entries)

    (checks,) = found.checks
    assert (checks.gate, checks.wave, checks.devices) == ("g", "rest", 2)
    assert dict(checks.readings) == {Reading.FAILED: 2, Reading.NO_DATA: 1}
    assert found.tracks == ()


def test_signed_reports_count_for_devices_that_are_proven(plan, book) -> None:
    book.state(A, "canary", "succeeded", signed=True, key="SHA256:a")
    book.state(B, "rest", "succeeded", signed=True, key="SHA256:b")
    book.add("device_read_back", "rest", B, signed=False, why="no_key")
    book.state(C, "rest", "rolled_back", signed=True, key="SHA256:c")

    found = chronicle(plan, book.entries)

    assert (found.signed, found.proven) == (1, 2)


def test_unknown_types_states_and_waves_change_nothing(plan, book) -> None:
    before = chronicle(plan, ())
    book.add("wave_sang", "canary", A)
    book.state(A, "canary", "dancing")
    book.add("wave_started", "nowhere")

    found = chronicle(plan, book.entries)

    assert (found.waves, found.crowds) == (before.waves, before.crowds)
    assert (found.entries, found.began_at, found.ended_at) == (3, 101.0, 103.0)


def test_last_lines_are_of_the_devices_that_were_named(book) -> None:
    for device in (A, B, A, A):
        book.add("warning", "canary", device)

    assert {name: [one.seq for one in lines] for name, lines in last_lines(
        book.entries, {A}, 2).items()} == {A: [3, 4]}  # fmt: skip
