"""Signature files: lines of signatures beside a ticket or a root; what they are worth, says `purpose`."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.trust.text import TEXT_BYTES_MAX, Lines

SIGNATURES_MAX = 32  # so many a device tries before it gives up
# Before a signature in the form of SSH. Devices of before find no signature in such bytes: those by
# ECDSA begin with another one, and those of the other kinds have one length.
SSH_TAG = b"SSHSIG"


@dataclass(frozen=True, slots=True)
class Signature:
    """One line of a signature file."""

    key_id: str  # the fingerprint of the key
    data: bytes

    @property
    def is_ssh(self) -> bool:
        """Whether it is in the form of SSH."""
        return self.data.startswith(SSH_TAG)


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
    data = _text(signatures)
    parse_signatures(data)
    return data


def add_signatures(
    signatures: Sequence[Signature], added: Sequence[Signature]
) -> tuple[Signature, ...]:
    """The signatures with more, in place of what the same keys signed before in the same form.

    Those in the form of SSH are left out where the file has no room for them, and the key signed
    plainly, too: most devices can do without. Of a build key there is no other form.
    """
    replaced = {(each.key_id, each.is_ssh) for each in added}
    others = [each for each in signatures if (each.key_id, each.is_ssh) not in replaced]
    every = (*others, *added)
    if len(every) <= SIGNATURES_MAX and len(_text(every)) <= TEXT_BYTES_MAX:
        return every
    plain = {each.key_id for each in every if not each.is_ssh}
    return (*others, *(each for each in added if not each.is_ssh or each.key_id not in plain))


def _text(signatures: Sequence[Signature]) -> bytes:
    lines = [
        f"sig {each.key_id} {base64.b64encode(each.data).decode('ascii')}\n" for each in signatures
    ]
    return "".join(lines).encode("ascii")
