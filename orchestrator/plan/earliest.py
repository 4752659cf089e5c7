"""Before what a wave cannot start and end: from the schedule, rate, soaks and gates alone.

Laws:
1. Nothing that the plan says is left out, and nothing that devices take is guessed: the answer is
   never later than the truth.
2. A wave ends after its last device has started, in hours of that device's zone (R12).
3. Hours that never come, of a window that is too short, are said elsewhere and hold up nothing here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from orchestrator.device.model import DeviceId
from orchestrator.plan.calendar import Calendar, Never, calendars, device_needs_s
from orchestrator.plan.resolved import Gate, ResolvedPlan, Stage
from orchestrator.plan.schedule import ZONE_OF_DEVICE


class Starts:
    """When devices of a plan may start. Cost: per zone, not per device."""

    def __init__(self, plan: ResolvedPlan) -> None:
        self._plan = plan
        self._needs_s = device_needs_s(plan.timeouts, plan.schedule)
        self._local = any(window.timezone == ZONE_OF_DEVICE for window in plan.schedule.windows)
        self._calendars = calendars(plan.schedule, self._zones(plan.devices))

    def first_at(self) -> float | None:
        """When the first device may start, where its schedule makes it wait."""
        made_at = self._plan.made_at
        found = [self._opens_at(calendar, made_at) for calendar in self._calendars.values()]
        first = min((at for at in found if at is not None), default=None)
        return None if first == made_at else first

    def last_at(self, devices: Iterable[DeviceId], at: float, paced_s: float) -> float:
        """When the last of these may start that may from `at` on, all of them within `paced_s`."""
        hours = [self._calendars[zone] for zone in self._zones(devices)]
        firsts = [start for each in hours if (start := self._opens_at(each, at)) is not None]
        if not firsts:
            return at + paced_s
        after = min(firsts) + paced_s
        lasts = [last for each in hours if (last := self._opens_at(each, after)) is not None]
        return max(*firsts, min(lasts, default=after))

    def _zones(self, devices: Iterable[DeviceId]) -> Collection[str]:
        if not self._local:
            return ("",)
        return {self._plan.devices[device].timezone for device in devices}

    def _opens_at(self, calendar: Calendar, at: float) -> float | None:
        opens_at = calendar.opens_at(at, self._needs_s)
        return None if isinstance(opens_at, Never) else opens_at


def gates_s(gates: Iterable[Gate]) -> float:
    """The least time that gates add to a wave: device gates before its soak, wave gates after."""
    by_stage = {Stage.DEVICE: 0.0, Stage.WAVE: 0.0}
    for gate in gates:
        if gate.stage in by_stage and not gate.dry_run:
            samples_count = gate.consecutive_success_limit or gate.count
            needs_s = gate.initial_delay_s + (samples_count - 1) * gate.interval_s
            by_stage[gate.stage] = max(by_stage[gate.stage], needs_s)
    return sum(by_stage.values())
