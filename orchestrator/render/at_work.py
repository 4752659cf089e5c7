"""Devices at work, as far as a screen of any size needs them: who is slow, and who has which row.

Laws:
1. Every change costs the same for 10 and for 10 000 devices; so does asking.
2. A device that has a row keeps it while it is at work, and after that until another needs it: rows
   do not jump. The longest at work without a row get the next that is free.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import islice
from statistics import median

from orchestrator.rollout.states import AT_WORK, PROVEN, DeviceState

SEATS = 8  # more rows nobody reads at once
TIMES_MAX = 31  # of those that left a state; what is usual changes with the waves
TIMES_MIN = 3  # fewer make nothing usual
LOOKED_AT_MAX = 64  # in search of slow ones
SLOW_FACTOR = 2.0
SLOW_S = 5.0  # a difference below that is none
_WELL = PROVEN | (AT_WORK - {DeviceState.ROLLING_BACK, DeviceState.UNCERTAIN})


@dataclass(slots=True)
class DeviceLine:
    """Where one device stands.

    `reason` and `detail` are the first trouble of its latest attempt, or why it could not go back.
    """

    name: str
    wave: str
    state: DeviceState = DeviceState.PENDING
    since: float = 0.0
    attempt: int = 0
    reason: str = ""
    detail: str = ""
    step: str = ""
    sent_bytes: int = 0
    total_bytes: int = 0


class AtWork:
    """The devices at work, the longest in their state first, and the rows of a screen."""

    def __init__(self) -> None:
        self.lines: OrderedDict[str, DeviceLine] = OrderedDict()
        self.seats: list[DeviceLine] = []
        self._standing: OrderedDict[str, DeviceLine] = OrderedDict()
        self._times: dict[DeviceState, deque[float]] = {}

    def moved(self, line: DeviceLine, before: DeviceState, before_s: float) -> None:
        """The device has come to another state, after `before_s` seconds in the one before."""
        if before in AT_WORK and line.state in _WELL:
            self._times.setdefault(before, deque(maxlen=TIMES_MAX)).append(before_s)
        if line.state in AT_WORK:
            self.lines[line.name] = line
            self.lines.move_to_end(line.name)
            self._sit(line)
        elif self.lines.pop(line.name, None) is not None:
            self._rise(line)

    def usual_s(self, state: DeviceState) -> float | None:
        """How long devices are in this state as a rule; None before a few have left it."""
        times = self._times.get(state, ())
        return median(times) if len(times) >= TIMES_MIN else None

    def is_slow(self, line: DeviceLine, now: float) -> bool:
        """Whether it is in its state for much longer than others were."""
        usual_s = self.usual_s(line.state)
        if usual_s is None or line.state not in AT_WORK or line.state is DeviceState.STAGED:
            return False  # one that is staged waits for others
        return now - line.since > max(SLOW_FACTOR * usual_s, usual_s + SLOW_S)

    def slow(self, now: float, limit: int) -> list[DeviceLine]:
        """At most so many of those that are slow, the slowest first; looks at a few only."""
        longest = islice(self.lines.values(), LOOKED_AT_MAX)
        return list(islice((line for line in longest if self.is_slow(line, now)), limit))

    def shown(self, rows: int) -> list[DeviceLine]:
        """Whom so many rows show: all seats, or those at work for longest, each in its order."""
        if rows >= len(self.seats):
            return list(self.seats)
        ranked = sorted(self.seats, key=lambda line: (line.state not in AT_WORK, line.since))
        chosen = {line.name for line in ranked[: max(0, rows)]}
        return [line for line in self.seats if line.name in chosen]

    def _sit(self, line: DeviceLine) -> None:
        if any(one is line for one in self.seats):
            return
        free = [index for index, one in enumerate(self.seats) if one.state not in AT_WORK]
        if len(self.seats) < SEATS:
            self.seats.append(line)
        elif free:
            self.seats[min(free, key=lambda index: self.seats[index].since)] = line
        else:
            self._standing.setdefault(line.name, line)

    def _rise(self, line: DeviceLine) -> None:
        if self._standing.pop(line.name, None) is None and self._standing:
            _, first = self._standing.popitem(last=False)
            self.seats[self.seats.index(line)] = first
