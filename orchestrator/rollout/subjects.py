"""Which wave a sample of a background gate is about: one that has something to look at.

Laws:
1. A gate that names waves is asked in those alone.
2. A gate about updated devices (values by device, the rollout's own counts) is not asked before
   there are any: nothing to look at is neither success nor missing evidence (R9). In a soak it is
   asked in any case, and where nothing was updated that is missing evidence.
3. While the present wave has none, the newest wave before it is watched, as long as it may take
   until then. Such samples stop the rollout as any other, and let no wave pass.
4. A device is looked at from one interval after its proof (and its late commit, R17): a monitoring
   system has to see it first.
5. A comparison waits until it has `min_samples` updated devices, or the soak of its wave (R11).

Source: design "rollout-rules" R9, R11.
"""

from __future__ import annotations

from orchestrator.device.model import DeviceId
from orchestrator.plan.gate import StatName
from orchestrator.plan.resolved import CompareTo, Gate, ProbeKind
from orchestrator.rollout import readings
from orchestrator.rollout.ledger import Ledger, speaks_for
from orchestrator.rollout.record import WaveRecord
from orchestrator.rollout.states import WaveState
from orchestrator.rollout.stats import stat_fields

_SETTLED = frozenset({WaveState.SOAKING, WaveState.JUDGING, WaveState.COMMITTING})


def subject(led: Ledger, gate: Gate) -> WaveRecord | None:
    """The wave that a background gate would speak of now; None where it is not to be asked."""
    present = led.waves[led.current]
    if not speaks_for(gate, present.name):
        return None
    if not (gate.probe.label or gate.probe.kind is ProbeKind.STATS):
        return present
    if _has_something(led, gate, present):
        return present
    if gate.compare is not None and gate.compare.to is CompareTo.BEFORE:
        return None  # what it compares with is of the present wave
    earlier = (wave for wave in reversed(led.waves[: led.current]) if speaks_for(gate, wave.name))
    return next((wave for wave in earlier if _has_something(led, gate, wave)), None)


def watched(led: Ledger, gate: Gate, wave: WaveRecord) -> list[DeviceId]:
    """Updated devices of a wave that a background gate looks at by now (law 4)."""
    return [
        device
        for device in readings.updated(led, wave)
        if led.devices[device].since + gate.interval_s <= led.now
    ]


def _has_something(led: Ledger, gate: Gate, wave: WaveRecord) -> bool:
    settled = wave.state in _SETTLED  # nobody comes any more: what is missing now is no data
    if gate.probe.kind is ProbeKind.STATS:
        stat = StatName(gate.probe.stat)
        return settled or bool(stat_fields(stat, readings.count_wave(led, wave)))
    count = len(watched(led, gate, wave))
    if settled:
        return count == len(readings.updated(led, wave))
    return count >= (1 if gate.compare is None else max(1, gate.compare.min_samples))
