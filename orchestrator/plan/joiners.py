"""Devices that join a fleet after its plan was made (rollout-rules R1).

Laws:
1. The target set is frozen: nothing but `amended` adds to it, and only to the last wave.
2. A plan that ignores late joiners is never amended.
3. Amending twice with the same devices is amending once, so that what was joined can be stored
   beside the plan that was approved, whose bytes and digest stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import rfc8785

from orchestrator.device.model import DeviceId
from orchestrator.plan.controls import LateJoiners
from orchestrator.plan.digest import from_document, to_document
from orchestrator.plan.gate import Gate
from orchestrator.plan.order import in_order
from orchestrator.plan.resolved import PlannedDevice, Probe, ResolvedPlan

TARGET_SET_DOMAIN = "rollout-target-set/v1"


@dataclass(frozen=True, slots=True)
class Joiner:
    """A device that joins; `probes` are its own, by the names of their gates."""

    device: PlannedDevice
    probes: Mapping[str, Probe] = field(default_factory=dict)


def joiner_row(joiner: Joiner) -> Mapping[str, object]:
    """A joiner as JSON: how requests and rows of devices hold it."""
    return to_document(joiner)


def joiner_of(row: object) -> Joiner:
    """The joiner of such a row.

    Raises:
        ValueError, TypeError: another version wrote it.
    """
    return from_document(Joiner, row)


def target_set_digest(plan: ResolvedPlan) -> str:
    """SHA-256 over which devices stand in which wave, in lower-case hex.

    What is approved beside the plan's digest: an amendment changes this one only.
    """
    waves: list[list[str | list[str]]] = [[wave.name, [*wave.devices]] for wave in plan.waves]
    return hashlib.sha256(rfc8785.dumps([TARGET_SET_DOMAIN, waves])).hexdigest()


def joiners(running: ResolvedPlan, fresh: ResolvedPlan) -> Mapping[DeviceId, Joiner]:
    """The devices that only the fresh plan has, in the order of the running one.

    Devices that the running plan had left out join as well, once they can take part. Devices that
    are gone stay where they are.

    Args:
        running: the plan of the rollout, with its amendments so far.
        fresh: the same plan file and artifact, resolved against the fleet of now.
    """
    assert running.plan_sha256 == fresh.plan_sha256, "another plan amends nothing"
    assert running.artifact.sha256 == fresh.artifact.sha256, "another artifact amends nothing"
    if running.late_joiners is LateJoiners.IGNORE:
        return {}
    new = [device for device in fresh.devices if device not in running.devices]
    return {
        device: Joiner(fresh.devices[device], _probes(fresh, device))
        for device in in_order(new, running.seed, running.order, running.artifact.ticket)
    }


def _probes(plan: ResolvedPlan, device: DeviceId) -> Mapping[str, Probe]:
    return {gate.name: gate.probes[device] for gate in plan.gates if device in gate.probes}


def amended(plan: ResolvedPlan, joined: Mapping[DeviceId, Joiner]) -> ResolvedPlan:
    """The plan with these devices at the end of its last wave; those it has already stay."""
    new = {device: joiner for device, joiner in joined.items() if device not in plan.devices}
    if not new:
        return plan
    last = plan.waves[-1]
    return replace(
        plan,
        waves=(*plan.waves[:-1], replace(last, devices=(*last.devices, *new))),
        devices={**plan.devices, **{device: joiner.device for device, joiner in new.items()}},
        skipped=tuple(each for each in plan.skipped if each.device not in new),
        gates=tuple(_with_probes(gate, new) for gate in plan.gates),
    )


def _with_probes(gate: Gate, joined: Mapping[DeviceId, Joiner]) -> Gate:
    """A gate that asks the new devices, too, where it asks each one its own way."""
    added = {
        device: joiner.probes[gate.name]
        for device, joiner in joined.items()
        if gate.name in joiner.probes
    }
    return replace(gate, probes={**gate.probes, **added}) if added else gate
