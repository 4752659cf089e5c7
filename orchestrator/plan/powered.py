"""Whether the comparisons of a plan can find anything with the devices that its waves have (R11).

Controls of a wave are the devices of later waves that are of a stratum of its own (`spread`): they
are not started while its gates speak. The last wave has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.device.model import Device, DeviceId
from orchestrator.errors import Diagnostic
from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Gate
from orchestrator.plan.model import Plan
from orchestrator.plan.power import BASE_SHARE, POWER, SPREAD_SHARE, Sizes, Underpowered
from orchestrator.plan.power import underpowered as why_underpowered
from orchestrator.plan.resolved import ResolvedWave


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
    labels = [label.text for label in plan.order.spread]
    strata = {
        device: tuple(each.labels.get(label, "") for label in labels)
        for device, each in devices.items()
    }
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
    share = f"{BASE_SHARE:.0%} of the controls are hit"
    if compare.test is not CompareTest.FISHER:
        share = f"healthy devices differ by {SPREAD_SHARE:.0%} of their mean"
    assumed = "" if compare.test is CompareTest.RATIO else f" (if {share})"
    return f"{size.treated} against {size.control} would do{assumed}; or name other `waves`"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
