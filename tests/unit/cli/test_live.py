"""The live view on a stream that keeps what is written, and on terminals of several sizes."""

import io
import os
from dataclasses import replace

import pytest

from orchestrator.cli.live import FRAME_S, NOTICE_S, LiveView
from orchestrator.cli.region import Region
from orchestrator.render.controls import Controls
from orchestrator.render.picture import settled
from orchestrator.rollout.waiting import Waiting
from tests.unit.cli.watched import entry, standing


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def view(session, stream) -> LiveView:
    return LiveView(session, stream)


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("orchestrator.cli.live.time.monotonic", lambda: now[0])
    return now


def lines_of(stream: io.StringIO) -> list[str]:
    """What a person sees now."""
    return settled(stream.getvalue()).split("\n")


def test_lines_stay_above_and_nothing_else_stays(view, stream, run) -> None:
    view.started(run)
    view.draw()
    view.journal([entry(2, "wave_started")])
    view.draw()
    during = lines_of(stream)
    view.close()

    assert during[:2] == [
        "00:00 rollout r-1: app-1 to 1 device in 1 wave",
        "00:01 ▶ wave canary: 1 device",
    ]
    assert during[2].startswith("app-1  r-1  00:01")
    assert lines_of(stream) == [*during[:2], ""]
    assert stream.getvalue().endswith("\x1b[?25h")


def test_what_comes_after_the_last_frame_is_told_in_the_end(view, stream, run) -> None:
    view.started(run)
    view.draw()
    view.journal([entry(2, "wave_started")])

    view.close()

    assert "00:01 ▶ wave canary: 1 device" in lines_of(stream)


def test_a_line_told_meanwhile_stays_and_leaves_nothing_of_the_live_view(view, stream, run) -> None:
    view.started(run)
    view.draw()
    view.tell("stopping: " + "x" * 300)
    view.tick(200.0)
    view.close()

    assert lines_of(stream) == [
        "00:00 rollout r-1: app-1 to 1 device in 1 wave",
        "stopping: " + "x" * 300,
        "",
    ]


def test_lines_above_the_live_ones_break_at_blanks(view, stream, run, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")

    view.started(run)
    view.close()

    assert lines_of(stream) == [
        "00:00 rollout r-1: app-1 to 1 device in",
        "      1 wave",
        "",
    ]


def test_it_draws_about_four_times_a_second_however_much_happens(view, stream, run, clock) -> None:
    view.started(run)

    for number in range(1000):
        clock[0] += 0.001
        view.journal([entry(number + 2, "warning", what=f"w{number}")])
        view.tick(200.0)

    assert stream.getvalue().count("\x1b[?25l") <= 1 + 1 / FRAME_S
    view.close()
    assert lines_of(stream)[-2].endswith("! w999")


def test_a_frame_without_news_writes_no_line_again(view, stream, run) -> None:
    view.started(run)
    view.draw()
    before = len(stream.getvalue())

    view.draw()

    assert "app-1" not in stream.getvalue()[before:]
    assert lines_of(stream)[1].startswith("app-1")


def test_it_keeps_what_it_waits_for_at_its_foot(view, stream, run) -> None:
    view.started(run)
    view.stands(standing(run, engine=""))
    view.draw()

    assert "no engine drives it: `rollout resume r-1` goes on" in lines_of(stream)[-2]


def test_it_says_what_a_rollout_waits_for_that_is_driven_here(view, stream, run) -> None:
    view.started(run)
    view.waits(Waiting(("soak",)))
    view.draw()
    assert "waits for" not in settled(stream.getvalue())

    view.waits(Waiting(("window",), {"window": 3600.0}))
    view.draw()

    assert lines_of(stream)[-2] == " waits for window until 1970-01-01 01:00:00Z"


def test_what_came_of_a_key_stands_for_a_while(view, stream, run, clock) -> None:
    view.started(run)
    view.control(Controls(notice="paused"))
    assert lines_of(stream)[-3] == " paused"

    clock[0] += NOTICE_S
    view.tick(200.0)

    assert " paused" not in lines_of(stream)


def test_while_it_is_hidden_it_writes_nothing_and_forgets_nothing(view, stream, run) -> None:
    view.started(run)
    view.draw()
    view.hide()
    hidden = stream.getvalue()
    view.journal([entry(2, "wave_started")])
    view.tick(200.0)
    assert stream.getvalue() == hidden
    assert hidden.endswith("\x1b[?25h")

    view.unhide()

    assert "00:01 ▶ wave canary: 1 device" in lines_of(stream)


@pytest.mark.parametrize("size", [(12, 3), (20, 5), (40, 10), (80, 24), (200, 60)])
def test_it_leaves_room_above_it_on_a_terminal_of_any_size(
    session, stream, run, size, monkeypatch
) -> None:
    columns, rows = size
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(rows))
    view = LiveView(replace(session, may_ask=True), stream)
    view.started(run)
    view.close()
    stream.truncate(0)

    view.control(Controls())

    drawn = [line for line in lines_of(stream) if line]
    assert 0 < len(drawn) < rows
    assert all(len(line.lstrip("\0")) < columns for line in drawn)


def test_a_narrower_terminal_is_counted_in_the_rows_it_has_now(stream, monkeypatch) -> None:
    region = Region(stream)
    monkeypatch.setenv("COLUMNS", "100")
    region.draw(["x" * 90, "y" * 30])
    stream.truncate(0)
    monkeypatch.setenv("COLUMNS", "50")

    region.draw(["z"])

    assert "\x1b[3F\x1b[J" in stream.getvalue()


def test_the_size_is_that_of_the_terminal_drawn_on(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours, "rb"):
        region = Region(terminal)
        assert region.size().columns == 33  # a terminal without a size says nothing

        import fcntl
        import struct
        import termios

        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 77, 0, 0))

        assert region.size() == (77, 20)
