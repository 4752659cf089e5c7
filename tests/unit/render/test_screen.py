import time

import pytest

from orchestrator.render.board import Board
from orchestrator.render.screen import screen
from orchestrator.render.text import Look, cells


@pytest.fixture
def halfway(plan, good_release) -> Board:
    board = Board(plan, "r-7f3a")
    board.take(good_release.entries[:101])
    board.take_time(board.now + 2)
    board.take_work(next(iter(board.at_work)), "stage", 12_000_000, 64_200_000)
    return board


@pytest.mark.parametrize("width", [60, 80, 120])
def test_halfway(halfway, width, golden) -> None:
    golden(f"screen-{width}.txt", "\n".join(screen(halfway, Look(width), 24)) + "\n")


def test_it_never_grows_beyond_its_room(plan_of, journal) -> None:
    plan = plan_of([f"n-{i:05}" for i in range(10_000)], (10,) * 1000)
    board = Board(plan, "r-1")
    for wave in plan.waves[:300]:
        journal.add("wave_started", wave=wave.name)
        for device in wave.devices:
            journal.device(device, wave.name, "transferring")
    board.take(journal.entries)

    for width in (40, 80, 120):
        for height in (6, 10, 24, 60):
            lines = screen(board, Look(width), height)
            assert len(lines) <= height
            assert all(cells(line) <= width for line in lines)


def test_drawing_10_000_devices_is_quick(plan_of, journal) -> None:
    """The bound is loose (a frame may cost a tenth of this); it catches work per device."""
    plan = plan_of([f"n-{i:05}" for i in range(10_000)], (10_000,))
    board = Board(plan, "r-1")
    for device in plan.waves[0].devices[:200]:
        journal.device(device, "canary", "transferring")
    board.take(journal.entries)

    before = time.process_time()
    for _ in range(20):
        screen(board, Look(120), 30)

    assert (time.process_time() - before) / 20 < 0.05


def test_a_soaking_wave_says_how_long(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.add("wave_started", wave="canary")
    journal.add("soak_started", wave="canary", soak_s=90)
    board.take(journal.entries)

    assert any("soaking, 1m30s left" in line for line in screen(board, Look(100), 10))


def test_failures_are_shown_against_what_is_allowed(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.add("wave_started", wave="early")
    journal.add("budget", wave="early", counted=2, allowed=1)
    board.take(journal.entries)

    assert any("failed 2/1 allowed" in line for line in screen(board, Look(100), 10))


def test_names_and_words_of_devices_are_escaped(plan_of, journal) -> None:
    plan = plan_of(["gw\x1b[2J-1"], (1,))
    board = Board(plan, "r-1")
    journal.device("gw\x1b[2J-1", "canary", "transferring")
    journal.add("gate_result", wave="canary", gate="\x1b]0;x", verdict="open")
    board.take(journal.entries)

    assert "\x1b" not in "".join(screen(board, Look(100), 10))
