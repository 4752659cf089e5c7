import sys
from collections import Counter
from collections.abc import Callable

import pytest

from orchestrator.render.board import Board
from orchestrator.render.controls import Controls, Deed, Panel
from orchestrator.render.screen import screen
from orchestrator.render.text import Look, cells
from tests.unit.render.going_on import gated_plan, halfway


@pytest.fixture
def board() -> Board:
    plan = gated_plan()
    book = halfway(plan)
    board = Board(plan, "r-7f3a")
    board.take(book.entries)
    board.take_time(book.at)
    return board


def text_of(board: Board, *, width: int = 100, height: int = 30, **more: object) -> str:
    return "\n".join(screen(board, Look(width), height, **more)) + "\n"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_halfway(board, width, golden) -> None:
    golden(f"screen-{width}.txt", text_of(board, width=width, controls=Controls()))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_halfway_without_utf_8(board, width, golden) -> None:
    lines = screen(board, Look(width, unicode=False), 30, (), Controls())

    text = "\n".join(lines) + "\n"
    assert text.isascii()
    golden(f"screen-{width}-ascii.txt", text)


def test_halfway_in_colour(board, golden) -> None:
    lines = screen(board, Look(80, colour=True), 30, (), Controls())

    golden("screen-80-colour.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("panel", [Panel.LOGS, Panel.HELP])
def test_panels_take_the_place_of_gates_devices_and_causes(board, panel, golden) -> None:
    shown = text_of(board, width=80, controls=Controls(panel=panel))

    assert "gates" not in shown
    golden(f"screen-{panel.name.lower()}-80.txt", shown)


@pytest.mark.parametrize("width", [60, 100])
def test_a_question_stands_in_the_place_of_the_keys(board, width) -> None:
    *_, notice, last = screen(
        board, Look(width), 30, (), Controls(question=Deed.HALT, notice="so it is")
    )

    assert last.startswith(" halt r-7f3a? ")
    assert last.endswith("[y/N]")
    assert notice == " so it is"
    assert cells(last) <= width


def test_a_paused_rollout_says_why_and_p_resumes_it(board, journal) -> None:
    board.take([journal.add("paused", wave="early", cause="operator", detail="ann@ops: noon")])

    lines = screen(board, Look(80), 30, (), Controls())

    assert lines[0].endswith("  paused")
    assert lines[1] == " ! paused: ann@ops: noon"
    assert lines[-1].startswith(" p resume")


def test_it_never_grows_beyond_its_room(plan_of, journal) -> None:
    plan = plan_of([f"n-{i:05}" for i in range(10_000)], (10,) * 1000)
    board = Board(plan, "r-1")
    for wave in plan.waves[:300]:
        journal.add("wave_started", wave=wave.name)
        for device in wave.devices:
            journal.device(device, wave.name, "transferring")
        journal.device(wave.devices[0], wave.name, "failed", reason="io", detail=f"x{wave.name}")
        journal.add("gate_result", wave=wave.name, gate=wave.name, reading="success")
    journal.add("paused", cause="operator", detail="x" * 500)
    board.take(journal.entries)

    for width in (10, 20, 40, 80, 120):
        for height in (1, 2, 6, 10, 17, 24, 60):
            for controls in (None, Controls(), *(Controls(panel, Deed.HALT) for panel in Panel)):
                lines = screen(board, Look(width), height, ["a", "b", "c"], controls)
                assert len(lines) <= height
                assert all(cells(line) <= width for line in lines)


def big(count: int) -> Board:
    """A rollout of so many devices: a third failed for ten causes, a third at work."""
    from tests.unit.render.conftest import Journal, make_plan

    plan = make_plan([f"n-{i:05}" for i in range(count)], (count,))
    board, book = Board(plan, "r-1"), Journal()
    book.add("wave_started", wave="canary")
    for index, device in enumerate(plan.waves[0].devices):
        book.device(device, "canary", "transferring")
        if index % 3 == 0:
            words = "abcdefghij"[index // 3 % 10]
            book.device(device, "canary", "failed", reason="io", detail=words)
        elif index % 3 == 1:
            book.device(device, "canary", "succeeded")
    board.take(book.entries)
    return board


def work_of(act: Callable[[], object]) -> Counter[str]:
    """How often which function was called, those of C too, and how many lines were run."""
    found: Counter[str] = Counter()

    def profile(_frame: object, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            found[event] += 1

    def trace(_frame: object, event: str, _argument: object) -> object:
        found[event] += event == "line"
        return trace

    before = sys.gettrace()
    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
        sys.setprofile(None)
    return found


@pytest.mark.parametrize("panel", [Panel.NONE, Panel.LOGS])
def test_a_frame_costs_the_same_for_10_000_devices(panel) -> None:
    """Counted in work, not in time; one more digit in a number is all that may differ."""
    small, large = big(1_000), big(10_000)

    few = work_of(lambda: screen(small, Look(120), 30, (), Controls(panel)))
    many = work_of(lambda: screen(large, Look(120), 30, (), Controls(panel)))

    assert many["line"] < 1.2 * few["line"]
    assert many["call"] + many["c_call"] < 1.2 * (few["call"] + few["c_call"])


def test_an_entry_costs_the_same_for_10_000_devices() -> None:
    from orchestrator.rollout.events import JournalEntry

    def entry(board: Board) -> JournalEntry:
        data = {"from": "transferring", "to": "failed", "reason": "io", "detail": "new words"}
        return JournalEntry(10**6, board.now, "device_state", "canary", "n-00002", data)

    small, large = big(1_000), big(10_000)

    few = work_of(lambda: small.take((entry(small),)))
    many = work_of(lambda: large.take((entry(large),)))

    assert many["line"] < 1.2 * few["line"]


def test_nothing_in_a_frame_walks_through_the_fleet() -> None:
    """What `work_of` cannot see: loops inside of C, as those of `sorted` and `sum`."""

    class Sealed(dict[str, object]):
        def __iter__(self) -> object:
            raise AssertionError("a frame looked at every device")

        keys = values = items = __iter__

    board = big(300)
    board.devices = Sealed(board.devices)
    board.last = Sealed(board.last)

    for panel in Panel:
        assert screen(board, Look(120), 30, (), Controls(panel))


def test_a_soaking_wave_says_how_long(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.add("wave_started", wave="canary")
    journal.add("soak_started", wave="canary", soak_s=90)
    board.take(journal.entries)

    assert "soaking, 1m30s left" in text_of(board)


def test_failures_are_shown_against_what_is_allowed(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.add("wave_started", wave="early")
    journal.add("budget", wave="early", counted=2, allowed=1)
    board.take(journal.entries)

    assert "budget 2/1" in text_of(board)


def test_bytes_of_a_device_are_shown_while_they_go_out(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.device("gw-001", "canary", "transferring")
    board.take(journal.entries)

    board.take_work("gw-001", "copying", 12_000_000, 64_200_000)

    assert "gw-001  copying         18 % of 61.2 MiB" in text_of(board)


def test_a_device_keeps_its_row_when_others_end(plan, journal) -> None:
    board = Board(plan, "r-1")
    for name in ("gw-002", "gw-003", "gw-004"):
        journal.device(name, "early", "transferring")
    board.take(journal.entries)
    before = [line.split()[0] for line in text_of(board).splitlines() if " gw-00" in line]

    board.take([journal.add("device_state", wave="early", device="gw-002", to="succeeded")])
    after = [line.split() for line in text_of(board).splitlines() if " gw-00" in line]

    assert before == ["gw-002", "gw-003", "gw-004"]
    assert after[0] == ["✓", "gw-002", "updated"]
    assert [words[0] for words in after[1:]] == ["gw-003", "gw-004"]


def test_names_and_words_of_devices_are_escaped(plan_of, journal) -> None:
    plan = plan_of(["gw\x1b[2J-1"], (1,))
    board = Board(plan, "r-1")
    journal.device("gw\x1b[2J-1", "canary", "transferring")
    journal.device("gw\x1b[2J-1", "canary", "failed", reason="io", detail="\x1b[2J\n")
    journal.add("gate_result", wave="canary", gate="\x1b]0;x", verdict="\x1b[1m", error="\x1b[2J")
    journal.add("halted", cause="gate", detail="\x1b[2J\r")
    board.take(journal.entries)

    for panel in Panel:
        assert text_of(board, controls=Controls(panel)).replace("\n", "").isprintable()
