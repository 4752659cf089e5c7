"""Whether the comparisons of a plan can find anything with the devices that its waves have (R11).

Laws:
1. Controls of a wave are the devices of later waves that are of a stratum of its own (`spread`):
   they are not started while its gates speak. The last wave has none.
2. Only a device that is known to run something else than the release is a control, and one that
   runs the release already is not updated. Where no device was asked, none counts as such.
3. A wave that has nothing to update compares nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
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
from orchestrator.plan.resolved import PlannedDevice, ResolvedPlan, ResolvedWave, Risk


@dataclass(frozen=True, slots=True)
class Finds:
    """The smallest factor that a gate finds in a wave; None where it finds none, or has no p."""

    wave: str
    sizes: Sizes
    effect: float | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices of a plan, with what they may stand for in a comparison.

    `target` is the manifest of the release, `spread` are the labels that make strata; without
    `surveyed` no device was asked what it runs.
    """

    devices: Mapping[DeviceId, PlannedDevice]
    target: str
    spread: Sequence[str]
    surveyed: bool

    def treated(self, wave: ResolvedWave) -> list[DeviceId]:
        """Devices of a wave that are to be updated."""
        return [each for each in wave.devices if self._manifest(each) != self.target]

    def controls(self, devices: Sequence[DeviceId]) -> list[DeviceId]:
        """Those that are known to run something else than the release."""
        if not self.surveyed:
            return list(devices)
        return [each for each in devices if is_control(self._manifest(each), self.target)]

    def stratum(self, device: DeviceId) -> tuple[str, ...]:
        """The values of its `spread` labels."""
        labels = self.devices[device].labels
        return tuple(labels.get(label, "") for label in self.spread)

    def _manifest(self, device: DeviceId) -> str | None:
        return self.devices[device].current_manifest


def is_control(manifest: str | None, target: str) -> bool:
    """Whether a device that runs this is known to run something else than the release.

    One that nobody has asked may run anything: what is not known is no evidence.
    """
    return manifest is not None and manifest != target


def what_it_finds(plan: ResolvedPlan, gate: Gate) -> tuple[Finds, ...]:
    """For each wave that a comparing gate speaks for, what its planned sizes can find (R11)."""
    if gate.compare is None or gate.compare.test is CompareTest.RATIO:
        return ()
    fleet = Fleet(plan.devices, plan.artifact.manifest_sha256, plan.spread, plan.surveyed)
    found = []
    for index, wave in enumerate(plan.waves):
        if not gate.waves or wave.name in gate.waves:
            sizes = _sizes(gate.compare, plan.waves, index, fleet)
            if not sizes.treated:
                continue
            found.append(Finds(wave.name, sizes, smallest_effect(gate.compare, sizes)))
    return tuple(found)


def check_power(
    plan: Plan,
    gates: Sequence[Gate],
    waves: Sequence[ResolvedWave],
    fleet: Fleet,
) -> Iterator[Diagnostic]:
    """The deciding gates whose comparison cannot find what it looks for, each with a first wave.

    Cost: linear in devices and gates; up to a second for each gate that is underpowered.
    """
    where = {gate.name: gate.where for gate in plan.gates}
    for name, message, hint in _weak((gate for gate in gates if not gate.dry_run), waves, fleet):
        yield Diagnostic(where[name], "P220", message, hint)


def weak_rehearsals(
    plan: Plan,
    gates: Sequence[Gate],
    waves: Sequence[ResolvedWave],
    fleet: Fleet,
) -> Iterator[Risk]:
    """The same of gates that decide nothing yet (`dry_run`): what they show is no evidence."""
    line = {gate.name: gate.where.line for gate in plan.gates}
    for name, message, hint in _weak((gate for gate in gates if gate.dry_run), waves, fleet):
        yield Risk("P934", f"{message}: as a dry run it shows little ({hint})", line[name])


def _weak(
    gates: Iterable[Gate], waves: Sequence[ResolvedWave], fleet: Fleet
) -> Iterator[tuple[str, str, str]]:
    """Names of gates that cannot find what they look for, with message and hint."""
    for gate in gates:
        for index, wave in enumerate(waves):
            if gate.compare is None or (gate.waves and wave.name not in gate.waves):
                continue
            sizes = _sizes(gate.compare, waves, index, fleet)
            if sizes.treated and (lacking := why_underpowered(gate.compare, sizes)):
                yield gate.name, *_words(gate, gate.compare, wave, lacking)
                break


def _sizes(compare: Compare, waves: Sequence[ResolvedWave], index: int, fleet: Fleet) -> Sizes:
    treated = fleet.treated(waves[index])
    if compare.to is CompareTo.BEFORE:
        return Sizes(len(treated), len(treated))
    kinds = {fleet.stratum(device) for device in treated}
    later = fleet.controls([device for wave in waves[index + 1 :] for device in wave.devices])
    return Sizes(len(treated), sum(fleet.stratum(device) in kinds for device in later))


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
