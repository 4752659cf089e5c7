"""Who signs tickets and roots, and who still must."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.render.release import KeyFacts, NeededFacts

if TYPE_CHECKING:
    from orchestrator.api.trust_values import SignWith, Unlock
    from orchestrator.trust.keys import VerificationKey
    from orchestrator.trust.root import Role, Root
    from orchestrator.trust.signature_file import Signature
    from orchestrator.trust.signed_file import SignedFile
    from orchestrator.trust.signers import Signer

_AGENT_PREFIX = "agent:"
_AGENT_VARIABLE = "SSH_AUTH_SOCK"


def signatures_of(
    text: bytes, wanted: Sequence[SignWith], counted: Collection[VerificationKey] | None, hint: str
) -> tuple[Signature, ...]:
    """The signatures of all these signers over a text; every signer is found before one signs.

    Args:
        text: the whole file.
        wanted: the signers.
        counted: the keys whose signatures would count; None where nobody knows.
        hint: what to do with another one.

    Raises:
        TrustError: a signer cannot be used, does not sign, or its signature would not count.
    """
    from orchestrator.trust.signature_file import add_signature
    from orchestrator.trust.signers import sign_with

    found: tuple[Signature, ...] = ()
    for signer in [signer_that_counts(each, counted, hint) for each in wanted]:
        found = add_signature(found, sign_with(signer, text))
    return found


def signed_too(
    file: SignedFile, wanted: SignWith, counted: Collection[VerificationKey] | None, hint: str
) -> SignedFile:
    """The file with one more signature beside it; unchanged where that key signed it before.

    Raises:
        TrustError: as `signatures_of`, or the signatures cannot be written.
    """
    from orchestrator.trust.signers import sign_with

    signer = signer_that_counts(wanted, counted, hint)
    if file.by((signer.key,)):
        return file
    return file.with_signature(sign_with(signer, file.text))


def signer_that_counts(
    wanted: SignWith, counted: Collection[VerificationKey] | None, hint: str
) -> Signer:
    """The signer that a person named.

    Raises:
        TrustError: there is none, it cannot be used, or its signature would not count.
    """
    from orchestrator.trust.errors import TrustRule, refuse
    from orchestrator.trust.passphrase import Passphrases
    from orchestrator.trust.signers import SignerRequest, load_any_public_key, open_signer

    signer = open_signer(
        SignerRequest(
            wanted.uri,
            Passphrases(wanted.unlock.passphrase_file, wanted.unlock.ask),
            os.environ.get(_AGENT_VARIABLE, ""),
            None if wanted.public is None else load_any_public_key(wanted.public),
        )
    )
    if counted is not None and signer.key not in counted:
        message = f"the signature of key {signer.key.fingerprint} would not count"
        raise refuse(TrustRule.SIGNER_UNKNOWN, message, hint=hint)
    return signer


def passphrase(what: str, unlock: Unlock) -> bytes:
    """A passphrase out of a file, or of a person.

    Raises:
        TrustError: there is neither, or it is empty or too long.
    """
    from orchestrator.trust.passphrase import Passphrases

    return Passphrases(unlock.passphrase_file, unlock.ask).get(what)


def public_key_of(text: str) -> VerificationKey:
    """The public key in a file, or that of a key in the SSH agent (`agent:FINGERPRINT`).

    Raises:
        TrustError: there is none, or it cannot be used.
    """
    from orchestrator.trust.signers import SignerRequest, load_any_public_key, open_signer

    if text.startswith(_AGENT_PREFIX):
        request = SignerRequest(text, agent_socket=os.environ.get(_AGENT_VARIABLE, ""))
        return open_signer(request).key
    return load_any_public_key(Path(text))


def trusted_root(path: Path) -> Root:
    """A root that stands beside enough signatures of its own root keys.

    Whether it is *the* root of the fleet, devices know; here it is the one that the caller names.

    Raises:
        TrustError: it is no root, a draft, or not signed by enough.
    """
    from orchestrator.trust.errors import TrustRule, in_file
    from orchestrator.trust.judge import check_first_root
    from orchestrator.trust.signed_file import read_signed

    with in_file(path):
        file = read_signed(path)
        return check_first_root(file.text, file.evidence(TrustRule.ROOT_OWN_SIGNATURES))


def needed_of(file: SignedFile, root: Root, role: Role) -> NeededFacts:
    """How far the signatures of a role have come."""
    keys = root.of(role)
    signed = {key.fingerprint for key in file.by(keys)}
    return NeededFacts(
        role=str(role),
        root_version=root.version,
        needed=root.threshold(role),
        keys=tuple(
            KeyFacts(str(key.kind), key.fingerprint, key.fingerprint in signed) for key in keys
        ),
    )
