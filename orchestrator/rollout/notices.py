"""What hooks are told of a rollout: made of its journal, and of nothing else.

Laws:
1. The same journal gives the same notices, whenever and by whomever it is read: a notice that is
   told again after a crash has the same id and the same content.
2. One entry makes at most one notice, so the entry's `seq` identifies it.
3. Devices that cannot go back make one notice per rollback, not one each: a fleet of them would
   drown what matters.

Pauses for lack of evidence are `inconclusive`, not `paused`; what is waited for by a person who
may approve is `awaiting_approval`. A rollout that ends without having gone through (`aborted`,
`superseded`, `rejected`, `expired`) is `aborted`, and its state says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.plan.resolved import HookEvent, ResolvedPlan
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import DeviceState, Pause, RolloutState, WaveState

DETAIL_CHARS_MAX = 1024  # of untrusted text in a notice

_INCONCLUSIVE = frozenset({
    Pause.GATE_INCONCLUSIVE.value, Pause.INSUFFICIENT_EVIDENCE.value, Pause.NO_DATA.value,
})  # fmt: skip
_TROUBLED = frozenset({
    DeviceState.FAILED.value, DeviceState.ROLLED_BACK.value, DeviceState.ROLLBACK_FAILED.value,
    DeviceState.LOST.value, DeviceState.SKIPPED.value, DeviceState.DEFERRED.value,
    DeviceState.UNCERTAIN.value,
})  # fmt: skip
_ENDS = {
    RolloutState.SUCCEEDED.value: HookEvent.SUCCEEDED,
    RolloutState.SUCCEEDED_WITH_EXCEPTIONS.value: HookEvent.SUCCEEDED,
    RolloutState.ROLLED_BACK.value: HookEvent.ROLLED_BACK,
    RolloutState.FAILED.value: HookEvent.FAILED,
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that hooks may be told.

    Attributes:
        seq: number of the journal entry that it was made of.
        at: when that happened, UTC seconds.
        devices: how many the rollout has; `counts` has them by state as of then.
        reasons: how many of those that are in trouble there are for each reason code.
        cause: why it stopped, or as what it ended; a value of `Halt`, `Pause`, `RolloutState`.
        detail: untrusted text, for people.
        who: the person behind it; empty where nobody is.
    """

    rollout_id: str
    seq: int
    at: float
    event: HookEvent
    plan: str
    release: str
    wave: str
    device: str
    devices: int
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    cause: str = ""
    detail: str = ""
    who: str = ""

    @property
    def id(self) -> str:
        """The same whenever this notice is told: by it receivers know what they have already."""
        return f"{self.rollout_id}/{self.seq}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of telling one hook of one notice so far.

    `hook` is its place in the plan, `to` whom it names without anything that may be secret, `at`
    the time of the last attempt, `detail` why that failed.
    """

    seq: int
    hook: int
    event: str
    to: str
    attempts: int
    delivered: bool
    at: float
    detail: str = ""


class Reader:
    """Reads a journal from its first entry on, and gives what hooks may be told.

    Cost: constant per entry, and per notice linear in the devices' states, not in devices.
    """

    def __init__(self, plan: ResolvedPlan, rollout_id: str) -> None:
        self._plan, self._rollout_id = plan, rollout_id
        self._where: dict[str, tuple[str, str]] = {}  # of each device: state and reason
        self._counts: Counter[tuple[str, str]] = Counter()
        self._stuck = False  # somebody could not go back, and that was told
        self._asked: JournalEntry | None = None

    def read(self, entries: Iterable[JournalEntry]) -> Iterator[Notice]:
        """The notices of entries that follow those read before."""
        for entry in entries:
            self._follow(entry)
            event = self._event(entry)
            if event is not None:
                yield self._notice(entry, event)

    def _follow(self, entry: JournalEntry) -> None:
        match entry.type:
            case "device_state":
                now = (_text(entry, "to"), _text(entry, "reason"))
                before = self._where.get(entry.device)
                if before is not None:
                    self._counts[before] -= 1
                self._where[entry.device] = now
                self._counts[now] += 1
            case "operator":
                self._asked = entry
            case "rollback_started" | "resumed":
                self._stuck = False

    def _event(self, entry: JournalEntry) -> HookEvent | None:
        say = _EVENTS.get(entry.type)
        event = None if say is None else say(entry)
        if event is HookEvent.ROLLBACK_FAILED:
            event, self._stuck = (None if self._stuck else event), True
        return event

    def _notice(self, entry: JournalEntry, event: HookEvent) -> Notice:
        counts: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for (state, reason), count in self._counts.items():
            counts[state] += count
            if state in _TROUBLED and reason:
                reasons[reason] += count
        counts[DeviceState.PENDING.value] += max(0, len(self._plan.devices) - len(self._where))
        asked = self._asked
        person = _text(asked, "who") if asked and asked.seq == entry.seq - 1 else ""
        return Notice(
            rollout_id=self._rollout_id,
            seq=entry.seq,
            at=entry.at,
            event=event,
            plan=self._plan.name,
            release=self._plan.release,
            wave=entry.wave,
            device=entry.device,
            devices=len(self._plan.devices),
            counts=_some(counts),
            reasons=_some(reasons),
            cause=_first(entry, "cause", "state", "reason"),
            detail=_text(entry, "detail")[:DETAIL_CHARS_MAX],
            who=_text(entry, "who") or person,
        )


def _pause(entry: JournalEntry) -> HookEvent | None:
    cause = _text(entry, "cause")
    if cause == Pause.APPROVAL.value:  # told when it was asked for
        return None
    return HookEvent.INCONCLUSIVE if cause in _INCONCLUSIVE else HookEvent.PAUSED


def _where(key: str, value: str, event: HookEvent) -> Callable[[JournalEntry], HookEvent | None]:
    return lambda entry: event if entry.data.get(key) == value else None


def _text(entry: JournalEntry, key: str) -> str:
    value = entry.data.get(key)
    return value if isinstance(value, str) else ""


def _first(entry: JournalEntry, *keys: str) -> str:
    return next((text for key in keys if (text := _text(entry, key))), "")


def _some(counts: Counter[str]) -> Mapping[str, int]:
    return {name: count for name, count in sorted(counts.items()) if count}


_EVENTS: Mapping[str, Callable[[JournalEntry], HookEvent | None]] = {
    "rollout_started": lambda _: HookEvent.STARTED,
    "wave_done": _where("state", WaveState.PASSED.value, HookEvent.WAVE_PASSED),
    "approval": _where("what", "asked", HookEvent.AWAITING_APPROVAL),
    "break_glass": _where("what", "broken", HookEvent.BREAK_GLASS),
    "paused": _pause,
    "resumed": lambda entry: None if entry.data.get("left") else HookEvent.RESUMED,
    "halted": lambda _: HookEvent.HALTED,
    "rollback_started": lambda _: HookEvent.ROLLING_BACK,
    "device_state": _where("to", DeviceState.ROLLBACK_FAILED.value, HookEvent.ROLLBACK_FAILED),
    "catching_up": lambda _: HookEvent.CATCHING_UP,
    "rollout_done": lambda entry: _ENDS.get(_text(entry, "state"), HookEvent.ABORTED),
}
