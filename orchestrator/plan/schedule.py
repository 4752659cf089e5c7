"""When a rollout may move: windows, freezes, start and end, as a resolved plan holds them.

Pure values; what they mean at an instant is decided elsewhere. Times are UTC seconds.

Source: rollout-rules R12, R15.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ZONE_OF_DEVICE = "device"  # a window's zone that each device answers for itself


class Day(StrEnum):
    """A day of the week as plans write it."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class DeadlineAction(StrEnum):
    """What a deadline that passes does to the rollout."""

    PAUSE = "pause"
    HALT = "halt"


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week in which devices may be changed.

    It opens at `start` ("HH:MM", wall time of the named day in `timezone`) and stays open for
    `duration_s` of elapsed time, half-open. `timezone` is an IANA name, or `device`: then
    `PlannedDevice.timezone` counts. With `must_finish` a device starts only if it can also end.
    """

    days: tuple[str, ...]
    start: str
    duration_s: float
    timezone: str
    must_finish: bool = False


@dataclass(frozen=True, slots=True)
class Freeze:
    """A span of time, half-open, in which nothing starts; wins over every window."""

    from_at: float
    to_at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything about time that a plan says. No windows: always open.

    `stage_outside_window`: transfers go at any time, only what changes the device waits.
    `deadline_s` counts from the start of the rollout.
    """

    start_at: float | None = None
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    stage_outside_window: bool = False
    deadline_s: float | None = None
    deadline_action: DeadlineAction = DeadlineAction.HALT
