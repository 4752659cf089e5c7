"""When devices may be started, changed and taken back by the plan's schedule (R12).

Laws:
1. Only starts are judged; what is in flight when a window closes or a freeze begins goes on (R13).
2. With `stage_outside_window` a transfer may start at any time that is not frozen, and the change
   of the device waits for its window.
3. A way back ignores windows and freezes unless the plan says otherwise.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.plan.calendar import Calendar, ClosedBy, Never, calendars, device_needs_s
from orchestrator.plan.resolved import Freeze, PlannedDevice, ResolvedPlan, Schedule
from orchestrator.plan.schedule import ZONE_OF_DEVICE

_HAS_AN_END = frozenset({ClosedBy.START, ClosedBy.FREEZE})


@dataclass(frozen=True, slots=True)
class Closed:
    """A device has to wait: until then (UTC seconds), or for ever (None); `zone` is its own."""

    zone: str
    until_at: float | None


class Hours:
    """The calendars of one plan, one for each zone of its devices; immutable."""

    def __init__(self, plan: ResolvedPlan) -> None:
        schedule = plan.schedule
        self._schedule = schedule
        self._devices = plan.devices
        self._local = any(window.timezone == ZONE_OF_DEVICE for window in schedule.windows)
        zones = {self._zone(device) for device in plan.devices.values()}
        times = plan.timeouts
        self._start_needs_s = device_needs_s(times, schedule)
        self._change_needs_s = times.connect_s + times.install_s + times.reboot_s
        self._any = _calendars(schedule, zones)
        staging = schedule.stage_outside_window and bool(schedule.windows)
        free = dataclasses.replace(schedule, windows=())
        self._start = _calendars(free, zones) if staging else self._any
        self._change = self._any if staging else {}
        self._back = _calendars(_of_rollback(plan), zones)
        if staging:
            self._start_needs_s = 0.0

    def start(self, device: DeviceId, now: float) -> Closed | None:
        """Why the device may not be started now; None when it may."""
        return self._ask(self._start, device, now, self._start_needs_s)

    def change(self, device: DeviceId, now: float) -> Closed | None:
        """Why a device that was staged ahead may not be changed now; None when it may."""
        return self._ask(self._change, device, now, self._change_needs_s)

    def back(self, device: DeviceId, now: float) -> Closed | None:
        """Why the device may not be taken back now; None when it may."""
        return self._ask(self._back, device, now, 0.0)

    def zone_of(self, device: DeviceId) -> str:
        """The zone whose hours are the device's; "" where all have the same."""
        return self._zone(self._devices[device])

    def opens_at(self, now: float) -> float | None:
        """When the first device of any zone may start: now or later; None for never."""
        at = min(map(self._opens_at(now), self._start.values()), default=now)
        return None if at == math.inf else at

    def closed_by(self, now: float) -> dict[str, float | None]:
        """What keeps the first device of any zone from starting now, one after the other.

        Each of `start`, `freeze` and `window` with the end of it, None for never; empty where a
        device may start.
        """
        found: dict[str, float | None] = {}
        if not self._start:
            return found
        first = self.opens_at(now)
        calendar = min(self._start.values(), key=self._opens_at(now))
        at: float | None = now
        while at is not None and at != first:
            closed = calendar.why_closed(at, self._start_needs_s)
            assert closed is not None, "it opens later"
            if closed.by in _HAS_AN_END:
                at = None if closed.until_at == math.inf else closed.until_at
                found[closed.by.value] = at
            else:
                found[ClosedBy.WINDOW.value] = at = first
        return found

    def _opens_at(self, now: float) -> Callable[[Calendar], float]:
        def opens_at(calendar: Calendar) -> float:
            at = calendar.opens_at(now, self._start_needs_s)
            return math.inf if isinstance(at, Never) else at

        return opens_at

    def changes_at(self, now: float) -> float | None:
        """When the hours of some device change next."""
        found = (calendar.next_change(now) for calendar in self._start.values())
        return min((at for at in found if at is not None), default=None)

    def freeze(self, now: float) -> Freeze | None:
        """The freeze that is on now; of several the one that ends last."""
        on = (each for each in self._schedule.freezes if each.from_at <= now < each.to_at)
        return max(on, key=lambda each: each.to_at, default=None)

    def next_freeze_at(self, now: float) -> float | None:
        """When the next freeze begins."""
        later = (each.from_at for each in self._schedule.freezes if each.from_at > now)
        return min(later, default=None)

    def _zone(self, device: PlannedDevice) -> str:
        return device.timezone if self._local else ""

    def _ask(
        self, by_zone: Mapping[str, Calendar], device: DeviceId, now: float, needs_s: float
    ) -> Closed | None:
        if not by_zone:
            return None
        zone = self._zone(self._devices[device])
        at = by_zone[zone].opens_at(now, needs_s)
        if isinstance(at, Never):
            return Closed(zone, None)
        return Closed(zone, at) if at > now else None


def _calendars(schedule: Schedule, zones: set[str]) -> dict[str, Calendar]:
    """By zone; empty where the schedule never closes."""
    closes = schedule.windows or schedule.freezes or schedule.start_at is not None
    return calendars(schedule, zones) if closes else {}


def _of_rollback(plan: ResolvedPlan) -> Schedule:
    rules, schedule = plan.rollback, plan.schedule
    return Schedule(
        windows=schedule.windows if rules.respect_windows else (),
        freezes=schedule.freezes if rules.respect_freezes else (),
    )
