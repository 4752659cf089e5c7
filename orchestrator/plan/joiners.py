"""Devices that join a fleet after its plan was made (rollout-rules R1).

Laws:
1. The target set is frozen: nothing but `amended` adds to it, and only to the last wave.
2. A plan that ignores late joiners is never amended.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import rfc8785

from orchestrator.device.model import DeviceId
from orchestrator.plan.controls import LateJoiners
from orchestrator.plan.gate import Gate
from orchestrator.plan.order import in_order
from orchestrator.plan.resolved import ResolvedPlan

TARGET_SET_DOMAIN = "rollout-target-set/v1"


@dataclass(frozen=True, slots=True)
class Amendment:
    """Devices that join the last wave, in the plan's order, and the plan with them."""

    joined: tuple[DeviceId, ...]
    plan: ResolvedPlan
    target_set_sha256: str


def target_set_digest(plan: ResolvedPlan) -> str:
    """SHA-256 over which devices stand in which wave, in lower-case hex.

    What is approved beside the plan's digest: an amendment changes this one only.
    """
    waves: list[list[str | list[str]]] = [[wave.name, [*wave.devices]] for wave in plan.waves]
    return hashlib.sha256(rfc8785.dumps([TARGET_SET_DOMAIN, waves])).hexdigest()


def amended(running: ResolvedPlan, fresh: ResolvedPlan) -> Amendment | None:
    """The running plan with the devices that only the fresh one has; None where nobody joins.

    Devices that the running plan had left out join as well, once they can take part. Devices that
    are gone stay where they are.

    Args:
        running: the plan of the rollout, with its amendments so far.
        fresh: the same plan file and artifact, resolved against the fleet of now.
    """
    assert running.plan_sha256 == fresh.plan_sha256, "another plan amends nothing"
    assert running.artifact.sha256 == fresh.artifact.sha256, "another artifact amends nothing"
    new = [device for device in fresh.devices if device not in running.devices]
    if running.late_joiners is LateJoiners.IGNORE or not new:
        return None
    joined = in_order(new, running.seed, running.order)
    last = running.waves[-1]
    plan = replace(
        running,
        waves=(*running.waves[:-1], replace(last, devices=(*last.devices, *joined))),
        devices={**running.devices, **{device: fresh.devices[device] for device in joined}},
        skipped=tuple(each for each in running.skipped if each.device not in fresh.devices),
        gates=tuple(_with_probes(gate, fresh, joined) for gate in running.gates),
    )
    return Amendment(joined, plan, target_set_digest(plan))


def _with_probes(gate: Gate, fresh: ResolvedPlan, joined: tuple[DeviceId, ...]) -> Gate:
    """A gate that asks the new devices, too, where it asks each one its own way."""
    same = next(each for each in fresh.gates if each.name == gate.name)
    added = {device: same.probes[device] for device in joined if device in same.probes}
    return replace(gate, probes={**gate.probes, **added}) if added else gate
