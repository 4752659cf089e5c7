"""Who signs tickets and roots, and who still must."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.render.release import KeyFacts, NeededFacts

if TYPE_CHECKING:
    from orchestrator.api.trust_values import SignWith, Unlock
    from orchestrator.trust.keys import VerificationKey
    from orchestrator.trust.purpose import Purpose
    from orchestrator.trust.root import Role, Root
    from orchestrator.trust.signature_file import Signature
    from orchestrator.trust.signed_file import SignedFile
    from orchestrator.trust.signers import Signer

_AGENT_PREFIX = "agent:"
_AGENT_VARIABLE = "SSH_AUTH_SOCK"


PurposeOf = Callable[["VerificationKey"], "Purpose"]


def signatures_of(
    purpose_of: PurposeOf,
    wanted: Sequence[SignWith],
    counted: Collection[VerificationKey] | None,
    hint: str,
) -> tuple[Signature, ...]:
    """The signatures of all these signers.

    Args:
        purpose_of: what a key signs.
        wanted: the signers.
        counted: the keys whose signatures would count; None where nobody knows.
        hint: what to do with another one.

    Raises:
        TrustError: a signer cannot be used, does not sign, or its signature would not count.
    """
    from orchestrator.trust.signature_file import add_signatures

    found: tuple[Signature, ...] = ()
    for signer in signers_that_count(wanted, counted, hint):
        found = add_signatures(found, purpose_of(signer.key).sign(signer, found))
    return found


def signed_too(
    file: SignedFile,
    purpose_of: PurposeOf,
    wanted: SignWith,
    counted: Collection[VerificationKey] | None,
    hint: str,
) -> SignedFile:
    """The file with the signatures of one more key; unchanged where it signed in every form before.

    Raises:
        TrustError: as `signatures_of`, or the signatures cannot be written.
    """
    (signer,) = signers_that_count((wanted,), counted, hint)
    added = purpose_of(signer.key).sign(signer, file.signatures)
    return file.with_signatures(added) if added else file


def signers_that_count(
    wanted: Sequence[SignWith], counted: Collection[VerificationKey] | None, hint: str
) -> list[Signer]:
    """The signers that a person named: every one is found before one signs.

    Raises:
        TrustError: one is missing, cannot be used, or its signature would not count.
    """
    return [_signer_that_counts(each, counted, hint) for each in wanted]


def _signer_that_counts(
    wanted: SignWith, counted: Collection[VerificationKey] | None, hint: str
) -> Signer:
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
    from orchestrator.trust.keys import KeyKind
    from orchestrator.trust.purpose import Purpose

    keys = root.of(role)
    purpose = Purpose.of(role, root.fleet, file.text)
    plain = purpose.plainly_signed_by(file.signatures, keys)
    of_ssh = purpose.ssh_signed_by(file.signatures, keys)
    ssh_only = [key for key in of_ssh if key not in plain]
    signed = {key.fingerprint for key in (*plain, *ssh_only)}
    return NeededFacts(
        role=str(role),
        root_version=root.version,
        needed=root.threshold(role),
        keys=tuple(
            KeyFacts(str(key.kind), key.fingerprint, key.fingerprint in signed) for key in keys
        ),
        ssh_count=len(of_ssh),
        ssh_only_count=sum(key.kind is not KeyKind.ED25519 for key in ssh_only),
    )
