"""What a rollout waits for, who drives it and what may be typed: words, lines and the live foot."""

from dataclasses import replace

import pytest

from orchestrator.plan.schedule import Freeze, Schedule
from orchestrator.render.board import Board
from orchestrator.render.documents import standing_line
from orchestrator.render.lines import Lines
from orchestrator.render.screen import screen
from orchestrator.render.standing import (
    Facts,
    commands,
    foot,
    is_interrupted,
    left,
    standing,
    standing_lines,
)
from orchestrator.render.summary import summary
from orchestrator.render.text import Look, cells
from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.record import Glass
from orchestrator.rollout.states import Pause, RolloutState
from orchestrator.rollout.story import Deferred, Stop
from tests.unit.render.told import facts_of

ENGINE = "ann@ops:812:77:0123abcd"
HOSTILE = "ann@ops\x1b[2J\r\n"


@pytest.fixture
def soaking(plan, journal) -> tuple[Board, Facts]:
    """The canary soaks, 90 seconds are left."""
    journal.add("rollout_started", plan=plan.name)
    journal.add("wave_started", wave="canary")
    journal.device("gw-001", "canary", "transferring", "verifying", "confirmed")
    journal.add("soak_started", wave="canary", soak_s=90)
    board = Board(plan, "r-7f3a")
    board.take(journal.entries)
    facts = facts_of(
        plan,
        journal.entries,
        waits_for=("soak",),
        next_commands=(
            "rollout status r-7f3a", "rollout pause r-7f3a", "rollout promote r-7f3a",
        ),
    )  # fmt: skip
    return board, facts


def driven(facts: Facts, **told: object) -> Facts:
    return replace(facts, engine=ENGINE, story=replace(facts.story, **told))


def alone(facts: Facts, **told: object) -> Facts:
    return replace(facts, engine="", story=replace(facts.story, **told))


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("by", [driven, alone])
def test_live_view_of_a_watcher(soaking, width, by, golden) -> None:
    board, facts = soaking
    look = Look(width)

    lines = screen(board, look, 22, foot(by(facts), look))

    assert all(cells(line) <= width for line in lines)
    golden(f"watch-{by.__name__}-{width}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("by", [driven, alone])
def test_plain_lines_of_a_watcher(soaking, by, golden) -> None:
    board, facts = soaking

    lines = Lines(board, Look(100)).standing(by(facts))

    golden(f"watch-lines-{by.__name__}.txt", "\n".join(lines) + "\n")


def test_foot_gives_way_on_a_small_terminal(soaking) -> None:
    board, facts = soaking
    look = Look(60)

    assert len(screen(board, look, 6, foot(alone(facts), look))) <= 6


def test_nobody_drives_it_wants_one_command(soaking) -> None:
    _, facts = soaking

    assert is_interrupted(alone(facts))
    assert commands(alone(facts)) == ["rollout resume r-7f3a"]
    assert commands(driven(facts)) == ["rollout pause r-7f3a", "rollout promote r-7f3a"]


def test_who_drives_a_rollout_that_is_over_is_about_to_leave(soaking) -> None:
    """Who joined it sees its end before its engine has given the lease back."""
    _, facts = soaking
    over = {"state": RolloutState.SUCCEEDED, "waits_for": (), "next_commands": ()}

    assert standing(driven(facts, **over)) == ""


def test_our_own_reasons_are_wrapped_and_not_cut(soaking) -> None:
    _, facts = soaking
    reason = "; ".join(
        f"rollout `r-{n:08}` of plan `base` comes first for 3 of its devices" for n in range(5)
    )
    stops = (Stop(Pause.OPERATOR, f"ann@desk: {reason}"),)

    lines = summary(alone(facts, held_up=(reason,), stops=stops), Look(80))

    told = " ".join(line.strip() for line in lines)
    assert f"waits for {reason}" in told
    assert f"ann@desk: {reason}" in told
    assert all(len(line) <= 80 for line in lines)


def test_a_time_to_come_is_told_with_its_end(soaking) -> None:
    _, facts = soaking
    told = {"waits_for": ("freeze", "window"), "until": {"freeze": 60.0, "window": 7200.0}}

    said = standing(driven(facts, **told))

    assert said.startswith(
        "waits for freeze until 1970-01-01 00:01:00Z, window until 1970-01-01 02:00:00Z; driven by "
    )


def test_what_waits_for_its_hours_or_another_plan_is_not_interrupted(soaking) -> None:
    _, facts = soaking

    assert not is_interrupted(alone(facts, waits_for=("deferred", "window", "requires")))


def test_who_has_the_devices_is_looked_at_first(soaking) -> None:
    _, facts = soaking
    queued = {
        "state": RolloutState.SCHEDULED,
        "waits_for": ("rollout",),
        "held_up": ("rollout `r-old` of plan `base` works on 2 of its devices",),
        "rivals": ("r-old",),
        "next_commands": ("rollout status r-old", "rollout status r-7f3a", "rollout abort r-7f3a"),
    }

    for by in (alone, driven):
        lines = summary(by(facts, **queued), Look(100))
        next_line = lines[lines.index("Next") + 1]
        assert next_line.split("  ")[1] == "rollout status r-old"
        assert next_line.endswith("what has to be over first")
    said = standing(alone(facts, **queued))
    assert "once that is over, `rollout resume r-7f3a` goes on" in said


def test_approval_comes_before_the_engine_that_goes_on(soaking) -> None:
    _, facts = soaking
    asked = {
        "state": RolloutState.AWAITING_APPROVAL,
        "waits_for": ("approval",),
        "next_commands": (
            "rollout status r-7f3a", "rollout approve r-7f3a", "rollout abort r-7f3a",
        ),
    }  # fmt: skip

    assert commands(alone(facts, **asked)) == [
        "rollout approve r-7f3a",
        "rollout resume r-7f3a",
        "rollout abort r-7f3a",
    ]
    assert "once approved, `rollout resume r-7f3a` goes on" in standing(alone(facts, **asked))
    assert commands(driven(facts, **asked)) == ["rollout approve r-7f3a", "rollout abort r-7f3a"]


@pytest.mark.parametrize(
    ("waits", "typed", "said"),
    [
        (("operator",), (), "`rollout resume r-7f3a` goes on"),
        (
            ("operator",),
            ("rollout resume r-7f3a --accept-failures",),
            "`rollout resume r-7f3a --accept-failures` goes on",
        ),
        (
            ("operator",),
            ("rollout promote r-7f3a --reason TEXT",),
            "`rollout promote r-7f3a --reason TEXT` goes on",
        ),
        (("freeze",), (), "the freeze is over, `rollout resume r-7f3a` goes on"),
        (("freeze", "window"), (), "once that is over, `rollout resume r-7f3a` goes on"),
        (("approval",), (), "once approved, `rollout resume r-7f3a` goes on"),
    ],
)
def test_a_paused_rollout_that_nobody_drives_says_so(soaking, waits, typed, said) -> None:
    _, facts = soaking
    paused = {"state": RolloutState.PAUSED, "waits_for": waits, "next_commands": typed}

    assert standing(alone(facts, at_work=0, **paused)).endswith(f"no engine drives it: {said}")
    assert "no engine" not in standing(driven(facts, at_work=0, **paused))


def test_a_freeze_that_is_on_is_not_said_to_be_over(soaking) -> None:
    _, facts = soaking
    paused = {"state": RolloutState.PAUSED, "waits_for": ("freeze",), "next_commands": ()}
    of_all = replace(alone(facts, at_work=0, **paused), frozen=FleetFreeze("x", "ann", 5.0))
    own = Schedule(freezes=(Freeze(facts.now - 1, facts.now + 1),))
    of_plan = alone(replace(facts, plan=replace(facts.plan, schedule=own)), at_work=0, **paused)

    for frozen in (of_all, of_plan):
        assert "once that is over, `rollout resume r-7f3a` goes on" in standing(frozen)


@pytest.mark.parametrize("state", [RolloutState.PAUSED, RolloutState.HALTED])
def test_devices_at_work_that_nobody_looks_after_are_told(soaking, state) -> None:
    _, facts = soaking
    left_alone = alone(facts, state=state, at_work=2, waits_for=("operator",))

    assert standing(left_alone).endswith(
        "no engine drives it, with 2 devices at work: `rollout reconcile --once` sees to the rest"
        " of that"
    )
    assert commands(left_alone)[0] == "rollout reconcile --once"


def test_a_halted_rollout_at_rest_wants_no_engine(soaking) -> None:
    _, facts = soaking

    said = standing(alone(facts, state=RolloutState.HALTED, at_work=0, waits_for=("operator",)))

    assert said == "waits for operator"


def test_deferred_devices_are_told_with_their_times(soaking) -> None:
    _, facts = soaking

    said = standing(alone(facts, deferred=Deferred(2, 0, 1_795_000_060.0, 1_795_003_600.0)))

    assert "2 devices deferred: asked again at 2026-11-18 " in said
    assert "given up at " in said


def test_broken_glass_is_told_by_whom_until_when_and_why(soaking) -> None:
    _, facts = soaking
    glass = Glass("ann\x1b", "a flood\x1b[2J", 0.0, 900.0)

    said = standing(driven(facts, glass=glass))

    words = "good without approvals until 1970-01-01 00:15 UTC: a flood"
    assert "glass broken by ann" in said
    assert words in said
    assert said.isprintable()


def test_other_rollouts_and_freezes_that_hold_it_up_are_told(soaking) -> None:
    _, facts = soaking
    freeze = FleetFreeze("holidays", "ann\x1b@ops", 5.0)

    said = standing_lines(
        replace(driven(facts, held_up=("rollout `r-1`",)), frozen=freeze), Look(100)
    )

    assert said[1] == "  waits for rollout `r-1`"
    assert said[2].startswith("  all rollouts are frozen by ann")
    assert all(line.isprintable() for line in said)


@pytest.mark.parametrize(
    ("by", "state", "waits", "said"),
    [
        (driven, RolloutState.RUNNING, ("soak",), "the rollout goes on"),
        (alone, RolloutState.HALTED, ("operator",), "waits for operator"),
        (alone, RolloutState.RUNNING, ("soak",), "`rollout resume r-7f3a` goes on"),
        (alone, RolloutState.SUCCEEDED, (), "succeeded"),
    ],
)
def test_leaving_says_what_becomes_of_the_rollout(soaking, by, state, waits, said) -> None:
    _, facts = soaking

    text = left(by(facts, state=state, waits_for=waits))

    assert text.startswith("stopped watching r-7f3a: ")
    assert text.endswith(said)


def test_names_of_engines_are_escaped(soaking) -> None:
    board, facts = soaking
    hostile = replace(facts, engine=HOSTILE)

    shown = [*foot(hostile, Look(80)), *Lines(board, Look(80)).standing(hostile)]

    assert all(line.isprintable() for line in shown)
    assert "\x1b" not in standing_line(hostile)


def test_soak_between_two_passes_of_a_controller_is_not_interrupted(soaking) -> None:
    _, facts = soaking
    between = replace(alone(facts, state=RolloutState.RUNNING), controller=ENGINE)

    assert is_interrupted(alone(facts, state=RolloutState.RUNNING))
    assert not is_interrupted(between)
    assert standing(between) == f"waits for soak; `rollout reconcile` goes on: {ENGINE}"
    assert not any("resume" in command for command in commands(between))


def test_controller_goes_on_with_nothing_that_a_person_stopped(soaking) -> None:
    _, facts = soaking
    paused = replace(alone(facts, state=RolloutState.PAUSED), controller=ENGINE)

    assert "no engine drives it" in standing(paused)
