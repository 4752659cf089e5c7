"""Who signed what a device said of itself, and how the journal tells of it.

Laws:
1. What is told of a device is the signature of its last read-back; one without replaces one with.
2. A device that could sign and does not is told of once, and again after it had signed.

Source: docs/reference/device-protocol.md, "Signed proofs".
"""

from __future__ import annotations

from orchestrator.rollout.events import Value, Vouched
from orchestrator.rollout.ledger import UNSIGNED, Ledger, signature_of
from orchestrator.rollout.record import DeviceRecord


def take_signer(led: Ledger, rec: DeviceRecord, vouched: Vouched | None) -> None:
    """Keeps who signed what was read back."""
    before = rec.signer
    rec.signer = "" if vouched is None else vouched.key or UNSIGNED
    if vouched is not None and not vouched.key and before != UNSIGNED:
        led.note("warning", rec=rec, data={"what": "unsigned_report", "detail": vouched.why})


def note_read_back(led: Ledger, rec: DeviceRecord) -> None:
    """Journals a read-back that changes no state, where its device signs."""
    if rec.signer:
        data: dict[str, Value | list[Value]] = {"boot": rec.boot} if rec.boot else {}
        led.note("device_read_back", rec=rec, data=data | signature_of(rec))
