"""What became of a rollout, folded out of its journal: the facts of a report.

Laws:
1. The journal and the plan speak, nothing else: the same of both give the same chronicle.
2. What is alike is folded: devices of a wave that ended alike are one crowd, so that a fleet of any
   size has few of them.
3. Types and keys that are not known change nothing: the journal of a newer version can be read.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout import readings
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import PROVEN, DeviceState
from orchestrator.rollout.verdict import Reading

_MEASURES = ("result.value", "result.status", "result.exit", "effect", "count")  # says most, first
_STATES: Mapping[str, DeviceState] = {str(state): state for state in DeviceState}
_READINGS: Mapping[str, Reading] = {str(reading): reading for reading in Reading}


@dataclass(frozen=True, slots=True)
class WaveSpan:
    """When a wave began, when its first soak did and when it was done, in UTC seconds."""

    name: str
    begun_at: float | None = None
    soak_at: float | None = None
    done_at: float | None = None


@dataclass(frozen=True, slots=True)
class Crowd:
    """Devices of one wave that ended in the same state for the same reason (empty: for none).

    The first of them was begun with at `from_at`, the last came there at `to_at`; None where
    nothing was done to any.
    """

    wave: str
    state: DeviceState
    reason: str
    devices: tuple[str, ...]
    from_at: float | None
    to_at: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a gate: when, what it says, and what was measured.

    `value` is its number where it has one, `words` all of it for people: untrusted text.
    """

    at: float
    reading: Reading
    verdict: str
    value: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Track:
    """The samples of a gate that speaks for a wave, in the order of time.

    `measure` names the number that they have; empty where none has any.
    """

    gate: str
    wave: str
    measure: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class DeviceChecks:
    """Samples of a gate that each device must pass, but for those that said success."""

    gate: str
    wave: str
    devices: int
    readings: Mapping[Reading, int]


@dataclass(frozen=True, slots=True)
class Chronicle:
    """A rollout from its first entry to the last.

    `signed` of the `proven` devices showed it with a report that their host's key signed.
    """

    entries: int
    began_at: float
    ended_at: float
    waves: tuple[WaveSpan, ...]
    crowds: tuple[Crowd, ...]
    tracks: tuple[Track, ...]
    checks: tuple[DeviceChecks, ...]
    proven: int
    signed: int


@dataclass(slots=True)
class _Device:
    """A device as far as the journal was read."""

    wave: str
    state: DeviceState = DeviceState.PENDING
    reason: str = ""
    from_at: float | None = None
    to_at: float | None = None
    signed: bool = False


def chronicle(plan: ResolvedPlan, entries: Sequence[JournalEntry]) -> Chronicle:
    """The chronicle of a journal, read from its first entry. Cost: linear in entries."""
    reader = _Reader(plan)
    for entry in entries:
        reader.take(entry)
    devices = reader.devices.values()
    return Chronicle(
        entries=len(entries),
        began_at=min((entry.at for entry in entries), default=0.0),
        ended_at=max((entry.at for entry in entries), default=0.0),
        waves=tuple(reader.waves.values()),
        crowds=_crowds(plan, reader.devices),
        tracks=tuple(_track(*key, found) for key, found in reader.samples.items()),
        checks=tuple(_checks(*key, found) for key, found in reader.checks.items()),
        proven=sum(one.state in PROVEN for one in devices),
        signed=sum(one.state in PROVEN and one.signed for one in devices),
    )


def last_lines(
    entries: Iterable[JournalEntry], devices: Collection[str], limit: int
) -> Mapping[str, Sequence[JournalEntry]]:
    """The last entries about each of these devices."""
    found: dict[str, deque[JournalEntry]] = {name: deque(maxlen=limit) for name in devices}
    for entry in entries:
        if entry.device in found:
            found[entry.device].append(entry)
    return {name: tuple(lines) for name, lines in found.items()}


class _Reader:
    """Follows a journal."""

    def __init__(self, plan: ResolvedPlan) -> None:
        self.waves = {wave.name: WaveSpan(wave.name) for wave in plan.waves}
        self.devices: dict[str, _Device] = {
            device: _Device(wave.name) for wave in plan.waves for device in wave.devices
        }
        self.samples: dict[tuple[str, str], list[JournalEntry]] = {}
        self.checks: dict[tuple[str, str], list[JournalEntry]] = {}

    def take(self, entry: JournalEntry) -> None:
        match entry.type:
            case "device_state" | "device_read_back":
                self._device(entry)
            case "wave_started" | "soak_started" | "wave_done":
                self._wave(entry)
            case "gate_result":
                kept = self.checks if entry.device else self.samples
                kept.setdefault((_text(entry, "gate"), entry.wave), []).append(entry)

    def _wave(self, entry: JournalEntry) -> None:
        span = self.waves.get(entry.wave)
        if span is None:
            return
        begun_at, soak_at, done_at = span.begun_at, span.soak_at, span.done_at
        if entry.type == "wave_started" and begun_at is None:
            begun_at = entry.at
        elif entry.type == "soak_started" and soak_at is None:
            soak_at = entry.at
        elif entry.type == "wave_done":
            done_at = entry.at
        self.waves[entry.wave] = WaveSpan(span.name, begun_at, soak_at, done_at)

    def _device(self, entry: JournalEntry) -> None:
        one = self.devices.setdefault(entry.device, _Device(entry.wave))
        if "signed" in entry.data:
            one.signed = entry.data["signed"] is True
        state = _STATES.get(_text(entry, "to"))
        if state is None:
            return
        one.wave, one.state, one.reason = entry.wave or one.wave, state, _text(entry, "reason")
        one.from_at = entry.at if one.from_at is None else one.from_at
        one.to_at = entry.at


def _crowds(plan: ResolvedPlan, devices: Mapping[str, _Device]) -> tuple[Crowd, ...]:
    groups: dict[tuple[str, DeviceState, str], list[str]] = {}
    for name, one in devices.items():
        groups.setdefault((one.wave, one.state, one.reason), []).append(name)
    place = {wave.name: index for index, wave in enumerate(plan.waves)}
    crowds = [_crowd(key, names, devices) for key, names in groups.items()]
    crowds.sort(key=lambda one: (place.get(one.wave, len(place)), -len(one.devices), one.state))
    return tuple(crowds)


def _crowd(
    key: tuple[str, DeviceState, str], names: Sequence[str], devices: Mapping[str, _Device]
) -> Crowd:
    wave, state, reason = key
    begun = [at for name in names if (at := devices[name].from_at) is not None]
    there = [at for name in names if (at := devices[name].to_at) is not None]
    return Crowd(
        wave, state, reason, tuple(names), min(begun, default=None), max(there, default=None)
    )


def _track(gate: str, wave: str, entries: Sequence[JournalEntry]) -> Track:
    there = {key for entry in entries for key in entry.data if _number(entry, key) is not None}
    others = sorted(key for key in there if key.startswith("result."))
    measure = next((key for key in (*_MEASURES, *others) if key in there), "")
    samples = [_sample(entry, measure) for entry in entries]
    samples.sort(key=lambda sample: sample.at)  # those of the past are told of later
    return Track(gate, wave, measure.removeprefix("result."), tuple(samples))


def _sample(entry: JournalEntry, measure: str) -> Sample:
    measured_at = _number(entry, "measured_at")
    return Sample(
        at=entry.at if measured_at is None else measured_at,
        reading=_reading(entry),
        verdict=_text(entry, "verdict"),
        value=_number(entry, measure),
        words=readings.in_words(dict(entry.data)),
    )


def _checks(gate: str, wave: str, entries: Sequence[JournalEntry]) -> DeviceChecks:
    return DeviceChecks(
        gate,
        wave,
        len({entry.device for entry in entries}),
        Counter(_reading(entry) for entry in entries),
    )


def _reading(entry: JournalEntry) -> Reading:
    """What a sample says; one that nobody here can read is an error, and never success."""
    return _READINGS.get(_text(entry, "reading"), Reading.ERROR)


def _text(entry: JournalEntry, key: str) -> str:
    value = entry.data.get(key)
    return value if isinstance(value, str) else ""


def _number(entry: JournalEntry, key: str) -> float | None:
    value = entry.data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
