"""What one sample of a gate of the controller says: of a value, of each device, of two groups.

Laws:
1. A gate has one reading a sample: of values by device the worst counts, and a device of the wave
   without one is no data (R9).
2. Updated devices are those that were proven in this rollout and still run the new version;
   controls are devices that were never changed (R11) and are known to run something else than it:
   one that runs it already, or that nobody has asked, tells nothing of the version before.

Source: design "rollout-rules" R9, R11.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.gate import StatName
from orchestrator.plan.powered import is_control
from orchestrator.plan.resolved import CompareTo, Gate
from orchestrator.rollout import comparing
from orchestrator.rollout.events import GateSampled, Value
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord, GateRecord, WaveRecord
from orchestrator.rollout.states import PROVEN, DeviceState
from orchestrator.rollout.stats import WaveCounts, stat_fields
from orchestrator.rollout.verdict import Reading, no_data, read_sample, why_unread

NAMES_MAX = 20  # devices that a journal line names; the rest is a number
NAMED_MAX = 3  # the same of a line for people

Data = dict[str, "Value | list[Value]"]

_WORST = (Reading.FAILED, Reading.NO_DATA, Reading.ERROR, Reading.INCONCLUSIVE)
_NEVER_STARTED = frozenset({DeviceState.PENDING, DeviceState.QUEUED})


def reading_of(
    led: Ledger, ours: Collection[DeviceId], record: GateRecord, event: GateSampled
) -> tuple[Reading, Data]:
    """What a sample says of these updated devices, and the numbers that tell why."""
    gate = led.plan.gates[event.gate]
    if event.error:
        return Reading.ERROR, {"error": event.error}
    if gate.compare is not None:
        return _compared(led, ours, record, event)
    if gate.probe.label:
        return _of_devices(gate, ours, event.series)
    data: Data = {f"result.{key}": value for key, value in event.fields.items()}
    if why := why_unread(gate, event.fields):
        data["why"] = why
    return read_sample(gate, event.fields), data


def in_words(data: Data) -> str:
    """What a person reads of a sample beside its verdict; empty where it has no numbers."""
    if error := data.get("error"):
        return str(error)
    if "compared_with" in data:
        return _of_groups(data)
    why = str(data.get("why", ""))
    if isinstance(names := data.get("devices"), list):
        more = int(str(data["count"])) - NAMED_MAX
        shown = ", ".join(f"`{name}`" for name in names[:NAMED_MAX])
        return (f"{why} of " if why else "") + shown + (f" and {more} more" if more > 0 else "")
    numbers = [
        f"{key.removeprefix('result.')} {value:g}"
        for key, value in data.items()
        if key.startswith("result.") and isinstance(value, int | float)
    ]
    return ", ".join([*numbers, why] if why else numbers)


def _of_groups(data: Data) -> str:
    parts = [f"{data['updated']} updated against {data['compared_with']}"]
    if isinstance(effect := data.get("effect"), float):
        parts.append(f"{effect:.3g} times as much")
    why = str(data.get("why", ""))
    if why:
        parts.append(why)
    if isinstance(p := data.get("p"), float) and "p = " not in why:
        parts.append(f"p = {p:.3g}")
    return ", ".join(parts)


def device_fields(gate: Gate, device: DeviceId, event: GateSampled) -> dict[str, Value]:
    """Fields of a sample that is for one device."""
    if not gate.probe.label:
        return dict(event.fields)
    return {"value": event.series[device]} if device in event.series else {}


def updated(led: Ledger, wave: WaveRecord) -> list[DeviceId]:
    """Devices of the wave that run the new version, proven."""
    return [device for device in wave.members if led.devices[device].state in PROVEN]


def _of_devices(
    gate: Gate, devices: Collection[DeviceId], series: Mapping[str, float]
) -> tuple[Reading, Data]:
    found: dict[Reading, list[str]] = {}
    for device in devices:
        fields = {"value": series[device]} if device in series else {}
        found.setdefault(read_sample(gate, fields), []).append(device)
    for reading in _WORST:
        if names := found.get(reading):
            data: Data = {"devices": list(names[:NAMES_MAX]), "count": len(names)}
            return reading, data | ({"why": "no data"} if reading is Reading.NO_DATA else {})
    good = len(found.get(Reading.SUCCESS, ()))
    if not good:
        return Reading.NO_DATA, {"count": 0, "why": "no device was updated"}
    return Reading.SUCCESS, {"count": good}


def _compared(
    led: Ledger, ours: Collection[DeviceId], record: GateRecord, event: GateSampled
) -> tuple[Reading, Data]:
    gate = led.plan.gates[event.gate]
    assert gate.compare is not None, "only gates that compare come here"
    values = {DeviceId(name): value for name, value in event.series.items()}
    if gate.compare.to is CompareTo.BEFORE:
        groups = comparing.before_groups(values, _before(record), updated=ours)
    else:
        groups = comparing.control_groups(
            values,
            updated=ours,
            not_started=_controls(led),
            strata=_strata(led),
        )
    result = comparing.compared(gate.compare, groups)
    data: Data = {"updated": result.treated_count, "compared_with": result.control_count}
    for key, number in (("p", result.p), ("effect", result.effect)):
        if number is not None and math.isfinite(number):
            data[key] = number
    if result.reason:
        data["why"] = result.reason
    elif result.effect == math.inf:  # no number that JSON has
        data["why"] = "only updated devices have any"
    return (no_data(gate) if result.reading is Reading.NO_DATA else result.reading), data


def _controls(led: Ledger) -> list[DeviceId]:
    """Devices not started, of which the last that is known is that they run something else."""
    target = led.plan.artifact.manifest_sha256
    return [
        rec.id
        for rec in led.devices.values()
        if rec.state in _NEVER_STARTED
        and not rec.went  # else it waits for another try
        and is_control(rec.previous or led.plan.devices[rec.id].current_manifest, target)
    ]


def _before(record: GateRecord) -> dict[DeviceId, float]:
    return {DeviceId(name): value for name, value in record.before.items()}


def _strata(led: Ledger) -> dict[DeviceId, tuple[str, ...]]:
    labels = led.plan.spread
    if not labels:
        return {}
    return {
        device: tuple(planned.labels.get(label, "") for label in labels)
        for device, planned in led.plan.devices.items()
    }


def count_wave(led: Ledger, wave: WaveRecord) -> WaveCounts:
    """The rollout's own counts of a wave. Cost: linear in its devices."""
    records = [led.devices[device] for device in wave.members]
    went = [rec for rec in records if rec.went]
    proven = [rec for rec in went if rec.took_s is not None]
    return WaveCounts(
        updated=len(went),
        proven=len(proven),
        failed=wave.counted,
        silent=sum(_is_silent(rec) for rec in went),
        regressed=sum(rec.reason is Reason.REGRESSED for rec in proven),
        durations_s=tuple(rec.took_s for rec in proven if rec.took_s is not None),
    )


def stats_sample(led: Ledger, wave: WaveRecord, record: GateRecord) -> GateSampled:
    """A sample that the rollout takes of itself."""
    stat = StatName(led.plan.gates[record.index].probe.stat)
    fields = stat_fields(stat, count_wave(led, wave))
    return GateSampled(led.now, record.index, led.current, record.round, None, fields)


def _is_silent(rec: DeviceRecord) -> bool:
    return rec.dark or rec.state is DeviceState.LOST
