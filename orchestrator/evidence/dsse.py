"""DSSE envelopes: a payload, its type, and signatures over both.

Laws:
1. What is signed is the pre-authentication encoding `DSSEv1 LEN TYPE LEN PAYLOAD`, lengths in
   bytes, to the byte; nothing of the payload is looked at before a signature over it held.
2. Base64 is the standard or the URL-safe alphabet, with its padding and no stray bits.

Source: DSSE 1.0, protocol and envelope.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.evidence.node import read_object
from orchestrator.evidence.rules import EvidenceRule, Problem

ENVELOPE_BYTES_MAX = 2 * 1024 * 1024
SIGNATURES_MAX = 32
IN_TOTO = "application/vnd.in-toto+json"
_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """A signature; `key_id` is a hint, and may be empty."""

    key_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope whose signatures nobody has verified yet."""

    payload_type: str
    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]

    @property
    def signed_bytes(self) -> bytes:
        """What its signatures are over."""
        return pae(self.payload_type, self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding of a payload and its type."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def read_envelope(data: bytes, file: str, problems: list[Problem]) -> Envelope | None:
    """The envelope in a file; None, with problems, where there is none."""
    top = read_object(data, file, problems, size_bytes_max=ENVELOPE_BYTES_MAX)
    if top is None:
        return None
    count = len(problems)
    kind, payload = top.text("payloadType", needed=True), top.value.get("payload")
    body = _decoded(payload)
    if body is None:
        top.report(EvidenceRule.FIELD, "`payload` is no base64", "payload")
    found = []
    for node in top.children("signatures"):
        signature = _decoded(node.value.get("sig"))
        if not signature:
            node.report(EvidenceRule.FIELD, "`sig` is no base64", "sig")
            continue
        found.append(EnvelopeSignature(node.text("keyid"), signature))
    if not 0 < len(found) <= SIGNATURES_MAX:
        message = f"an envelope has 1 to {SIGNATURES_MAX} signatures"
        top.report(EvidenceRule.FIELD, message, "signatures")
    if body is None or len(problems) > count:
        return None
    return Envelope(kind, body, tuple(found))


def write_envelope(
    payload_type: str, payload: bytes, signatures: Sequence[EnvelopeSignature]
) -> bytes:
    """An envelope as a file."""
    document = {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": payload_type,
        "signatures": [
            {"keyid": each.key_id, "sig": base64.b64encode(each.data).decode("ascii")}
            for each in signatures
        ],
    }
    return (json.dumps(document, indent=2) + "\n").encode("ascii")


def _decoded(value: object) -> bytes | None:
    if not isinstance(value, str) or not value.isascii():
        return None
    text = value.translate(_URL_SAFE)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode("ascii") == text else None
