"""When devices of one time zone may start: start time, maintenance windows and freezes (R12).

Laws:
1. A device may start iff `start_at` is past, a window is open (or the plan has none) and no
   freeze is on. Freezes win: one that begins inside a window ends that opening.
2. With `must_finish` a device starts only if what it needs ends with that opening, or before. Each
   window is judged alone: where two overlap, one that does not ask for it lets a device start.
3. Only starts are judged. What is in flight when a window ends or a freeze begins goes on (R13).
4. Answers are exact at any distance: nothing is looked for step by step over closed time.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum

from orchestrator.plan.openings import Opening, openings
from orchestrator.plan.resolved import Timeouts
from orchestrator.plan.schedule import ZONE_OF_DEVICE, Freeze, Schedule, Window
from orchestrator.plan.zones import load_zone

HORIZON_S = 400 * 86400.0  # windows that are open without a break for a year and more never close


class ClosedBy(StrEnum):
    """What keeps a device from starting."""

    START = "start"  # the plan's `start_at` is still to come
    FREEZE = "freeze"
    WINDOW = "window"  # no window is open
    REST = "rest"  # a window is open, but what is left of it is too short for `must_finish`


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a device may not start now.

    `until_at` is when this cause is over (another may follow), None where it never is; `reason` is
    that of the freeze.
    """

    by: ClosedBy
    until_at: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Never:
    """No device will ever start: it needs more than the longest window, `longest_s`, has.

    `longest_s` is None where not the windows are too short but a freeze has no end.
    """

    needs_s: float
    longest_s: float | None


@dataclass(frozen=True, slots=True)
class _Span:
    start_at: float
    end_at: float


class Calendar:
    """The times of a schedule for devices of one zone. Immutable; make one for each zone.

    Cost: a question takes some 20 microseconds per window.
    """

    __slots__ = ("_allowed", "_schedule", "_windows")

    def __init__(self, schedule: Schedule, device_zone: str = "") -> None:
        """Reads the rules of the zones.

        Args:
            schedule: of the resolved plan; its zones are known.
            device_zone: name of the zone in which windows with `timezone: device` are read.

        Raises:
            ValueError: no zone has that name.
        """
        assert all(window.days for window in schedule.windows), "a window opens on some day"
        self._schedule = schedule
        self._windows = _zoned(schedule.windows, device_zone)
        self._allowed = _allowed(schedule)

    def is_open(self, now: float) -> bool:
        """Whether a device that needs no time may start at `now`."""
        first = next(self._openings(now), None)
        return first is not None and first.start_at <= now

    def next_change(self, now: float) -> float | None:
        """The first instant after `now` at which `is_open` changes; None: it stays as it is."""
        open_until = now
        for opening in self._openings(now):
            if opening.start_at > open_until:
                return opening.start_at if open_until == now else open_until
            open_until = max(open_until, opening.end_at)
            if open_until > now + HORIZON_S:
                open_until = next(span.end_at for span in self._allowed if span.end_at > now)
                break
        return open_until if now < open_until < math.inf else None

    def opens_at(self, now: float, needs_s: float = 0.0) -> float | Never:
        """The first instant, `now` or later, at which a device that needs `needs_s` may start."""
        longest_s = max((_fits_s(window) for window in self._schedule.windows), default=math.inf)
        if needs_s > longest_s:
            return Never(needs_s, longest_s)
        for opening in self._openings(now):
            at = max(now, opening.start_at)
            if not opening.must_finish or at + needs_s <= opening.end_at:
                return at
        return Never(needs_s, None)

    def why_closed(self, now: float, needs_s: float = 0.0) -> Closed | None:
        """Why a device that needs `needs_s` may not start at `now`; None when it may."""
        start_at = self._schedule.start_at
        if start_at is not None and now < start_at:
            return Closed(ClosedBy.START, start_at)
        on = [freeze for freeze in self._schedule.freezes if freeze.from_at <= now < freeze.to_at]
        if on:
            last = max(on, key=lambda freeze: freeze.to_at)
            return Closed(ClosedBy.FREEZE, last.to_at, last.reason)
        if not self.is_open(now):
            return Closed(ClosedBy.WINDOW, self.next_change(now))
        opens_at = self.opens_at(now, needs_s)
        if opens_at == now:
            return None
        return Closed(ClosedBy.REST, None if isinstance(opens_at, Never) else opens_at)

    def _openings(self, now: float) -> Iterator[Opening]:
        """Openings, cut to when starts are allowed, that are not over at `now`; by their start."""
        for span in self._allowed:
            if span.end_at <= now:
                continue
            for opening in self._uncut(max(now, span.start_at)):
                if opening.start_at >= span.end_at:
                    break
                start_at = max(opening.start_at, span.start_at)
                end_at = min(opening.end_at, span.end_at)
                yield Opening(start_at, end_at, opening.must_finish)

    def _uncut(self, from_at: float) -> Iterator[Opening]:
        if not self._windows:
            return iter((Opening(-math.inf, math.inf, must_finish=False),))
        each = (openings(window, zone, from_at) for window, zone in self._windows)
        return heapq.merge(*each, key=lambda opening: opening.start_at)


def device_needs_s(timeouts: Timeouts, schedule: Schedule) -> float:
    """What a device may need from its start until it runs the new version (R12, "its timeouts").

    Its gates are not in it: at their slowest they take hours, and change nothing on the device.
    """
    transfer_s = 0.0 if schedule.stage_outside_window else timeouts.transfer_s
    return timeouts.connect_s + transfer_s + timeouts.install_s + timeouts.reboot_s


def calendars(schedule: Schedule, device_zones: Iterable[str]) -> dict[str, Calendar]:
    """A calendar for each zone among those of the devices ("" for devices without one).

    What is asked of them then costs per zone, not per device.

    Raises:
        ValueError: a zone is unknown, or "" while a window is in the zone of the device.
    """
    return {zone: Calendar(schedule, zone) for zone in sorted(set(device_zones))}


def _zoned(windows: tuple[Window, ...], device_zone: str) -> tuple[tuple[Window, tzinfo], ...]:
    named = [
        device_zone if window.timezone == ZONE_OF_DEVICE else window.timezone for window in windows
    ]
    zones = {name: load_zone(name) for name in set(named)}
    return tuple((window, zones[name]) for window, name in zip(windows, named, strict=True))


def _allowed(schedule: Schedule) -> tuple[_Span, ...]:
    """What `start_at` and freezes leave of all time, in order; the last has no end."""
    start_at = -math.inf if schedule.start_at is None else schedule.start_at
    spans = []
    for freeze in sorted(schedule.freezes, key=_begin):
        if start_at < freeze.from_at:
            spans.append(_Span(start_at, freeze.from_at))
        start_at = max(start_at, freeze.to_at)
    return (*spans, _Span(start_at, math.inf))


def _begin(freeze: Freeze) -> float:
    return freeze.from_at


def _fits_s(window: Window) -> float:
    """The longest time that a device may need to start in this window."""
    return window.duration_s if window.must_finish else math.inf
