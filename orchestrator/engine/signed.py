"""Proofs that devices sign: when a signature is asked for, and what a proof is without one.

Laws:
1. The signature comes in the exec of the proof (ADR 4); older helpers refuse the word that asks for
   it, so only devices that said they sign are asked, unless a signature is required.
2. A signature that does not hold is a matter of trust; it never passes for a missing one.

Source: docs/reference/device-protocol.md, "Signed proofs".
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.device.model import Device
from orchestrator.device.protocol import Reply
from orchestrator.device.reason import Reason
from orchestrator.engine.ports import Reports
from orchestrator.engine.replies import outcome_of_error
from orchestrator.errors import DeviceError, TrustError
from orchestrator.rollout.events import DeviceReported, Outcome

SIGNING_KINDS = {"ssh-ed25519": "ed25519", "ecdsa-sha2-nistp256": "ecdsa"}  # of host keys


def signing(reports: Reports | None, signs: str, host_key: str) -> dict[str, str]:
    """The parameter that asks for a signature; nothing where none is asked for.

    Args:
        reports: who judges it, None where nobody does.
        signs: the kind of the key with which the device signs, as the plan knows it.
        host_key: the one that was proven.
    """
    if reports is None:
        return {}
    if reports.required:
        signs = signs or SIGNING_KINDS.get(host_key.partition(" ")[0], "")
    return {"report": signs} if signs else {}


def judged(
    report: DeviceReported, said: Reply, reports: Reports, device: Device, host_key: str
) -> DeviceReported:
    """A proof with who signed it; no proof where the signature does not hold."""
    try:
        return replace(report, vouched=reports.judge(device, said, host_key))
    except TrustError as error:
        outcome = Outcome(Reason.REPORT, error.message[:1024])
    except DeviceError as error:
        outcome = outcome_of_error(error)
    return replace(report, outcome=outcome, status=None, checks=())
