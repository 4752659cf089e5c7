"""What a rollout's journal says so far, counted: the model behind progress.

Laws:
1. The board reads journal entries only, in order, and draws no conclusion of its own: counts,
   states and reasons are the rollout's.
2. Taking an entry costs the same for 10 and for 10 000 devices; so does looking at the board.
3. Unknown entry types and keys change nothing: a newer rollout can be watched too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.render.at_work import AtWork, DeviceLine
from orchestrator.render.causes_so_far import CausesSoFar
from orchestrator.render.gate_track import GateTracks
from orchestrator.rollout.events import JournalEntry, Value
from orchestrator.rollout.states import (
    AT_WORK,
    BEFORE_RETURN,
    COUNTED,
    PROVEN,
    TROUBLED,
    DeviceState,
    RolloutState,
    WaveState,
)

LAST_MAX = 4  # entries about one device; `rollout status --why` has them all


@dataclass(slots=True)
class WaveLine:
    """Where one wave stands."""

    name: str
    state: WaveState = WaveState.PENDING
    counts: Counter[DeviceState] = field(default_factory=Counter)
    counted: int = 0
    allowed: int | None = None
    soak_until: float | None = None

    def count(self, states: Iterable[DeviceState]) -> int:
        """Devices in any of these states."""
        return sum(self.counts[state] for state in states)

    @property
    def total(self) -> int:
        """Devices in the wave now."""
        return sum(self.counts.values())

    @property
    def proven(self) -> int:
        """Devices that run the new version and have shown that they do."""
        return self.count(PROVEN)

    @property
    def budget(self) -> tuple[int, int] | None:
        """Failures so far and how many may be; None where there are none, or nobody said."""
        failures = max(self.counted, self.count(COUNTED))
        return (failures, self.allowed) if failures and self.allowed is not None else None


class Board:
    """The state of one rollout as its journal tells it; see the module's laws."""

    def __init__(self, plan: ResolvedPlan, rollout_id: str) -> None:
        self.plan = plan
        self.rollout_id = rollout_id
        self.state = RolloutState.RUNNING
        self.started_at = 0.0
        self.now = 0.0
        self.current = ""
        self.waves: dict[str, WaveLine] = {}
        self.devices: dict[str, DeviceLine] = {}
        self.stop = ""  # why it is paused or halted; untrusted
        self.at_work = AtWork()
        self.causes = CausesSoFar()
        self.gates = GateTracks(plan.gates)
        self.last: dict[str, deque[JournalEntry]] = {}  # of devices at work or in trouble
        self._handlers: Mapping[str, Callable[[JournalEntry], None]] = {
            "device_state": self._device_state,
            "wave_started": self._wave_started,
            "soak_started": self._soak_started,
            "wave_done": self._wave_done,
            "budget": self._budget,
            "halted": self._stopped,
            "paused": self._stopped,
            "resumed": self._resumed,
            "approval": self._approval,
            "catching_up": self._catching_up,
            "devices_joined": self._joined,
            "rollback_started": self._rollback_started,
            "gate_result": self.gates.take,
            "rollout_done": self._rollout_done,
        }
        for wave in plan.waves:
            line = WaveLine(wave.name)
            line.counts[DeviceState.PENDING] = len(wave.devices)
            self.waves[wave.name] = line
            for device in wave.devices:
                self.devices[device] = DeviceLine(device, wave.name)

    def take(self, entries: Iterable[JournalEntry]) -> None:
        """Counts entries in."""
        for entry in entries:
            self.now = max(self.now, entry.at)
            self.started_at = self.started_at or entry.at
            handler = self._handlers.get(entry.type)
            if handler is not None:
                handler(entry)
            if entry.device:
                self._remember(entry)

    def take_time(self, now: float) -> None:
        """The time that durations are measured to."""
        self.now = max(self.now, now)

    def take_work(self, device: str, step: str, sent_bytes: int, total_bytes: int) -> None:
        """Progress of a device at work that no journal records."""
        line = self.at_work.lines.get(device)
        if line is not None and line.state in BEFORE_RETURN:
            line.step, line.sent_bytes, line.total_bytes = step, sent_bytes, total_bytes

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first entry."""
        return max(0.0, self.now - self.started_at)

    @property
    def proven(self) -> int:
        """Devices that run the new version and have shown that they do."""
        return sum(wave.proven for wave in self.waves.values())

    @property
    def total(self) -> int:
        """Devices of the rollout."""
        return len(self.devices)

    def _device_state(self, entry: JournalEntry) -> None:
        line = self.devices.get(entry.device)
        target = _device_state(entry.data.get("to"))
        if line is None or target is None:
            return
        before, before_s = line.state, entry.at - line.since
        self._move(line, entry.wave or line.wave, target)
        attempt = _whole(entry.data.get("attempt"))
        if attempt > line.attempt:
            line.attempt, line.reason, line.detail = attempt, "", ""
        line.since = entry.at
        reason = str(entry.data.get("reason") or "")
        if reason and (not line.reason or target is DeviceState.ROLLBACK_FAILED):
            line.reason, line.detail = reason, str(entry.data.get("detail") or "")
        if target not in BEFORE_RETURN:
            line.step, line.sent_bytes, line.total_bytes = "", 0, 0
        self.at_work.moved(line, before, before_s)
        if target in TROUBLED and line.reason:
            self.causes.enter(line.name, line.reason, line.detail, entry.at)
        else:
            self.causes.leave(line.name)

    def _remember(self, entry: JournalEntry) -> None:
        """Keeps the last entries about a device for as long as somebody may ask for them."""
        line = self.devices.get(entry.device)
        if line is None:
            return
        if line.state in AT_WORK or line.state in TROUBLED:
            self.last.setdefault(line.name, deque(maxlen=LAST_MAX)).append(entry)
        else:
            self.last.pop(line.name, None)

    def _move(self, line: DeviceLine, wave: str, target: DeviceState) -> None:
        old, new = self.waves[line.wave], self.waves.get(wave, self.waves[line.wave])
        old.counts[line.state] -= 1
        new.counts[target] += 1
        line.wave, line.state = new.name, target

    def _wave_started(self, entry: JournalEntry) -> None:
        wave = self.waves.get(entry.wave)
        if wave is not None:
            wave.state = WaveState.RUNNING
            self.current = wave.name
            if self.state is RolloutState.AWAITING_APPROVAL:
                self.state = RolloutState.RUNNING
            if "allowed" in entry.data:
                wave.allowed = _whole(entry.data["allowed"])

    def _soak_started(self, entry: JournalEntry) -> None:
        wave = self.waves.get(entry.wave)
        if wave is not None:
            wave.state = WaveState.SOAKING
            soak_s = entry.data.get("soak_s")
            wave.soak_until = entry.at + soak_s if isinstance(soak_s, int | float) else None

    def _wave_done(self, entry: JournalEntry) -> None:
        wave = self.waves.get(entry.wave)
        state = str(entry.data.get("state") or entry.data.get("verdict") or "")
        if wave is not None and state in _WAVE_STATES:
            wave.state = WaveState(state)

    def _budget(self, entry: JournalEntry) -> None:
        wave = self.waves.get(entry.wave)
        if wave is not None:
            wave.counted = _whole(entry.data.get("counted"))
            wave.allowed = _whole(entry.data.get("allowed"))
            if wave.counted > wave.allowed:
                wave.state = WaveState.TRIPPED

    def _stopped(self, entry: JournalEntry) -> None:
        self.state = RolloutState.HALTED if entry.type == "halted" else RolloutState.PAUSED
        self.stop = str(entry.data.get("detail") or entry.data.get("cause") or "")

    def _resumed(self, entry: JournalEntry) -> None:
        left = entry.data.get("left")
        if not (isinstance(left, list) and left):  # else one cause is over, others are not
            self.state, self.stop = RolloutState.RUNNING, ""

    def _approval(self, entry: JournalEntry) -> None:
        wave = self.waves.get(entry.wave)
        if entry.data.get("what") == "asked":
            if wave is None:
                self.state = RolloutState.AWAITING_APPROVAL
            else:
                wave.state = WaveState.AWAITING_APPROVAL
                self.current = wave.name

    def _catching_up(self, _entry: JournalEntry) -> None:
        self.state = RolloutState.CATCHING_UP

    def _joined(self, entry: JournalEntry) -> None:
        wave, names = self.waves.get(entry.wave), entry.data.get("devices")
        if wave is None or not isinstance(names, list):
            return
        for name in map(str, names):
            if name not in self.devices:  # else the plan that we were given has it
                self.devices[name] = DeviceLine(name, wave.name)
                wave.counts[DeviceState.PENDING] += 1

    def _rollback_started(self, _entry: JournalEntry) -> None:
        self.state = RolloutState.ROLLING_BACK

    def _rollout_done(self, entry: JournalEntry) -> None:
        state = str(entry.data.get("state") or "")
        if state in _ROLLOUT_STATES:
            self.state = RolloutState(state)


_WAVE_STATES = frozenset(WaveState)
_ROLLOUT_STATES = frozenset(RolloutState)
_DEVICE_STATES: Mapping[str, DeviceState] = {str(state): state for state in DeviceState}


def _device_state(value: Value | list[Value]) -> DeviceState | None:
    return _DEVICE_STATES.get(value) if isinstance(value, str) else None


def _whole(value: Value | list[Value]) -> int:
    return int(value) if isinstance(value, int | float) else 0
