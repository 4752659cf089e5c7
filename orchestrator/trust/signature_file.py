"""Signature files: who signed the bytes of a ticket or a root.

A signature counts when the key with its id is among the keys asked for, when it verifies, and
when that key has not been counted yet. Ids that nobody knows are skipped: they may be of another
role, or of a root to come.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orchestrator.trust.keys import VerificationKey
from orchestrator.trust.signing import matches
from orchestrator.trust.text import Lines

SIGNATURES_MAX = 32  # so many a device tries before it gives up


@dataclass(frozen=True, slots=True)
class Signature:
    """One line of a signature file."""

    key_id: str  # the fingerprint of the key
    data: bytes


def parse_signatures(data: bytes) -> tuple[Signature, ...]:
    """The signatures of a file; one wrong line refuses all.

    Raises:
        TrustError: it is no signature file, to the byte.
    """
    lines = Lines(data, "signature file")
    found = []
    for value in (lines.one("sig"), *lines.many("sig", SIGNATURES_MAX - 1)):
        key_id, text = lines.words(value, 2)
        found.append(Signature(lines.sha256(key_id), lines.base64(text)))
    lines.end()
    return tuple(found)


def write_signatures(signatures: Sequence[Signature]) -> bytes:
    """The text that stands for the signatures.

    Raises:
        TrustError: there are none, or too many.
    """
    lines = [
        f"sig {each.key_id} {base64.b64encode(each.data).decode('ascii')}\n" for each in signatures
    ]
    data = "".join(lines).encode("ascii")
    parse_signatures(data)
    return data


def signed_by(
    text: bytes, signatures: Sequence[Signature], keys: Collection[VerificationKey]
) -> tuple[VerificationKey, ...]:
    """Those of the keys that signed exactly this text, each once."""
    known = {key.fingerprint: key for key in keys}
    found: dict[str, VerificationKey] = {}
    for each in signatures:
        key = known.get(each.key_id)
        if key is not None and each.key_id not in found and matches(text, each.data, key):
            found[each.key_id] = key
    return tuple(found.values())


def add_signature(signatures: Sequence[Signature], added: Signature) -> tuple[Signature, ...]:
    """The signatures with one more, in place of what the same key signed before."""
    others = [each for each in signatures if each.key_id != added.key_id]
    return (*others, added)
