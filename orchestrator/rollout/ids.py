"""Identities derived from what they identify: the core draws no random numbers."""

from __future__ import annotations

import hashlib

from orchestrator.device.model import DeviceId

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TXN_LENGTH = 26  # 130 bits of the hash


def txn_id(rollout_id: str, device: DeviceId, attempt: int) -> str:
    """The transaction id of one attempt on one device: the same on every machine."""
    text = f"rollout-txn/v1\n{rollout_id}\n{device}\n{attempt}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    letters = []
    for _ in range(_TXN_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        letters.append(_DIGITS[digit])
    return "".join(letters)
