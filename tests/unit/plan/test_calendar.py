"""When a device may start: windows, freezes, `start_at` and `must_finish` together (R12)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plan.calendar import (
    Calendar,
    Closed,
    ClosedBy,
    Never,
    calendars,
    device_needs_s,
)
from orchestrator.plan.openings import openings
from orchestrator.plan.resolved import Timeouts
from orchestrator.plan.schedule import Day, Freeze, Schedule, Window
from orchestrator.plan.zones import load_zone

HOUR_S = 3600.0
DAY_S = 86400.0
EVERY_DAY = tuple(Day)
NIGHTS = Window(("mon", "tue", "wed", "thu"), "01:00", 4 * HOUR_S, "device", must_finish=True)


def utc(text: str) -> float:
    """Seconds of an instant such as `2026-03-29 01:30`, always UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


YEAR_END = Freeze(utc("2026-12-18 00:00"), utc("2027-01-04 00:00"), "year end")
ADVANCED = Schedule(  # the times of the advanced example of the plan language
    start_at=utc("2026-12-01 01:00"), windows=(NIGHTS,), freezes=(YEAR_END,)
)


# -- open or not ------------------------------------------------------------------------------------


def test_plan_without_windows_is_always_open_and_never_changes():
    calendar = Calendar(Schedule())

    assert calendar.is_open(0)
    assert calendar.next_change(0) is None
    assert calendar.opens_at(5, 1e9) == 5
    assert calendar.why_closed(0, 1e9) is None


def test_window_is_open_from_its_start_to_just_before_its_end():
    calendar = Calendar(Schedule(windows=(Window(("sat",), "23:00", 4 * HOUR_S, "UTC"),)))
    start, end = utc("2026-01-17 23:00"), utc("2026-01-18 03:00")

    seen = [calendar.is_open(at) for at in (start - 1, start, end - 0.001, end)]

    assert seen == [False, True, True, False]
    assert calendar.next_change(start - 1) == start
    assert calendar.next_change(start) == end
    assert calendar.next_change(end) == utc("2026-01-24 23:00")


def test_windows_that_overlap_or_touch_are_one_open_time():
    windows = (
        Window(("mon",), "01:00", 2 * HOUR_S, "UTC"),
        Window(("mon",), "02:00", 2 * HOUR_S, "UTC"),
        Window(("mon",), "04:00", 1 * HOUR_S, "UTC"),
    )
    calendar = Calendar(Schedule(windows=windows))

    assert calendar.next_change(utc("2026-01-05 01:00")) == utc("2026-01-05 05:00")


def test_windows_around_the_clock_never_close():
    calendar = Calendar(Schedule(windows=(Window(EVERY_DAY, "00:00", DAY_S, "UTC"),)))

    assert calendar.next_change(utc("2026-01-05 01:00")) is None


def test_day_long_windows_leave_the_hour_open_that_autumn_adds():
    """A day in local time has 25 hours then: a window of 24 hours of elapsed time ends before."""
    calendar = Calendar(Schedule(windows=(Window(EVERY_DAY, "00:00", DAY_S, "Europe/Berlin"),)))

    closes = calendar.next_change(utc("2026-06-01 00:00"))

    assert closes == utc("2026-10-25 22:00")
    assert calendar.next_change(closes) == utc("2026-10-25 23:00")


def test_windows_around_the_clock_close_for_a_freeze_years_ahead():
    freeze = Freeze(utc("2030-01-01 00:00"), utc("2030-01-02 00:00"))
    windows = (Window(EVERY_DAY, "00:00", DAY_S, "UTC"),)
    calendar = Calendar(Schedule(windows=windows, freezes=(freeze,)))

    assert calendar.next_change(utc("2026-01-05 01:00")) == freeze.from_at
    assert calendar.next_change(freeze.from_at) == freeze.to_at


def test_freeze_wins_over_a_window_in_its_middle():
    freeze = Freeze(utc("2026-01-05 02:00"), utc("2026-01-05 03:00"), "audit")
    windows = (Window(("mon",), "01:00", 4 * HOUR_S, "UTC"),)
    calendar = Calendar(Schedule(windows=windows, freezes=(freeze,)))

    changes = [utc("2026-01-05 00:00")]
    for _ in range(4):
        changes.append(calendar.next_change(changes[-1]))

    assert changes[1:] == [
        utc(f"2026-01-05 {hour}") for hour in ("01:00", "02:00", "03:00", "05:00")
    ]
    assert not calendar.is_open(freeze.from_at)
    assert calendar.is_open(freeze.to_at)


def test_freezes_that_overlap_touch_or_contain_each_other_are_one_closed_time():
    hours = [(1, 5), (2, 3), (4, 6), (6, 7)]
    freezes = tuple(Freeze(begin * HOUR_S, end * HOUR_S) for begin, end in reversed(hours))
    calendar = Calendar(Schedule(freezes=freezes))

    assert calendar.next_change(0) == 1 * HOUR_S
    assert calendar.next_change(1 * HOUR_S) == 7 * HOUR_S
    assert calendar.next_change(7 * HOUR_S) is None


def test_nothing_is_open_before_the_start_time():
    schedule = Schedule(start_at=1000.0, freezes=(Freeze(900.0, 1100.0), Freeze(100.0, 200.0)))
    calendar = Calendar(schedule)

    assert [calendar.is_open(at) for at in (0, 150, 999, 1000, 1100)] == [False] * 4 + [True]
    assert calendar.next_change(0) == 1100


# -- the first instant at which a device may start --------------------------------------------------


@pytest.mark.parametrize(
    ("now", "needs_s", "expected"),
    [
        ("2026-11-30 12:00", 3600, "2026-12-01 01:00"),  # `start_at`, an hour into Tuesday's
        ("2026-11-30 12:00", 10800, "2026-12-01 01:00"),  # ends to the second with the window
        ("2026-11-30 12:00", 10801, "2026-12-02 00:00"),
        ("2026-12-02 00:00", 3600, "2026-12-02 00:00"),
        ("2026-12-02 03:00", 3600, "2026-12-02 03:00"),
        ("2026-12-02 03:00", 3600.001, "2026-12-03 00:00"),
        ("2026-12-02 00:00", 14400, "2026-12-02 00:00"),  # the whole window
        ("2026-12-02 00:01", 14400, "2026-12-03 00:00"),
        ("2026-12-03 03:30", 3600, "2026-12-07 00:00"),  # after Thursday's comes Monday's
        ("2026-12-17 03:30", 3600, "2027-01-04 00:00"),  # the freeze ends as Monday's opens
    ],
)
def test_device_of_the_advanced_example_starts_when_it_can_also_finish(now, needs_s, expected):
    calendar = Calendar(ADVANCED, "Europe/Berlin")

    assert calendar.opens_at(utc(now), needs_s) == utc(expected)


def test_devices_of_other_zones_start_at_other_instants():
    now = utc("2026-12-02 12:00")

    times = {
        zone: calendar.opens_at(now, HOUR_S)
        for zone, calendar in calendars(
            ADVANCED, ["Asia/Kolkata", "America/New_York", "Asia/Kolkata"]
        ).items()
    }

    assert times == {
        "America/New_York": utc("2026-12-03 06:00"),
        "Asia/Kolkata": utc("2026-12-02 19:30"),
    }


@pytest.mark.parametrize(
    ("timeouts", "staged", "needs_s"),
    [
        (Timeouts(), False, 10 + 1800 + 600 + 300),
        (Timeouts(), True, 10 + 600 + 300),
        (Timeouts(connect_s=30, install_s=1200, reboot_s=600, confirm_s=37_920), True, 1830),
    ],
)
def test_device_needs_its_timeouts_until_it_runs_the_new_version(timeouts, staged, needs_s):
    schedule = Schedule(windows=(NIGHTS,), stage_outside_window=staged)

    assert device_needs_s(timeouts, schedule) == needs_s


def test_device_that_needs_more_than_any_window_has_never_starts():
    shorter = Window(("sat",), "01:00", 2 * HOUR_S, "UTC", must_finish=True)
    calendar = Calendar(Schedule(windows=(NIGHTS, shorter)), "UTC")

    assert calendar.opens_at(0, 4 * HOUR_S + 1) == Never(4 * HOUR_S + 1, 4 * HOUR_S)


def test_device_without_an_end_to_its_freeze_never_starts():
    freeze = Freeze(utc("2026-01-01 00:00"), utc("9999-12-31 23:59"))
    calendar = Calendar(Schedule(windows=(NIGHTS,), freezes=(freeze,)), "UTC")

    assert calendar.opens_at(freeze.from_at, HOUR_S) == Never(HOUR_S, None)
    assert calendar.next_change(freeze.from_at) is None
    assert calendar.why_closed(freeze.from_at) == Closed(ClosedBy.FREEZE, freeze.to_at)


def test_device_must_finish_before_a_freeze_that_cuts_its_window_short():
    freeze = Freeze(utc("2026-01-05 02:00"), utc("2026-01-05 03:00"))
    calendar = Calendar(Schedule(windows=(NIGHTS,), freezes=(freeze,)), "UTC")
    now = utc("2026-01-05 00:00")

    assert calendar.opens_at(now, HOUR_S) == utc("2026-01-05 01:00")
    assert calendar.opens_at(now, 2 * HOUR_S) == utc("2026-01-05 03:00")
    assert calendar.opens_at(now, 2 * HOUR_S + 1) == utc("2026-01-06 01:00")


def test_must_finish_is_judged_by_each_window_and_not_by_their_union():
    windows = tuple(
        Window(("mon",), start, 2 * HOUR_S, "UTC", must_finish=True) for start in ("01:00", "02:30")
    )
    calendar = Calendar(Schedule(windows=windows))
    opens = utc("2026-01-05 01:00")

    assert calendar.next_change(opens) == utc("2026-01-05 04:30")
    assert calendar.opens_at(opens + 1, 2 * HOUR_S) == utc("2026-01-05 02:30")
    assert calendar.opens_at(opens, 3 * HOUR_S) == Never(3 * HOUR_S, 2 * HOUR_S)


def test_window_that_does_not_ask_to_finish_lets_a_device_start_in_its_last_second():
    windows = (Window(("mon",), "01:00", 2 * HOUR_S, "UTC"),)
    calendar = Calendar(Schedule(windows=windows))

    assert calendar.opens_at(utc("2026-01-05 02:59"), DAY_S) == utc("2026-01-05 02:59")


def test_window_in_a_gap_has_its_whole_length_for_must_finish():
    window = Window(("sun",), "02:30", HOUR_S, "Europe/Berlin", must_finish=True)
    calendar = Calendar(Schedule(windows=(window,)))

    assert calendar.opens_at(utc("2026-03-29 00:00"), HOUR_S) == utc("2026-03-29 01:30")


def test_window_over_the_autumn_change_ends_after_elapsed_time():
    window = Window(("sun",), "01:00", 4 * HOUR_S, "Europe/Berlin", must_finish=True)
    calendar = Calendar(Schedule(windows=(window,)))

    assert calendar.opens_at(utc("2026-10-25 02:00"), HOUR_S) == utc("2026-10-25 02:00")
    assert calendar.opens_at(utc("2026-10-25 02:00"), HOUR_S + 1) == utc("2026-11-01 00:00")


# -- why not ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "needs_s", "expected"),
    [
        ("2026-12-01 00:30", 0, Closed(ClosedBy.START, utc("2026-12-01 01:00"))),
        ("2026-12-01 01:00", 0, None),
        ("2026-12-01 05:00", 0, Closed(ClosedBy.WINDOW, utc("2026-12-02 00:00"))),
        ("2026-12-01 03:30", 3600, Closed(ClosedBy.REST, utc("2026-12-02 00:00"))),
        ("2026-12-01 03:30", 14401, Closed(ClosedBy.REST, None)),
        ("2026-12-18 00:00", 0, Closed(ClosedBy.FREEZE, YEAR_END.to_at, "year end")),
        ("2027-01-03 23:59", 0, Closed(ClosedBy.FREEZE, YEAR_END.to_at, "year end")),
        ("2027-01-04 00:00", 0, None),
    ],
)
def test_closed_calendar_says_by_what_and_until_when(now, needs_s, expected):
    assert Calendar(ADVANCED, "Europe/Berlin").why_closed(utc(now), needs_s) == expected


def test_of_two_freezes_the_one_that_ends_last_is_named():
    freezes = (Freeze(0, 50, "short"), Freeze(10, 90, "long"), Freeze(20, 60, "other"))
    calendar = Calendar(Schedule(freezes=freezes))

    assert calendar.why_closed(30) == Closed(ClosedBy.FREEZE, 90, "long")


def test_unknown_zone_of_a_device_is_no_calendar():
    with pytest.raises(ValueError, match="did you mean `Europe/Berlin`"):
        Calendar(ADVANCED, "Europe/Berln")
    with pytest.raises(ValueError, match="no time zone"):
        Calendar(ADVANCED)


# -- any schedule, against every minute of some days -----------------------------------------------

BEGIN = int(utc("2026-03-27 00:00"))  # around the change of Europe's clocks
MINUTES = range(0, 4 * 24 * 60, 5)  # all times below are multiples of five minutes
windows_of_days = st.builds(
    Window,
    days=st.sets(st.sampled_from(EVERY_DAY), min_size=1).map(lambda days: tuple(sorted(days))),
    start=st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 5, 30, 55])),
    duration_s=st.integers(1, 30 * 12).map(lambda count: count * 300.0),
    timezone=st.sampled_from(["device", "UTC", "Asia/Kolkata", "America/New_York"]),
    must_finish=st.booleans(),
)
instants = st.integers(0, 3 * 24 * 12).map(lambda count: BEGIN + count * 300.0)
freezes_of_days = st.builds(
    lambda begin, length: Freeze(begin, begin + length),
    instants,
    st.integers(1, 200).map(lambda count: count * 300.0),
)
schedules = st.builds(
    Schedule,
    start_at=st.one_of(st.none(), instants),
    windows=st.lists(windows_of_days, max_size=3).map(tuple),
    freezes=st.lists(freezes_of_days, max_size=3).map(tuple),
)


ZONES = {"device": load_zone("Europe/Berlin")} | {
    name: load_zone(name) for name in ("UTC", "Asia/Kolkata", "America/New_York")
}


def rule(schedule: Schedule, needs_s: float) -> Callable[[float], bool]:
    """R12 for one instant of those days, by looking at each freeze and each opening."""
    found = [
        itertools.takewhile(
            lambda opening: opening.start_at < BEGIN + 15 * DAY_S,
            openings(window, ZONES[window.timezone], BEGIN),
        )
        for window in schedule.windows
    ]
    all_openings = list(itertools.chain.from_iterable(found))

    def may_start(at: float) -> bool:
        if schedule.start_at is not None and at < schedule.start_at:
            return False
        if any(freeze.from_at <= at < freeze.to_at for freeze in schedule.freezes):
            return False
        if not schedule.windows:
            return True
        later = (each.from_at for each in schedule.freezes if each.from_at > at)
        frozen_at = min(later, default=math.inf)
        return any(
            each.start_at <= at < each.end_at
            and (not each.must_finish or at + needs_s <= min(each.end_at, frozen_at))
            for each in all_openings
        )

    return may_start


def first(times: Iterable[float]) -> float:
    return next(iter(times), math.inf)


@given(schedule=schedules, now=instants)
def test_openness_changes_exactly_at_the_next_change(schedule, now):
    calendar = Calendar(schedule, "Europe/Berlin")
    later = [at for minute in MINUTES if (at := BEGIN + minute * 60.0) > now]

    changes_at = calendar.next_change(now)

    may_start = rule(schedule, 0)
    is_open = may_start(now)
    assert calendar.is_open(now) == is_open
    expected = first(at for at in later if may_start(at) != is_open)
    if expected < math.inf:
        assert changes_at == expected
    else:
        assert changes_at is None or changes_at > later[-1]


@given(schedule=schedules, now=instants, needs=st.integers(0, 60))
def test_nothing_earlier_than_the_instant_found_lets_a_device_start(schedule, now, needs):
    calendar = Calendar(schedule, "Europe/Berlin")
    needs_s = needs * 300.0
    later = [at for minute in MINUTES if (at := BEGIN + minute * 60.0) >= now]

    opens_at = calendar.opens_at(now, needs_s)

    may_start = rule(schedule, needs_s)
    expected = first(at for at in later if may_start(at))
    if expected < math.inf:
        assert opens_at == expected
    else:
        assert isinstance(opens_at, Never) or opens_at > later[-1]
    assert (calendar.why_closed(now, needs_s) is None) == (opens_at == now)
    if not isinstance(opens_at, Never):
        assert may_start(opens_at)


# -- cost ------------------------------------------------------------------------------------------


def test_a_fleet_costs_by_its_zones_and_not_by_its_devices():
    zones = ["Europe/Berlin", "Asia/Kolkata", "America/New_York"]
    device_zones = (zones[number % 3] for number in range(100_000))

    made = calendars(ADVANCED, device_zones)

    assert sorted(made) == sorted(zones)
