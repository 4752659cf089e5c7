"""Health checks that a plan asks for and devices do not have yet.

A release may bring its checks along, so that this is a warning and no refusal: without the check
the gate has no data on such a device, and no data is never success (R9).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from orchestrator.device import builtin
from orchestrator.device.model import DeviceId
from orchestrator.plan.eligible import answered
from orchestrator.plan.resolved import Gate, ProbeKind, Risk
from orchestrator.plan.survey import Surveyed
from orchestrator.source.suggest import did_you_mean


def missing_checks(
    gates: Iterable[Gate], eligible: Collection[DeviceId], survey: Mapping[DeviceId, Surveyed]
) -> list[Risk]:
    """A risk for each named check that devices which answered lack. Cost: gates times devices."""
    found = {device: survey[device] for device in eligible if device in survey}
    found = {device: answer for device, answer in found.items() if answered(answer)}
    risks: dict[Risk, None] = {}
    for gate in gates:
        if gate.probe.kind is ProbeKind.CHECK:
            risks.update(dict.fromkeys(_of_gate(gate, found)))
    return list(risks)


def _of_gate(gate: Gate, found: Mapping[DeviceId, Surveyed]) -> Iterator[Risk]:
    lacking: dict[str, list[DeviceId]] = {}
    for device, answer in found.items():
        check = gate.probes.get(device, gate.probe).check
        if check not in answer.checks and not builtin.is_built_in(check):
            lacking.setdefault(check, []).append(device)
    for check, devices in lacking.items():
        known = frozenset().union(*{found[device].checks for device in devices})
        one = len(devices) == 1
        who = f"`{devices[0]}` has" if one else f"{len(devices)} devices, as `{devices[0]}`, have"
        guess = did_you_mean(check, sorted(known))
        way = "the release has to bring it, or gate"
        message = f"{who} no health check `{check}`: {way} `{gate.name}` has no data there{guess}"
        yield Risk("P925", message)
