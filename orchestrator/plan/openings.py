"""When a maintenance window is open, in UTC seconds: the one place that knows of clock changes.

Laws (R12):
1. A window opens at the wall time `start` of each named day in its zone, and belongs to that day
   however long it lasts.
2. A wall time that the day does not have counts with the offset before the gap (RFC 5545, 3.3.5);
   of one that it has twice, the first counts.
3. Its length is elapsed time: a change of the clock inside it moves the wall time of its end.
4. It is half-open: open at its start, closed at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from orchestrator.plan.schedule import Day, Window

_WEEK = tuple(Day)  # Monday first, as `date.weekday` counts
_LAST_DAY = date(9999, 1, 1)  # a year before the end of the calendar: no sum here overflows


@dataclass(frozen=True, slots=True)
class Opening:
    """One time for which a window is open, `[start_at, end_at)` in UTC seconds."""

    start_at: float
    end_at: float
    must_finish: bool


def openings(window: Window, zone: tzinfo, from_at: float) -> Iterator[Opening]:
    """Openings that are not over at `from_at`, in order of start, until the year 9999.

    Cost: some microseconds each.
    """
    start = time.fromisoformat(window.start)
    for day in _days(window, zone, from_at - window.duration_s):
        start_at = _instant(datetime.combine(day, start), zone)
        if start_at + window.duration_s > from_at:
            yield Opening(start_at, start_at + window.duration_s, window.must_finish)


def _days(window: Window, zone: tzinfo, from_at: float) -> Iterator[date]:
    """Days on which the window opens, beginning before any that opens after `from_at`."""
    if from_at >= _instant(datetime.combine(_LAST_DAY, time()), UTC):
        return
    first = datetime.fromtimestamp(from_at, zone).date()
    # Out of a gap over midnight a window opens on the day after the one that it belongs to.
    for ordinal in range(first.toordinal() - 1, _LAST_DAY.toordinal()):
        day = date.fromordinal(ordinal)
        if _WEEK[day.weekday()] in window.days:
            yield day


def _instant(wall: datetime, zone: tzinfo) -> float:
    # PEP 495: `fold=0` takes the offset before a gap, and the first of two equal wall times.
    aware = wall.replace(tzinfo=zone, fold=0)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
