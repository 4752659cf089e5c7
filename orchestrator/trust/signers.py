"""Signers by URI: where a private key is, and how it signs from there.

Laws:
1. A private key, its passphrase and its PIN are in no argument, message, log or file of ours.
2. What a signer made is verified with its public key before anybody gets it: a broken token, or
   one with another key than thought, is found here and not on a device.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator.errors import TrustError
from orchestrator.trust.agent import AgentKey, agent_keys, parse_ssh_line
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.external import EXTERNAL_SCHEMES, external_key
from orchestrator.trust.files import read_start
from orchestrator.trust.keys import (
    TICKET_KINDS,
    KeyKind,
    SigningKey,
    VerificationKey,
    load_private_key,
    parse_public_key,
)
from orchestrator.trust.passphrase import Passphrases
from orchestrator.trust.signature_file import Signature
from orchestrator.trust.signing import matches, sign_bytes

_PUBLIC_BYTES_MAX = 64 * 1024


class Signer(Protocol):
    """Something that signs with one key."""

    @property
    def key(self) -> VerificationKey:
        """The public part."""
        ...

    def sign(self, data: bytes) -> bytes:
        """A signature over the data, as it stands in signature files.

        Raises:
            TrustError: there is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignerRequest:
    """Which signer: a URI, or the path of a private key.

    `agent_socket` is where the SSH agent listens, empty without one; `public` the public part of a
    key that is in a token or a cloud.
    """

    uri: str
    passphrases: Passphrases = field(default_factory=Passphrases)
    agent_socket: str = ""
    public: VerificationKey | None = None


@dataclass(frozen=True, slots=True)
class KeyAtHand:
    """A private key that was read from a file."""

    signing: SigningKey = field(repr=False)

    @property
    def key(self) -> VerificationKey:
        """The public part."""
        return self.signing.verification

    def sign(self, data: bytes) -> bytes:
        """A signature over the data, as it stands in signature files."""
        return sign_bytes(data, self.signing)


def open_signer(request: SignerRequest) -> Signer:
    """The signer that a URI names: `file:PATH` (or a path), `agent:FINGERPRINT`, or another.

    Raises:
        TrustError: there is none, or it cannot be used.
    """
    scheme, separator, rest = request.uri.partition(":")
    if separator and scheme == "agent":
        return _agent_key(rest, request.agent_socket)
    if separator and scheme in EXTERNAL_SCHEMES:
        return external_key(request.uri, request.public, request.passphrases)
    if separator and scheme != "file" and not Path(request.uri).exists():
        message = f"there is no signer `{scheme}:`"
        known = ", ".join(f"`{each}:`" for each in ("file", "agent", *EXTERNAL_SCHEMES))
        raise refuse(TrustRule.SIGNER_URI, message, hint=f"signers: {known}, or a file's path")
    path = Path(rest if separator and scheme == "file" else request.uri)
    return KeyAtHand(unlocked_key(path, request.passphrases))


def sign_with(signer: Signer, data: bytes) -> Signature:
    """A signature over the data, verified.

    Raises:
        TrustError: there is none, or it does not verify.
    """
    signature = signer.sign(data)
    if not matches(data, signature, signer.key):
        message = "the signer made a signature that its public key does not verify"
        hint = "is the public key that of this private key?"
        raise refuse(TrustRule.SIGNER_FAILED, message, hint=hint)
    return Signature(signer.key.fingerprint, signature)


def load_any_public_key(path: Path) -> VerificationKey:
    """The public key in a PEM file, or in a file `NAME.pub` of SSH.

    Raises:
        TrustError: it is no such key, or one that is not used.
    """
    data = read_start(path, _PUBLIC_BYTES_MAX)
    if data.startswith((b"ssh-", b"ecdsa-sha2-")):
        return parse_ssh_line(data, path)
    return parse_public_key(data, path, kinds=TICKET_KINDS)


def unlocked_key(
    path: Path, passphrases: Passphrases, kinds: Collection[KeyKind] = TICKET_KINDS
) -> SigningKey:
    """The private key in a file; its passphrase is asked for only where it is encrypted.

    Args:
        path: the file.
        passphrases: where the passphrase comes from.
        kinds: those that serve the purpose.

    Raises:
        TrustError: it is no such key, or its passphrase is missing or wrong.
    """
    try:
        return load_private_key(path, kinds=kinds)
    except TrustError as error:
        if error.code != TrustRule.KEY_PASSPHRASE:
            raise
    passphrase = passphrases.get(f"passphrase of {path}")
    return load_private_key(path, passphrase=passphrase, kinds=kinds)


def _agent_key(fingerprint: str, socket_path: str) -> AgentKey:
    if not socket_path:
        message = "there is no SSH agent"
        raise refuse(TrustRule.SIGNER_URI, message, hint="start one, so that SSH_AUTH_SOCK is set")
    keys = agent_keys(socket_path)
    for each in keys:
        if fingerprint in {each.ssh_fingerprint, each.key.fingerprint}:
            return each
    there = ", ".join(f"`agent:{each.ssh_fingerprint}` ({each.key.kind})" for each in keys)
    message = f"the SSH agent has no key `{fingerprint}` that can sign this"
    hint = f"it has {there}" if there else "add one with `ssh-add`: Ed25519, ECDSA P-256 or RSA"
    raise refuse(TrustRule.SIGNER_URI, message, hint=hint)
