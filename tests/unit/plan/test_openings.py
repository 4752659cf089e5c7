"""R12 as a table of instants, worked out by hand from the rule and the zones' published changes."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plan.openings import Opening, openings
from orchestrator.plan.schedule import Day, Window
from orchestrator.plan.zones import load_zone

HOUR_S = 3600.0
MINUTE_S = 60


def utc(text: str) -> float:
    """Seconds of an instant such as `2026-03-29 01:30`, always UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def first_after(zone: str, day: str, start: str, hours: float, from_at: float) -> Opening:
    window = Window((day,), start, hours * HOUR_S, zone)
    return next(openings(window, load_zone(zone), from_at))


# Each row: the window (zone, day, start and hours), and the UTC instants at which it opens and closes.
TABLE = [
    # an ordinary night, in winter and in summer
    ("Europe/Berlin", "wed", "01:00", 4, "2026-01-14 00:00", "2026-01-14 04:00"),
    ("Europe/Berlin", "wed", "01:00", 4, "2026-07-14 23:00", "2026-07-15 03:00"),
    ("Asia/Kolkata", "wed", "01:00", 4, "2026-01-13 19:30", "2026-01-13 23:30"),
    # Europe springs forward on 2026-03-29: 02:00 to 03:00 does not exist
    ("Europe/Berlin", "sun", "01:59", 1, "2026-03-29 00:59", "2026-03-29 01:59"),
    ("Europe/Berlin", "sun", "02:00", 1, "2026-03-29 01:00", "2026-03-29 02:00"),
    ("Europe/Berlin", "sun", "02:30", 1, "2026-03-29 01:30", "2026-03-29 02:30"),
    ("Europe/Berlin", "sun", "03:00", 1, "2026-03-29 01:00", "2026-03-29 02:00"),
    ("Europe/Berlin", "sun", "01:00", 4, "2026-03-29 00:00", "2026-03-29 04:00"),
    ("Europe/Berlin", "sat", "23:00", 4, "2026-03-28 22:00", "2026-03-29 02:00"),
    # and back on 2026-10-25: 02:00 to 03:00 is there twice
    ("Europe/Berlin", "sun", "02:00", 1, "2026-10-25 00:00", "2026-10-25 01:00"),
    ("Europe/Berlin", "sun", "02:30", 1, "2026-10-25 00:30", "2026-10-25 01:30"),
    ("Europe/Berlin", "sun", "03:00", 1, "2026-10-25 02:00", "2026-10-25 03:00"),
    ("Europe/Berlin", "sun", "01:00", 4, "2026-10-24 23:00", "2026-10-25 03:00"),
    # the United States change on 2026-03-08 and 2026-11-01
    ("America/New_York", "sun", "02:30", 1, "2026-03-08 07:30", "2026-03-08 08:30"),
    ("America/New_York", "sun", "01:00", 4, "2026-03-08 06:00", "2026-03-08 10:00"),
    ("America/New_York", "sun", "01:30", 1, "2026-11-01 05:30", "2026-11-01 06:30"),
    ("America/New_York", "sun", "00:30", 3, "2026-11-01 04:30", "2026-11-01 07:30"),
    # Lord Howe moves by half an hour: 02:00 to 02:30 is missing, 01:30 to 02:00 is there twice
    ("Australia/Lord_Howe", "sun", "02:15", 1, "2026-10-03 15:45", "2026-10-03 16:45"),
    ("Australia/Lord_Howe", "sun", "01:45", 1, "2026-04-04 14:45", "2026-04-04 15:45"),
    ("Australia/Lord_Howe", "sun", "01:00", 2, "2026-04-04 14:00", "2026-04-04 16:00"),
    # three quarters of an hour, and a summer time that is the negative one of the two
    ("Pacific/Chatham", "sun", "03:00", 1, "2026-09-26 14:15", "2026-09-26 15:15"),
    ("Europe/Dublin", "sun", "01:30", 1, "2026-03-29 01:30", "2026-03-29 02:30"),
    # Samoa had no 2011-12-30; its Friday opens, by the offset before, when its Saturday does
    ("Pacific/Apia", "thu", "01:00", 1, "2011-12-29 11:00", "2011-12-29 12:00"),
    ("Pacific/Apia", "fri", "01:00", 1, "2011-12-30 11:00", "2011-12-30 12:00"),
    ("Pacific/Apia", "sat", "01:00", 1, "2011-12-30 11:00", "2011-12-30 12:00"),
    # changes at midnight
    ("America/Asuncion", "sun", "00:00", 1, "2024-10-06 04:00", "2024-10-06 05:00"),
    ("America/Asuncion", "sat", "23:30", 1, "2024-03-24 02:30", "2024-03-24 03:30"),
    ("Asia/Beirut", "sun", "00:30", 1, "2026-03-28 22:30", "2026-03-28 23:30"),
    ("Asia/Beirut", "sat", "23:30", 1, "2026-10-24 20:30", "2026-10-24 21:30"),
    ("Africa/Cairo", "fri", "00:00", 2, "2026-04-23 22:00", "2026-04-24 00:00"),
    ("Africa/Cairo", "thu", "23:15", 1, "2026-10-29 20:15", "2026-10-29 21:15"),
    # out of a gap before midnight: a Saturday's window that opens on Sunday's clock
    ("America/Nuuk", "sat", "23:30", 1, "2026-03-29 01:30", "2026-03-29 02:30"),
    # the day belongs to the start: over midnight, the turn of the year, a leap day, a week-end
    ("Europe/Berlin", "sat", "23:00", 4, "2026-01-17 22:00", "2026-01-18 02:00"),
    ("UTC", "thu", "23:30", 1, "2026-12-31 23:30", "2027-01-01 00:30"),
    ("UTC", "tue", "12:00", 1, "2028-02-29 12:00", "2028-02-29 13:00"),
    ("UTC", "sat", "00:00", 48, "2026-01-17 00:00", "2026-01-19 00:00"),
]


@pytest.mark.parametrize(("zone", "day", "start", "hours", "opens", "closes"), TABLE)
def test_r12_window_opens_and_closes_at_the_instants_of_the_rule(
    zone, day, start, hours, opens, closes
):
    opening = first_after(zone, day, start, hours, utc(opens) - 1)

    assert (opening.start_at, opening.end_at) == (utc(opens), utc(closes))


@pytest.mark.parametrize(("zone", "day", "start", "hours", "opens", "closes"), TABLE)
def test_an_opening_is_found_until_its_last_instant_and_not_at_its_end(
    zone, day, start, hours, opens, closes
):
    last = first_after(zone, day, start, hours, utc(closes) - 0.001)
    after = first_after(zone, day, start, hours, utc(closes))

    assert last.start_at == utc(opens)
    assert after.start_at > utc(opens)


def test_saturday_after_midnight_is_not_sundays_window():
    window = Window(("sat",), "23:00", 4 * HOUR_S, "Europe/Berlin")

    starts = [
        each.start_at
        for each in itertools.islice(
            openings(window, load_zone("Europe/Berlin"), utc("2026-01-17 00:00")), 2
        )
    ]

    assert starts == [utc("2026-01-17 22:00"), utc("2026-01-24 22:00")]


def test_a_long_window_is_found_from_its_last_day():
    opening = first_after("UTC", "mon", "00:00", 30 * 24, utc("2026-01-30 00:00"))

    assert opening.start_at == utc("2026-01-05 00:00")


def test_openings_end_before_the_calendar_does():
    window = Window(("mon",), "00:00", HOUR_S, "UTC")

    assert list(openings(window, ZoneInfo("UTC"), utc("9998-12-31 00:00"))) == []
    assert list(openings(window, ZoneInfo("UTC"), 1e15)) == []


# -- an oracle that knows no rule about offsets -----------------------------------------------------

CHANGES = {
    "Africa/Cairo": ("2026-04-23 22:00", "2026-10-29 21:00"),
    "America/Asuncion": ("2024-03-24 03:00", "2024-10-06 04:00"),
    "America/New_York": ("2026-03-08 07:00", "2026-11-01 06:00"),
    "America/Nuuk": ("2026-03-29 01:00", "2026-10-25 01:00"),
    "Asia/Kolkata": ("2026-03-29 01:00",),
    "Australia/Lord_Howe": ("2026-04-04 15:00", "2026-10-03 15:30"),
    "Europe/Berlin": ("2026-03-29 01:00", "2026-10-25 01:00"),
    "Pacific/Apia": ("2011-12-30 10:00",),
    "UTC": ("2028-02-29 12:00",),
}


def walked_starts(zone: ZoneInfo, window: Window, from_at: int, to_at: int) -> list[float]:
    """Starts of a window by watching the clock on a wall of that zone, minute by minute.

    A wall time counts when the clock first shows it. Minutes that the clock jumps over are
    counted on from where it jumped, as by a clock that nobody has put forward yet.
    """
    minute = timedelta(minutes=1)
    shown = set()
    starts = []
    before = None
    for at in range(from_at, to_at, MINUTE_S):
        wall = datetime.fromtimestamp(at, zone).replace(tzinfo=None)
        reached = [(wall, at)]
        if before is not None and wall > before + minute:
            missing = int((wall - before) / minute) - 1
            reached += [
                (before + minute * (number + 1), at + number * MINUTE_S)
                for number in range(missing)
            ]
        for time, instant in reached:
            fits = list(Day)[time.weekday()] in window.days
            if time not in shown and fits and f"{time:%H:%M}" == window.start:
                starts.append(float(instant))
            shown.add(time)
        before = wall
    return sorted(starts)


@given(
    change=st.sampled_from([(zone, at) for zone, when in CHANGES.items() for at in when]),
    minute=st.integers(0, 24 * 60 - 1),
    near=st.one_of(st.none(), st.integers(-90, 90)),
    days=st.sets(st.sampled_from(list(Day)), min_size=1),
)
def test_openings_are_those_that_a_clock_on_the_wall_shows(change, minute, near, days):
    name, at = change
    zone = load_zone(name)
    middle = int(utc(at))
    if near is not None:  # a start close to the change, where the rules differ from a sum
        wall = datetime.fromtimestamp(middle - 1, zone)
        minute = (wall.hour * 60 + wall.minute + near) % (24 * 60)
    start = f"{minute // 60:02}:{minute % 60:02}"
    window = Window(tuple(sorted(days)), start, HOUR_S, name)
    from_at, to_at = middle - 2 * 86400, middle + 2 * 86400

    within = itertools.takewhile(
        lambda each: each.start_at < to_at, openings(window, zone, from_at + HOUR_S)
    )

    expected = [each for each in walked_starts(zone, window, from_at, to_at) if each > from_at]
    assert [each.start_at for each in within] == expected
