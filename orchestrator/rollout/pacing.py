"""How fast devices may start: the rate, and limits per value of a label.

Laws:
1. Starts keep a distance of a minute divided by the rate, so that no minute, wherever it begins,
   has more starts than the rate. Only successes speed it up.
2. A device takes up the slots of its labels while it is at work, and as long as it is known to be
   down: a site with devices down has so much less to lose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import CONNECT_REASONS
from orchestrator.plan.resolved import Rate, ResolvedPlan
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import AT_WORK, DeviceState

MINUTE_S = 60.0
_STEPS_MAX = 64  # of a growing rate; its own maximum is reached long before
_AWAY = frozenset({DeviceState.DEFERRED, DeviceState.QUEUED})  # the latter: to be asked again

Slot = tuple[str, str]  # a label and its value


def per_minute(rate: Rate, successes: int) -> float:
    """The rate after so many successes."""
    growth = rate.increase
    if growth is None:
        return float(rate.per_minute)
    steps = min(_STEPS_MAX, successes // growth.after_successes)
    return min(float(growth.max_per_minute), rate.per_minute * growth.factor**steps)


def next_start_at(rate: Rate | None, last_at: float | None, successes: int) -> float | None:
    """When the next device may start; None: at once."""
    if rate is None or last_at is None:
        return None
    return last_at + MINUTE_S / per_minute(rate, successes)


class Slots:
    """Who takes up the slots of which label values; kept by the ledger in constant time."""

    def __init__(self, plan: ResolvedPlan) -> None:
        self._limits = plan.max_parallel_per
        self._devices = plan.devices
        self._taken: Counter[Slot] = Counter()
        self._deferred: Counter[Slot] = Counter()
        self.freed: dict[Slot, None] = {}  # slots that became free since somebody looked

    def know(self, plan: ResolvedPlan) -> None:
        """The plan has more devices now."""
        self._devices = plan.devices

    def weigh(self, rec: DeviceRecord, sign: int) -> None:
        """Adds a device, or takes it out."""
        if not self._limits or not _takes_slots(rec):
            return
        taken = self._taken if rec.state not in _AWAY else self._deferred
        for slot in self.of(rec.id):
            taken[slot] += sign
            if sign < 0:
                self.freed[slot] = None

    def full(self, device: DeviceId, *, was_away: bool = False) -> Slot | None:
        """A label value of the device of which no slot is free; None when it may start.

        One that was itself down does not make its site worse: it may be asked beside others
        that are deferred.
        """
        full = (slot for slot in self.of(device) if self.free(slot, was_away=was_away) <= 0)
        return next(full, None)

    def free(self, slot: Slot, *, was_away: bool = False) -> int:
        """How many more devices may start; see `full`. Below zero where too many are down."""
        taken = self._taken[slot] + (0 if was_away else self._deferred[slot])
        return self._limits[slot[0]] - taken

    def of(self, device: DeviceId) -> Sequence[Slot]:
        """The slots that the device takes up while it is at work."""
        if not self._limits:
            return ()
        labels = self._devices[device].labels
        return [(label, labels[label]) for label in self._limits if label in labels]


def _takes_slots(rec: DeviceRecord) -> bool:
    if rec.state in _AWAY and (rec.deferrals or rec.state is DeviceState.DEFERRED):
        return rec.reason in CONNECT_REASONS  # one that was inhibited or logged us out is up
    return rec.state in AT_WORK or rec.state is DeviceState.LOST
