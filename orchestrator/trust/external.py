"""Keys in a PKCS#11 token or in a cloud's key management, through `securesystemslib`.

An optional extra (ADR-0009): it is imported when such a signer is asked for, and not before.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.errors import TrustError
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.keys import KeyKind, VerificationKey
from orchestrator.trust.passphrase import Passphrases

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

EXTERNAL_SCHEMES = {
    "hsm": "a PKCS#11 token",
    "awskms": "AWS KMS",
    "azurekms": "Azure Key Vault",
    "gcpkms": "Google Cloud KMS",
    "hv": "HashiCorp Vault",
}
_EXTRA_OF = {**{scheme: scheme for scheme in EXTERNAL_SCHEMES}, "hv": "vault"}
_SCHEME_OF_KIND = {
    KeyKind.ECDSA_P256: "ecdsa-sha2-nistp256",
    KeyKind.RSA: "rsa-pkcs1v15-sha256",
    KeyKind.ED25519: "ed25519",
}
_EXTRA = "rollout-orchestrator[signers]"


@dataclass(frozen=True, slots=True)
class ExternalKey:
    """A key that is elsewhere; `key` is its public part, as the caller knows it."""

    key: VerificationKey
    signer: Signer = field(repr=False)
    scheme: str

    def sign(self, data: bytes) -> bytes:
        """The signature that the other side makes.

        Raises:
            TrustError: it makes none.
        """
        try:
            return bytes.fromhex(self.signer.sign(data).signature)
        except Exception as error:
            raise _failed(self.scheme, error) from error


def external_key(uri: str, public: VerificationKey | None, passphrases: Passphrases) -> ExternalKey:
    """The key that a URI of `securesystemslib` names.

    Raises:
        TrustError: its public part is not given, the library is missing, or it finds no such key.
    """
    scheme = uri.partition(":")[0]
    place = EXTERNAL_SCHEMES[scheme]
    if public is None:
        message = f"a key in {place} needs its public part beside it"
        raise refuse(TrustRule.SIGNER_URI, message, hint="name its file with `--public PUB`")
    try:
        from securesystemslib.signer import Signer, SSlibKey
    except ImportError as error:
        message = f"keys in {place} need the package `securesystemslib`"
        hint = f"`pip install '{_EXTRA}'`"
        raise refuse(TrustRule.SIGNER_MISSING, message, hint=hint) from error
    # It writes its log to stderr by itself; what it says of a failure stands in the error.
    logging.getLogger("securesystemslib").handlers = [logging.NullHandler()]
    try:
        known = SSlibKey.from_crypto(public.public, scheme=_SCHEME_OF_KIND[public.kind])
        pin_once = functools.cache(passphrases.text)  # a key signs in two forms
        signer = Signer.from_priv_key_uri(uri, known, pin_once)
    except Exception as error:
        raise _failed(scheme, error) from error
    return ExternalKey(public, signer, scheme)


def _failed(scheme: str, error: Exception) -> TrustError:
    from securesystemslib.exceptions import UnsupportedLibraryError

    place = EXTERNAL_SCHEMES[scheme]
    if isinstance(error, TrustError):  # a PIN that could not be asked for
        return error
    if isinstance(error, UnsupportedLibraryError):
        message = f"keys in {place} need another package"
        hint = f"`pip install 'securesystemslib[{_EXTRA_OF[scheme]}]'`"
        return refuse(TrustRule.SIGNER_MISSING, message, hint=hint)
    first = str(error).partition("\n")[0] or type(error).__name__
    return refuse(TrustRule.SIGNER_FAILED, f"{place} does not sign: {first}")
