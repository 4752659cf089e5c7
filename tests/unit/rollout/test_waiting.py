"""What a rollout waits for, and until when."""

import pytest

from orchestrator.plan.resolved import (
    Freeze,
    Requirement,
    ResolvedWave,
    Retries,
    Schedule,
    Window,
)
from orchestrator.rollout.states import RolloutState
from orchestrator.rollout.story import tell
from orchestrator.rollout.why import why
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B = device_ids(2)
DAY = 86400.0
HOUR = 3600.0
NIGHT = Window(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "02:00", HOUR, "UTC")
SATURDAY = Window(("sat",), "02:00", HOUR, "UTC")
AT_SATURDAY = 2 * DAY + 2 * HOUR  # time begins on a Thursday


def hand(schedule=None, *, soak_s=60.0, **choices):
    waves = [
        ResolvedWave("canary", "1", (A,), soak_s=soak_s),
        ResolvedWave("rest", "rest", (B,)),
    ]
    schedule = schedule or Schedule()
    return Hand(make_plan(waves, schedule=schedule, retries=Retries(count=0), **choices))


@pytest.mark.parametrize(
    ("schedule", "until"),
    [
        (Schedule(start_at=50.0), {"start": 50.0}),
        (Schedule(windows=(NIGHT,)), {"window": 2 * HOUR}),
        (Schedule(freezes=(Freeze(0.0, 90.0, "fair"),)), {"freeze": 90.0}),
        (
            Schedule(start_at=50.0, windows=(NIGHT,)),
            {"start": 50.0, "window": 2 * HOUR},
        ),
        (
            Schedule(windows=(SATURDAY,), freezes=(Freeze(0.0, DAY, "fair"),)),
            {"freeze": DAY, "window": AT_SATURDAY},
        ),
        (
            Schedule(start_at=NIGHT.duration_s * 2, windows=(NIGHT,)),
            {"start": 2 * HOUR},
        ),
    ],
)
def test_each_time_that_keeps_it_from_beginning_is_told_with_its_end(schedule, until):
    story = tell(hand(schedule).rollout)

    assert story.state is RolloutState.SCHEDULED
    assert (story.waits_for, dict(story.until)) == (tuple(until), until)
    assert story.next_at == max(until.values())


def test_what_it_waits_for_is_told_as_of_now_whoever_drove_it_last():
    rollout = hand(Schedule(windows=(NIGHT,))).rollout

    assert tell(rollout, now=4 * HOUR).until == {"window": DAY + 2 * HOUR}
    open_now = tell(rollout, now=2.5 * HOUR)
    assert (open_now.waits_for, open_now.next_at) == (("start",), None)


def test_windows_that_are_never_long_enough_have_no_time():
    short = Window(NIGHT.days, "02:00", 60.0, "UTC", must_finish=True)

    story = tell(hand(Schedule(start_at=50.0, windows=(short,))).rollout)

    assert (story.waits_for, story.until, story.next_at) == (
        ("start", "window"),
        {"start": 50.0},
        None,
    )


def test_a_wave_that_waits_for_its_window_tells_when_that_opens():
    rollout = hand(Schedule(windows=(NIGHT,)), soak_s=0.0)
    rollout.tick(2 * HOUR)
    rollout.activate(A)
    rollout.tick(3 * HOUR)
    rollout.prove(A)
    rollout.report(A)

    story = tell(rollout.rollout)

    assert (story.state, story.wave) == (RolloutState.RUNNING, "rest")
    assert (story.waits_for, story.next_at) == (("window",), DAY + 2 * HOUR)


@pytest.mark.parametrize("ahead", [False, True])
def test_a_window_that_closed_within_a_wave_is_told_of_the_stored_rollout_too(ahead):
    """Another process reads it, which has not looked who may start."""
    rollout = hand(Schedule(windows=(NIGHT,), stage_outside_window=ahead), soak_s=0.0)
    rollout.tick(2 * HOUR)
    rollout.activate(A)
    rollout.tick(3 * HOUR)
    rollout.prove(A)
    rollout.report(A)
    if ahead:
        rollout.report(B)  # it stands ready
        rollout.report(B)

    story = tell(rollout.stored(), now=4 * HOUR)

    assert (story.waits_for, story.next_at) == (("window",), DAY + 2 * HOUR)
    assert tell(rollout.stored(), now=DAY + 2 * HOUR).waits_for == ("devices",)


def test_a_soak_is_what_goes_on_next():
    rollout = hand()
    rollout.succeed(A)

    story = tell(rollout.rollout)

    assert (story.waits_for, story.next_at) == (("soak",), 60.0)


def test_a_freeze_that_interrupts_it_tells_its_end():
    rollout = hand(Schedule(freezes=(Freeze(10.0, 90.0, "fair"),)))
    rollout.tick(10.0)

    story = tell(rollout.rollout)

    assert (story.state, story.waits_for, story.next_at) == (
        RolloutState.PAUSED,
        ("freeze",),
        90.0,
    )


def test_what_other_plans_have_to_do_has_no_time():
    rollout = hand(requires=(Requirement("base", ">=7"),))

    story = tell(rollout.rollout)
    waits = why(rollout.rollout, A, now=100.0, running={}).waits

    assert (story.waits_for, story.next_at) == (("requires",), None)
    assert [(wait.what, wait.until_at) for wait in waits] == [("start", None), ("requires", None)]
