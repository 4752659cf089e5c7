"""Samples that nobody took while a wave soaked, asked for afterwards where the source remembers.

Laws:
1. Only a soak is made up for: its devices are proven and its controls do not start, so what is
   known of them now was so at every time that is asked for (R11).
2. A sample of the past counts at its own time, by the same limits as any other. One without data
   stays missing: it neither shortens the gap nor stands for anything.
3. A stretch is asked for once; what cannot be had then does not count as soak (R10). Where several
   gates are silent at the same time, that time is missing once.

Source: design "rollout-rules" R10.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from orchestrator.plan.gate import REMEMBERED_KINDS
from orchestrator.rollout.actions import Stretch
from orchestrator.rollout.events import GateSampled
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import GateRecord
from orchestrator.rollout.states import WaveState

GAP_FACTOR = 2
SAMPLES_MAX = 1_000  # the newest: more would take up the journal, and the soak starts over anyway
COMPARED_MAX = 60  # an exact comparison may take a second
GAPS_MAX = 100  # kept of one gate; of more the oldest two become one, with what is between them


def is_gap(silence_s: float, interval_s: float) -> bool:
    """Whether so much time without a sample does not count as soak."""
    return silence_s > GAP_FACTOR * interval_s


def note_gap(record: GateRecord, until_at: float) -> None:
    """Keeps that a soak was without a sample of the gate since it was last heard."""
    record.gaps.append((record.last_at, until_at))
    if len(record.gaps) > GAPS_MAX:
        (start, _), (_, end) = record.gaps[:2]
        record.gaps[:2] = [(start, end)]


def missing_s(gates: Iterable[GateRecord]) -> float:
    """Seconds of the soak in which at least one of these gates was silent for too long."""
    found_s, covered_to = 0.0, -math.inf
    for start, end in sorted(gap for gate in gates for gap in gate.gaps):
        found_s += max(0.0, end - max(start, covered_to))
        covered_to = max(covered_to, end)
    return found_s


def stretch(led: Ledger, record: GateRecord) -> Stretch | None:
    """The samples of a background gate that are missing by now; None where none can be had."""
    gate = led.plan.gates[record.index]
    soaking = led.waves[led.current].state is WaveState.SOAKING
    if not soaking or gate.probe.kind not in REMEMBERED_KINDS or gate.interval_s <= 0:
        return None
    silence_s = led.now - record.last_at
    if not is_gap(silence_s, gate.interval_s):
        return None
    last = math.ceil(silence_s / gate.interval_s) - 1  # the newest before the one of now
    first = max(1, last - (COMPARED_MAX if gate.compare is not None else SAMPLES_MAX) + 1)
    start_at = record.last_at + first * gate.interval_s
    return Stretch(start_at, gate.interval_s, last - first + 1)


def samples(led: Ledger, record: GateRecord, event: GateSampled) -> Iterator[GateSampled]:
    """The samples of the past that an event brings, oldest first, each as one of its own time."""
    for past in event.past or ():
        soaking = led.waves[led.current].state is WaveState.SOAKING
        has_data = bool(past.fields or past.series)
        if soaking and has_data and record.last_at < past.at < led.now:
            yield replace(
                event, at=past.at, fields=past.fields, series=past.series, error="", past=None
            )
