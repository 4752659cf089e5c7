"""Whose signatures stand in a DSSE envelope.

A key counts once, for a signature that verifies over the pre-authentication encoding. The key id in
an envelope is a hint that anybody may write, so it is not looked at. ECDSA in DER, RSA with PKCS#1
v1.5, Ed25519 pure, as everywhere here.
"""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.evidence.dsse import Envelope
from orchestrator.trust.keys import VerificationKey
from orchestrator.trust.signing import matches


def signers_of(
    envelope: Envelope, keys: Collection[VerificationKey]
) -> tuple[VerificationKey, ...]:
    """Those of the keys that signed the envelope, each once."""
    data = envelope.signed_bytes
    distinct = {key.fingerprint: key for key in keys}
    return tuple(
        key
        for key in distinct.values()
        if any(matches(data, each.data, key) for each in envelope.signatures)
    )
