"""The journal as spans: a rollout, its waves, and in these each attempt with a device.

Laws:
1. A span says what the journal says, and of that only what we wrote ourselves: states, codes of
   reasons, names of the plan's gates, names of devices. No text of a device, no variable of an
   inventory and nothing that a person typed.
2. Ids come from the rollout's id and from the journal's numbers: whichever process tells the end
   of a span, it is the same span, and spans that several processes tell are of one trace.
3. A span is given once, when it has ended. What has not ended is told by who sees its end.
4. A span is `OK` on proof alone; whatever ended without any has no status, or an error with its
   reason.

Cost: what is open now, and not the journal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import AT_WORK, DeviceState, RolloutState, WaveState

TRACE_ID_BYTES, SPAN_ID_BYTES = 16, 8  # W3C Trace Context, "trace-id", "parent-id"
Attributes = Mapping[str, str | int]


class Ended(StrEnum):
    """Status of a span."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Happening:
    """An event within a span."""

    name: str
    at: float
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended; `parent_id` is 0 for the rollout's own, `reason` says why of an error."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int
    began_at: float
    ended_at: float
    status: Ended
    reason: str
    attributes: Attributes
    happenings: tuple[Happening, ...]


@dataclass(slots=True)
class _Open:
    name: str
    span_id: int
    parent_id: int
    began_at: float
    attributes: dict[str, str | int]
    happenings: list[Happening] = field(default_factory=list)
    reason: str = ""


_D, _W, _R = DeviceState, WaveState, RolloutState
_GOES_ON = AT_WORK | {_D.CONFIRMED, _D.BLOCKED}  # the attempt is not over
_PROVEN = frozenset({_D.SUCCEEDED, _D.UNCHANGED})
_FAILED = frozenset({
    _D.FAILED, _D.ROLLED_BACK, _D.ROLLBACK_FAILED, _D.LOST, _D.RETRY_WAIT, _D.DEFERRED,
})  # fmt: skip
_NO_ERROR = frozenset({_R.SUCCEEDED, _R.SUCCEEDED_WITH_EXCEPTIONS})
_HAPPENINGS_MAX = 128  # of one span: what OpenTelemetry's SDK keeps
_TOLD_OF_ROLLOUT: Mapping[str, tuple[str, ...]] = {  # types of entries, and which words of them
    "paused": ("cause",),
    "resumed": (),
    "halted": ("cause",),
    "rollback_started": (),
    "approval": ("what",),
    "break_glass": (),
}


class SpanTree:
    """Makes spans of one rollout's journal; `take` the entries in order and without gaps."""

    def __init__(self, rollout_id: str, plan_name: str) -> None:
        self._rollout_id = rollout_id
        self._trace_id = self._number("trace", TRACE_ID_BYTES)
        self._top: _Open | None = None
        self._ended = False
        self._root_id = self._number("rollout", SPAN_ID_BYTES)
        self._plan_name = plan_name
        self._waves: dict[str, _Open] = {}
        self._attempts: dict[str, _Open] = {}

    def take(self, entries: Iterable[JournalEntry]) -> tuple[Span, ...]:
        """The spans that end with these entries, each before the one around it."""
        return tuple(span for entry in entries for span in self._take(entry))

    def _take(self, entry: JournalEntry) -> Iterable[Span]:
        if self._top is None:
            self._top = self._begin_rollout(entry)
        match entry.type:
            case "wave_started":
                self._waves[entry.wave] = self._open(
                    "wave", self._wave_id(entry.wave), self._root_id, entry, {}
                )
            case "device_state":
                return self._device(entry)
            case "gate_result":
                self._gate(entry)
            case "wave_done":
                return self._wave_done(entry)
            case "rollout_done":
                return self._rollout_done(entry)
            case type_ if type_ in _TOLD_OF_ROLLOUT:
                _happen(self._top, type_, entry, _TOLD_OF_ROLLOUT[type_])
        return ()

    def _begin_rollout(self, entry: JournalEntry) -> _Open:
        """The rollout's own span; of one that had ended and is taken back later, the way back."""
        told: dict[str, str | int] = {"rollout.plan": self._plan_name}
        if not self._ended:
            return self._open("rollout", self._root_id, 0, entry, told)
        own_id = self._number(f"rollback {entry.seq}", SPAN_ID_BYTES)
        return self._open("rollback", own_id, self._root_id, entry, told)

    def _device(self, entry: JournalEntry) -> Iterable[Span]:
        state = DeviceState(str(entry.data["to"]))
        found = self._attempts.get(entry.device)
        if found is None:
            if state not in _GOES_ON:
                return ()
            found = self._attempts[entry.device] = self._begin(entry, state)
        _happen(found, "device_state", entry, ("to",))
        found.reason = str(entry.data.get("reason", "")) or found.reason
        if state in _GOES_ON:
            return ()
        del self._attempts[entry.device]
        went_back = state is _D.ROLLED_BACK and found.name == "device rollback"
        status = Ended.UNSET
        if state in _PROVEN or went_back:
            status = Ended.OK
        elif state in _FAILED:
            status = Ended.ERROR
        return (self._close(found, entry, status, state.value, found.reason),)

    def _begin(self, entry: JournalEntry, state: DeviceState) -> _Open:
        """An attempt; of a device that had ended well and is taken back later, the way back."""
        back = state is _D.ROLLING_BACK
        told: dict[str, str | int] = {"rollout.device": entry.device}
        attempt = entry.data.get("attempt")
        if isinstance(attempt, int):
            told["rollout.attempt"] = attempt
        assert self._top is not None, "opened before"
        in_wave = entry.wave and not self._ended
        parent_id = self._wave_id(entry.wave) if in_wave else self._top.span_id
        name = "device rollback" if back else "device attempt"
        own_id = self._number(f"device {entry.device} {entry.seq}", SPAN_ID_BYTES)
        return self._open(name, own_id, parent_id, entry, told)

    def _gate(self, entry: JournalEntry) -> None:
        around = self._attempts.get(entry.device) or self._waves.get(entry.wave) or self._top
        assert around is not None, "opened before"
        _happen(around, "gate_result", entry, ("gate", "reading", "verdict"))

    def _wave_done(self, entry: JournalEntry) -> Iterable[Span]:
        found = self._waves.pop(entry.wave, None)
        if found is None:  # it tripped before, and passed by a person's word
            return ()
        state = str(entry.data.get("state", ""))
        status = Ended.OK if state == _W.PASSED else Ended.ERROR
        return (self._close(found, entry, status, state),)

    def _rollout_done(self, entry: JournalEntry) -> Iterable[Span]:
        assert self._top is not None, "opened before"
        state = str(entry.data.get("state", ""))
        cut = [*self._attempts.values(), *self._waves.values()]
        self._attempts, self._waves = {}, {}
        top, self._top, self._ended = self._top, None, True
        status = Ended.ERROR
        if state in _NO_ERROR:
            status = Ended.OK if state == _R.SUCCEEDED else Ended.UNSET
        elif top.name == "rollback" and state == _R.ROLLED_BACK:
            status = Ended.OK
        yield from (self._close(each, entry, Ended.UNSET, "") for each in cut)
        yield self._close(top, entry, status, state)

    def _open(
        self,
        name: str,
        span_id: int,
        parent_id: int,
        entry: JournalEntry,
        told: dict[str, str | int],
    ) -> _Open:
        attributes = {"rollout.id": self._rollout_id, **told}
        if entry.wave:
            attributes["rollout.wave"] = entry.wave
        return _Open(name, span_id, parent_id, entry.at, attributes)

    def _close(
        self, found: _Open, entry: JournalEntry, status: Ended, state: str, reason: str = ""
    ) -> Span:
        attributes = dict(found.attributes)
        if state:
            attributes["rollout.state"] = state
        if reason:
            attributes["rollout.reason"] = reason
        return Span(
            name=found.name,
            trace_id=self._trace_id,
            span_id=found.span_id,
            parent_id=found.parent_id,
            began_at=found.began_at,
            ended_at=max(entry.at, found.began_at),
            status=status,
            reason=(reason or state) if status is Ended.ERROR else "",
            attributes=attributes,
            happenings=tuple(found.happenings),
        )

    def _wave_id(self, name: str) -> int:
        return self._number(f"wave {name}", SPAN_ID_BYTES)

    def _number(self, what: str, size_bytes: int) -> int:
        digest = hashlib.sha256(f"{self._rollout_id}\n{what}".encode()).digest()
        return int.from_bytes(digest[:size_bytes], "big") or 1  # 0 is no id


def _happen(span: _Open, name: str, entry: JournalEntry, words: tuple[str, ...]) -> None:
    if len(span.happenings) >= _HAPPENINGS_MAX:
        return
    told = {f"rollout.{word}": str(entry.data[word]) for word in words if word in entry.data}
    if "rollout.to" in told:
        told["rollout.state"] = told.pop("rollout.to")
    span.happenings.append(Happening(name, entry.at, told))
