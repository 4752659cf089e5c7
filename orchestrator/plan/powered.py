"""Whether the comparisons of a plan can find anything with the devices that its waves have (R11).

Controls of a wave are the devices of later waves that are of a stratum of its own (`spread`): they
are not started while its gates speak. The last wave has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.device.model import Device, DeviceId
from orchestrator.errors import Diagnostic
from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Gate
from orchestrator.plan.model import Plan
from orchestrator.plan.power import (
    BASE_SHARE,
    POWER,
    SPREAD_SHARE,
    Sizes,
    Underpowered,
    smallest_effect,
)
from orchestrator.plan.power import underpowered as why_underpowered
from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave


@dataclass(frozen=True, slots=True)
class Finds:
    """The smallest factor that a gate finds in a wave; None where it finds none, or has no p."""

    wave: str
    sizes: Sizes
    effect: float | None


def what_it_finds(plan: ResolvedPlan, gate: Gate) -> tuple[Finds, ...]:
    """For each wave that a comparing gate speaks for, what its planned sizes can find (R11)."""
    if gate.compare is None or gate.compare.test is CompareTest.RATIO:
        return ()
    strata = _strata(plan.spread, plan.devices)
    found = []
    for index, wave in enumerate(plan.waves):
        if not gate.waves or wave.name in gate.waves:
            sizes = _sizes(gate.compare, plan.waves, index, strata)
            found.append(Finds(wave.name, sizes, smallest_effect(gate.compare, sizes)))
    return tuple(found)


def check_power(
    plan: Plan,
    gates: Sequence[Gate],
    waves: Sequence[ResolvedWave],
    devices: Mapping[DeviceId, Device],
) -> Iterator[Diagnostic]:
    """The deciding gates whose comparison cannot find what it looks for, each with a first wave.

    Cost: linear in devices and gates; up to a second for each gate that is underpowered.
    """
    where = {gate.name: gate.where for gate in plan.gates}
    strata = _strata([label.text for label in plan.order.spread], devices)
    for gate in gates:
        if gate.compare is None or gate.dry_run:
            continue
        for index, wave in enumerate(waves):
            if gate.waves and wave.name not in gate.waves:
                continue
            sizes = _sizes(gate.compare, waves, index, strata)
            if lacking := why_underpowered(gate.compare, sizes):
                message, hint = _words(gate, gate.compare, wave, lacking)
                yield Diagnostic(where[gate.name], "P220", message, hint)
                break


class _Labelled(Protocol):
    @property
    def labels(self) -> Mapping[str, str]: ...


def _strata(
    labels: Sequence[str], devices: Mapping[DeviceId, _Labelled]
) -> Mapping[DeviceId, tuple[str, ...]]:
    return {
        device: tuple(each.labels.get(label, "") for label in labels)
        for device, each in devices.items()
    }


def _sizes(
    compare: Compare,
    waves: Sequence[ResolvedWave],
    index: int,
    strata: Mapping[DeviceId, tuple[str, ...]],
) -> Sizes:
    treated = waves[index].devices
    if compare.to is CompareTo.BEFORE:
        return Sizes(len(treated), len(treated))
    kinds = {strata[device] for device in treated}
    later = (device for wave in waves[index + 1 :] for device in wave.devices)
    return Sizes(len(treated), sum(strata[device] in kinds for device in later))


def _words(
    gate: Gate, compare: Compare, wave: ResolvedWave, lacking: Underpowered
) -> tuple[str, str]:
    sizes = lacking.sizes
    message = (
        f"gate `{gate.name}` is underpowered in wave `{wave.name}`: "
        f"{_count(sizes.treated, 'updated device')} against {_count(sizes.control, 'control')} "
    )
    if min(sizes.treated, sizes.control) < compare.min_samples:
        message += f"are fewer than `min_samples` {compare.min_samples}"
    elif lacking.smallest_p >= compare.alpha:
        message += f"cannot reach p below {compare.alpha:g} ({lacking.smallest_p:.3g} at best)"
    else:
        found = "no factor" if lacking.effect is None else f"a factor of {lacking.effect:.3g}"
        message += f"find {found} with {POWER:.0%} power, not {compare.min_effect:g}"
    return message, _hint(compare, lacking)


def _hint(compare: Compare, lacking: Underpowered) -> str:
    if lacking.would_do is None:
        return "no size of a wave would do; raise `alpha` or the effect that matters"
    size = lacking.would_do
    assumed = "" if compare.test is CompareTest.RATIO else f" (if {assumption(compare.test)})"
    return f"{size.treated} against {size.control} would do{assumed}; or name other `waves`"


def assumption(test: CompareTest) -> str:
    """What every number of power takes for granted, in words."""
    if test is CompareTest.FISHER:
        return f"{BASE_SHARE:.0%} of the controls are hit"
    return f"healthy devices differ by {SPREAD_SHARE:.0%} of their mean"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
