"""The last samples of each gate that speaks for a wave, as the journal tells them.

Laws:
1. A sample that nobody here can read is an error, and never success.
2. A gate keeps `SAMPLES_MAX` samples, however long a soak is.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.plan.resolved import Gate, ProbeKind, Stage
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.verdict import Reading, Verdict

SAMPLES_MAX = 60
TRACKS_MAX = 100  # of names that the plan does not have; a newer rollout may
_MEASURES = ("result.value", "result.status", "result.exit", "effect", "count")  # says most, first
_READINGS: Mapping[str, Reading] = {str(reading): reading for reading in Reading}


@dataclass(frozen=True, slots=True)
class Sample:
    """What one sample says, and its number where it has one."""

    reading: Reading
    value: float | None


@dataclass(slots=True)
class GateTrack:
    """A gate in the present wave: `counts` are readings of that, `samples` the last of all waves.

    `asks` is the condition it has in the plan, None where the plan does not know it.
    """

    name: str
    asks: Gate | None = None
    wave: str = ""
    verdict: str = ""
    error: str = ""
    taken: int = 0
    counts: Counter[Reading] = field(default_factory=Counter)
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=SAMPLES_MAX))

    @property
    def last(self) -> Sample | None:
        """The last sample."""
        return self.samples[-1] if self.samples else None

    def take(self, entry: JournalEntry) -> None:
        """Counts a sample in."""
        if entry.wave != self.wave:
            self.wave = entry.wave
            self.counts.clear()
        reading = _READINGS.get(_text(entry, "reading"), Reading.ERROR)
        self.counts[reading] += 1
        self.taken += 1
        self.verdict = _text(entry, "verdict")
        self.error = _text(entry, "error")
        self.samples.append(Sample(reading, _value(entry)))


class GateTracks:
    """The gates of a plan that the controller asks, in its order, and what else was sampled."""

    def __init__(self, gates: Iterable[Gate]) -> None:
        self.by_name = {
            gate.name: GateTrack(gate.name, gate)
            for gate in gates
            if gate.probe.kind is not ProbeKind.CHECK and gate.stage is not Stage.DEVICE
        }

    def take(self, entry: JournalEntry) -> None:
        """Counts a sample in; those of single devices are told with the device."""
        name = _text(entry, "gate")
        if not name or entry.device:
            return
        track = self.by_name.get(name)
        if track is None:
            if len(self.by_name) >= TRACKS_MAX:
                return
            track = self.by_name.setdefault(name, GateTrack(name))
        track.take(entry)

    def foremost(self, limit: int) -> list[GateTrack]:
        """At most so many, in the order of the plan; those that were asked go first if need be."""
        tracks = list(self.by_name.values())
        if len(tracks) <= limit:
            return tracks
        chosen = sorted(range(len(tracks)), key=lambda i: (_calm(tracks[i]), i))[: max(0, limit)]
        return [tracks[index] for index in sorted(chosen)]


def _calm(track: GateTrack) -> int:
    """0 for one in trouble, 1 for one that was asked, 2 for the others."""
    if track.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.ERROR):
        return 0
    return 1 if track.samples else 2


def _value(entry: JournalEntry) -> float | None:
    for key in _MEASURES:
        value = entry.data.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None


def _text(entry: JournalEntry, key: str) -> str:
    value = entry.data.get(key)
    return value if isinstance(value, str) else ""
