import pytest

from orchestrator.plan.resolved import ResolvedWave
from orchestrator.render.board import Board
from orchestrator.render.folds import Pipeline
from orchestrator.render.lines import EXCEPTIONS_MAX, Detail, Lines
from orchestrator.render.text import Look
from orchestrator.rollout.waiting import Waiting
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan
from tests.unit.render.going_on import gated_plan, halfway


def test_good_release_as_lines(plan, good_release, golden) -> None:
    lines = Lines(Board(plan, "r-7f3a"), Look(80))

    golden("lines-good.txt", "\n".join(lines.take(good_release.entries)) + "\n")


def test_bad_release_as_lines(plan, bad_release, golden) -> None:
    lines = Lines(Board(plan, "r-7f3a"), Look(80))

    golden("lines-bad.txt", "\n".join(lines.take(bad_release.entries)) + "\n")


def test_bad_release_in_ascii_is_ascii(plan, bad_release) -> None:
    lines = Lines(Board(plan, "r-7f3a"), Look(80, unicode=False))

    assert "\n".join(lines.take(bad_release.entries)).isascii()


def test_every_device_has_a_line_where_asked_for(plan, good_release) -> None:
    lines = Lines(Board(plan, "r-7f3a"), Look(80), detail=Detail.DEVICES)

    made = lines.take(good_release.entries)

    assert sum("updated" in line and "gw-" in line for line in made) == 24


def test_a_heartbeat_says_where_it_is(plan, good_release) -> None:
    lines = Lines(Board(plan, "r-7f3a"), Look(80))
    lines.take(good_release.entries[:50])

    assert lines.heartbeat(lines.board.now + 30) == [
        "01:19 wave early: 5/6 updated, 1 at work; running",
        "      slow: gw-007 activating 30s (usually 1s)",
    ]


def test_a_heartbeat_in_a_soak_says_how_long_it_takes(plan, journal) -> None:
    journal.add("wave_started", wave="canary")
    journal.add("soak_started", wave="canary", soak_s=90)
    lines = Lines(Board(plan, "r-7f3a"), Look(80))
    lines.take(journal.entries)

    said = lines.heartbeat(journal.at + 30)

    assert said == ["00:30 wave canary: 0/1 updated, soaking, 1m left; running"]


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        (Waiting(("ticket", "window"), {"window": 3600.0}), "; waits for ticket, window until"),
        (Waiting(("devices",)), "; running"),
        (Waiting(()), "; running"),
    ],
)
def test_a_heartbeat_says_what_it_waits_for_besides_devices(plan, journal, waits, said) -> None:
    journal.add("wave_started", wave="canary")
    lines = Lines(Board(plan, "r-7f3a"), Look(80))
    lines.take(journal.entries)

    [told] = lines.heartbeat(journal.at, waits)

    assert said in told
    assert told.count(";") == said.count(";") + ("waits" in said)


def test_before_anything_happened_a_heartbeat_says_so(plan) -> None:
    lines = Lines(Board(plan, "r-7f3a"), Look(80))

    assert "starting" in lines.heartbeat(5.0)[0]


def test_many_failures_do_not_flood(plan_of, journal) -> None:
    plan = plan_of([f"n-{i:05}" for i in range(10_000)], (10_000,))
    journal.add("rollout_started")
    journal.add("wave_started", wave="canary")
    for device in plan.waves[0].devices:
        journal.device(device, "canary", "failed", reason="low_space", detail="x")

    made = Lines(Board(plan, "r-1"), Look(80)).take(journal.entries)

    assert len(made) == 2 + EXCEPTIONS_MAX + 1
    assert "rollout events r-1" in made[-1]


def test_device_words_cannot_act_on_the_terminal(plan, journal) -> None:
    journal.device(
        "gw-001", "canary", "failed", reason="install_failed", detail="\x1b]52;c;x\x07\n99 % ok"
    )

    (line,) = Lines(Board(plan, "r-1"), Look(80, colour=True)).take(journal.entries)

    assert line.count("\x1b") == line.count("\x1b[")
    assert "\x07" not in line
    assert "\n" not in line


def test_approvals_and_answers_are_said(plan, journal) -> None:
    journal.add("approval", what="asked", required=2)
    journal.add("operator", ask="approve", who="anna@ops", why="", answer="done")
    journal.add("approval", what="given", who="anna@ops", why="")
    journal.add(
        "operator", ask="promote", who="anna@ops", why="", answer="refused", detail="no soak"
    )
    journal.add("operator", ask="pause", who="bob@ops", why="", answer="already", detail="so")
    journal.add("approval", wave="canary", what="denied", who="bob@ops", why="")
    journal.add("approval", wave="canary", what="expired")
    journal.add("resumed", wave="canary", over="approval", left=["operator"])

    assert Lines(Board(plan, "r-1"), Look(80)).take(journal.entries) == [
        "00:00 · the start waits for 2 approvals: `rollout approve r-1`",
        "00:00 anna@ops asked: approve",
        "00:00 anna@ops approved the start",
        "00:00 anna@ops asked: promote; refused: no soak",
        "00:00 bob@ops asked: pause; nothing to do: so",
        "00:00 bob@ops denied wave canary",
        "00:00 ! approval of wave canary has expired",
        "00:00 no longer paused for approval, but still paused",
    ]


def test_an_engine_that_takes_over_asks_only_devices_that_are_at_work(plan, journal) -> None:
    journal.add("engine_started", epoch=1)
    journal.add("engine_started", epoch=2)
    journal.device("gw-001", "canary", "transferring")
    journal.add("engine_started", epoch=3)

    lines = Lines(Board(plan, "r-1"), Look(80)).take(journal.entries)

    assert [line.partition(" ")[2] for line in lines] == [
        "an engine took over (epoch 2)",
        "an engine took over (epoch 3); it asks devices where they stand",
    ]


def test_what_operators_did_is_said(plan, journal) -> None:
    journal.add("operator", ask="pause", who="anna@ops", why="noon")
    journal.add("paused", wave="canary", cause="operator", detail="anna@ops: noon")
    journal.add("resumed", who="anna@ops")
    journal.add("warning", device="gw-001", what="dark")

    assert Lines(Board(plan, "r-1"), Look(80)).take(journal.entries) == [
        "00:00 anna@ops asked: pause (noon)",
        "00:00 ! paused in wave canary: operator: anna@ops: noon",
        "00:00 resumed by anna@ops",
        "00:00 ! gw-001: dark",
    ]


def test_soak_of_a_real_rollout_says_how_long() -> None:
    [first, *_] = device_ids(2)
    waves = [ResolvedWave("canary", "1", (first,), soak_s=90.0)]
    hand = Hand(make_plan(waves))
    hand.succeed(first)

    made = Lines(Board(hand.rollout.plan, "r-1"), Look(80)).take(hand.journal)

    assert "00:00 ▶ wave canary: 1/1 updated, soaking for 1m30s" in made


def test_each_entry_has_a_line_where_everything_is_told(plan, bad_release) -> None:
    bad_release.add("budget", wave="canary", counted=1, allowed=0)
    bad_release.add("rollout_done", state="rolled_back")

    lines = Lines(Board(plan, "r-1"), Look(80), detail=Detail.EVERYTHING).take(bad_release.entries)

    assert len(lines) == len(bad_release.entries)
    assert any(line.endswith("gw-001 staged -> activating") for line in lines), lines
    assert lines[-2].endswith("wave canary: budget counted=1 allowed=0")
    assert lines[-1].endswith("rollout done state=rolled_back")


@pytest.mark.parametrize("pipeline", Pipeline)
def test_pipelines_fold_the_lines_of_each_wave(pipeline, golden) -> None:
    plan = gated_plan()
    book = halfway(plan)
    lines = Lines(Board(plan, "r-7f3a"), Look(80), pipeline=pipeline)

    made = [*lines.take(book.entries), *lines.heartbeat(book.at), *lines.end()]

    text = "\n".join(made).replace("\r", "<CR>").replace("\x1b", "<ESC>")
    golden(f"lines-halfway-{pipeline.name.lower()}.txt", f"{text}\n")


@pytest.mark.parametrize("unicode", [True, False])
def test_a_log_has_what_the_live_view_has(unicode) -> None:
    plan = gated_plan()
    book = halfway(plan)
    lines = Lines(Board(plan, "r-7f3a"), Look(80, unicode=unicode))
    lines.take(book.entries)

    said = "\n".join(lines.heartbeat(book.at))

    assert "budget 2/2" in said
    assert "gate errors per minute: error" in said
    assert "no answer, 2 of 3 good, value <= 2, fails when value > 5" in said
    assert "slow: gw-007 activating 49s (usually 1s)" in said
    assert "gw-00{5,6}: too little space" in said
    assert unicode or said.isascii()


def test_a_heartbeat_tells_nothing_twice_but_who_is_slow() -> None:
    plan = gated_plan()
    book = halfway(plan)
    lines = Lines(Board(plan, "r-7f3a"), Look(80))
    lines.take(book.entries)
    lines.heartbeat(book.at)

    again = lines.heartbeat(book.at + 30)

    assert [line.split()[0] for line in again[1:]] == ["slow:"]


def test_no_line_acts_as_a_command_of_github(plan, journal) -> None:
    journal.add("wave_started", wave="canary")
    journal.device("gw-001", "canary", "failed", reason="io", detail="\n::add-mask::x ##[error]y")
    lines = Lines(Board(plan, "r-1"), Look(80), pipeline=Pipeline.GITHUB)

    opened, told = lines.take(journal.entries)

    assert opened == "::group::00:00 ▶ wave canary: 1 device"
    assert not told.startswith("::")
    assert "##[" not in told


def test_a_group_is_closed_once(plan, journal) -> None:
    for wave in ("canary", "early"):
        journal.add("wave_started", wave=wave)
    journal.add("halted", wave="early", cause="budget", detail="1 failure, 0 allowed")
    lines = Lines(Board(plan, "r-1"), Look(80), pipeline=Pipeline.GITHUB)

    made = [*lines.take(journal.entries), *lines.end()]

    assert [line for line in made if line.startswith("::")] == [
        "::group::00:00 ▶ wave canary: 1 device",
        "::endgroup::",
        "::group::00:00 ▶ wave early: 6 devices",
        "::endgroup::",
    ]
    assert made[-1].startswith("00:00 ✗ halted")
