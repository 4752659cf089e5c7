"""What a signature is for: a text, and who signs it in which role of a fleet.

A signature has one of two forms, and what a signer writes has both:
- the plain one is over the text itself: what `openssl`, `usign` and `signify` check;
- the form of SSH is over SSHSIG's few bytes around the text's SHA-256 and the purpose's own name,
  such as `rollout-release@acme-prod`: what `ssh-keygen -Y verify` checks.

Laws:
1. Of SSHSIG only what the key made is kept, behind a tag. All else of it is written anew by who
   verifies, so nothing in a file says for what purpose, by which hash or by whom a signature is.
2. The plain form cannot be taken for the other one: none of our texts begins as SSHSIG does.
3. A key counts once, whatever forms it signed in.

Source: OpenSSH, PROTOCOL.sshsig; RFC 8332 (`rsa-sha2-256`); ADR-0020.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric import utils

from orchestrator.trust.keys import KeyKind, VerificationKey
from orchestrator.trust.root import Role
from orchestrator.trust.signature_file import SSH_TAG, Signature
from orchestrator.trust.signers import Signer, sign_with
from orchestrator.trust.signing import matches
from orchestrator.trust.ticket import Ticket

_NUMBER_BYTES = 32  # of the two in a signature by ECDSA: behind the tag they have one size
_HASH = b"sha256"


@dataclass(frozen=True, slots=True)
class Purpose:
    """A text that keys of a role sign for a fleet.

    `text` is None where only its digest is known: then the form of SSH alone can be made or checked.
    """

    role: Role
    fleet: str
    sha256: bytes
    text: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, role: Role, fleet: str, text: bytes) -> Self:
        """Signing this text."""
        return cls(role, fleet, hashlib.sha256(text).digest(), text)

    @property
    def namespace(self) -> str:
        """Its name in the form of SSH."""
        return f"rollout-{self.role}@{self.fleet}"

    @property
    def ssh_text(self) -> bytes:
        """What a key signs in the form of SSH."""
        fields = (self.namespace.encode("ascii"), b"", _HASH, self.sha256)
        return SSH_TAG + b"".join(len(each).to_bytes(4, "big") + each for each in fields)

    def signed_by(
        self, signatures: Iterable[Signature], keys: Collection[VerificationKey]
    ) -> tuple[VerificationKey, ...]:
        """Those of the keys that signed it in one form or the other, each once."""
        known = {key.fingerprint: key for key in keys}
        found: dict[str, VerificationKey] = {}
        for each in signatures:
            key = known.get(each.key_id)
            if key is not None and each.key_id not in found and self._is_by(each, key):
                found[each.key_id] = key
        return tuple(found.values())

    def ssh_signed_by(
        self, signatures: Iterable[Signature], keys: Collection[VerificationKey]
    ) -> tuple[VerificationKey, ...]:
        """Those of the keys that signed it in the form of SSH, each once."""
        return self.signed_by((each for each in signatures if each.is_ssh), keys)

    def plainly_signed_by(
        self, signatures: Iterable[Signature], keys: Collection[VerificationKey]
    ) -> tuple[VerificationKey, ...]:
        """Those of the keys that signed the text itself, each once."""
        return self.signed_by((each for each in signatures if not each.is_ssh), keys)

    def sign(self, signer: Signer, there: Collection[Signature] = ()) -> tuple[Signature, ...]:
        """The key's signatures in every form that it did not sign in before, verified.

        Args:
            signer: the key.
            there: what stands in the signature file already.

        Raises:
            TrustError: the signer makes none, or one that does not verify.
        """
        own = [each for each in there if each.key_id == signer.key.fingerprint]
        added = []
        if self.text is not None and not self.plainly_signed_by(own, (signer.key,)):
            added.append(sign_with(signer, self.text))
        if not self.ssh_signed_by(own, (signer.key,)):
            made = sign_with(signer, self.ssh_text)
            data = SSH_TAG + _of_one_size(made.data, signer.key)
            added.append(Signature(made.key_id, data))
        return tuple(added)

    def _is_by(self, signature: Signature, key: VerificationKey) -> bool:
        if signature.is_ssh:
            made = _as_made(signature.data.removeprefix(SSH_TAG), key)
            return matches(self.ssh_text, made, key)
        return self.text is not None and matches(self.text, signature.data, key)


def manifest_purpose(ticket: Ticket) -> Purpose:
    """What build keys sign beside a ticket: the manifest that it is about, by its digest."""
    return Purpose(Role.BUILD, ticket.fleet, bytes.fromhex(ticket.manifest_sha256))


def _of_one_size(made: bytes, key: VerificationKey) -> bytes:
    if key.kind is not KeyKind.ECDSA_P256:
        return made
    numbers = utils.decode_dss_signature(made)
    return b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in numbers)


def _as_made(data: bytes, key: VerificationKey) -> bytes:
    """As the key made it; bytes that no key made stay what they are, and match nothing."""
    if key.kind is not KeyKind.ECDSA_P256 or len(data) != 2 * _NUMBER_BYTES:
        return data
    r, s = (int.from_bytes(half, "big") for half in (data[:_NUMBER_BYTES], data[_NUMBER_BYTES:]))
    return utils.encode_dss_signature(r, s)
