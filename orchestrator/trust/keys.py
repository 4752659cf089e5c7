"""Keys that sign artifacts and keys that verify them.

Laws:
1. ECDSA on P-256, RSA of 3072 to 8192 bits, Ed25519; no other kind is ever loaded. Ed25519 signs
   tickets and roots alone and is refused elsewhere, because no Mender client verifies it.
2. A private key is written with mode 0600 to a file that did not exist. Unencrypted it has the
   traditional form (SEC1, PKCS#1), which mender-artifact of Debian 12 reads, and PKCS#8 when it is
   encrypted or has no such form (Ed25519).
3. A public key is one PEM block of form SubjectPublicKeyInfo: what openssl on a device takes.
4. A private key that others may read is not used, encrypted or not: what it signs says no more
   who signed.
5. A key has one encoding in DER: another one of the same key is refused, so that equal bytes and
   equal keys are the same thing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from orchestrator.errors import TrustError
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.files import is_open, read_start, write_new
from orchestrator.trust.passphrase import PASSPHRASE_BYTES_MAX

Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

RSA_BITS_MIN = 3072
RSA_BITS_MAX = 8192  # larger ones only serve to burn time
_RSA_EXPONENT = 65537
_RSA_EXPONENT_END = 2**64  # a device's openssl verifies with no larger one
_FILE_BYTES_MAX = 64 * 1024
_PRIVATE_MODE = 0o600
_PUBLIC_MODE = 0o644
_PUBLIC_BEGIN = b"-----BEGIN PUBLIC KEY-----"
_PRIVATE_END = b"PRIVATE KEY-----"
_BEGIN = b"-----BEGIN "
_EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----"  # openssl writes them before a key
_SUPPORTED = "use ECDSA P-256 or RSA with 3072 bits or more (`rollout key generate`)"


class KeyKind(StrEnum):
    """The kinds of keys that our devices verify."""

    ECDSA_P256 = "ecdsa-p256"
    RSA = "rsa"
    ED25519 = "ed25519"


ARTIFACT_KINDS = frozenset((KeyKind.ECDSA_P256, KeyKind.RSA))  # those that Mender's tools verify
TICKET_KINDS = frozenset(KeyKind)


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key.

    `fingerprint` is the SHA-256 of its SubjectPublicKeyInfo (DER), lower-case hex.
    """

    kind: KeyKind
    fingerprint: str
    public: Public = field(repr=False, compare=False)

    @property
    def spki(self) -> bytes:
        """Its SubjectPublicKeyInfo in DER."""
        return _spki(self.public)

    @property
    def pem(self) -> bytes:
        """Its PEM text."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.public.public_bytes(serialization.Encoding.PEM, form)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; never shown and never compared."""

    verification: VerificationKey
    private: Private = field(repr=False, compare=False)

    @property
    def kind(self) -> KeyKind:
        """Its kind."""
        return self.verification.kind

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its public key."""
        return self.verification.fingerprint


def generate_key(kind: KeyKind = KeyKind.ECDSA_P256, *, rsa_bits: int = RSA_BITS_MIN) -> SigningKey:
    """A new key.

    Cost: RSA takes up to a few seconds.

    Raises:
        TrustError: `rsa_bits` is out of bounds.
    """
    if kind is KeyKind.ECDSA_P256:
        return _signing_key(ec.generate_private_key(ec.SECP256R1()), None, TICKET_KINDS)
    if kind is KeyKind.ED25519:
        return _signing_key(ed25519.Ed25519PrivateKey.generate(), None, TICKET_KINDS)
    _check_rsa_bits(rsa_bits, None)
    return _signing_key(rsa.generate_private_key(_RSA_EXPONENT, rsa_bits), None, TICKET_KINDS)


def load_private_key(
    path: Path,
    *,
    passphrase: bytes | None = None,
    kinds: Collection[KeyKind] = ARTIFACT_KINDS,
) -> SigningKey:
    """The private key in a PEM file: PKCS#1, SEC1 or PKCS#8.

    Args:
        path: the file.
        passphrase: what it is encrypted with.
        kinds: those that serve the purpose.

    Raises:
        TrustError: the file cannot be read or others may read it, is no such key, is of a kind,
            curve or size that is not used, or its passphrase is missing or wrong.
    """
    data = _read(path)
    _check_pem(data, path, "private")
    if _PRIVATE_END in data and is_open(path):  # a public key in its place is told as that
        message = f"private key `{path}` is not used: others may read it"
        hint = f"`chmod 600 {path}`; and make a new key if somebody did"
        raise refuse(TrustRule.KEY_OPEN, message, hint=hint, file=path)
    try:
        key = serialization.load_pem_private_key(data, passphrase)
    except TypeError as error:  # a passphrase is missing, or there is nothing to decrypt
        wanted = "is encrypted" if passphrase is None else "is not encrypted, but a passphrase was"
        message = f"key `{path}` {wanted}{'' if passphrase is None else ' given'}"
        hint = "give its passphrase" if passphrase is None else "leave the passphrase out"
        raise refuse(TrustRule.KEY_PASSPHRASE, message, hint=hint, file=path) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase is not None:
            message = f"key `{path}` cannot be decrypted with this passphrase"
            raise refuse(TrustRule.KEY_PASSPHRASE, message, file=path) from error
        raise _not_a_key(path, "private") from error
    return _signing_key(key, path, kinds)


def load_public_key(path: Path, *, kinds: Collection[KeyKind] = ARTIFACT_KINDS) -> VerificationKey:
    """The public key in a PEM file of form SubjectPublicKeyInfo.

    Args:
        path: the file.
        kinds: those that serve the purpose.

    Raises:
        TrustError: the file cannot be read, is no such key, or is of a kind, curve or size that
            is not used.
    """
    return parse_public_key(_read(path), path, kinds=kinds)


def parse_public_key(
    data: bytes, source: Path | None = None, *, kinds: Collection[KeyKind] = ARTIFACT_KINDS
) -> VerificationKey:
    """The public key in PEM text.

    Args:
        data: exactly one PEM block.
        source: where it came from, for messages.
        kinds: those that serve the purpose.

    Raises:
        TrustError: as `load_public_key`.
    """
    _check_pem(data, source, "public")
    if _PUBLIC_BEGIN not in data:
        message = f"`{source or 'the text'}` has no public key of form SubjectPublicKeyInfo"
        hint = "it begins with `-----BEGIN PUBLIC KEY-----`; `openssl pkey -pubout` writes it"
        raise refuse(TrustRule.KEY_FORM, message, hint=hint, file=source)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _not_a_key(source, "public") from error
    return verification_key(key, source, kinds)


def parse_spki(der: bytes) -> VerificationKey:
    """The public key of any kind in a SubjectPublicKeyInfo in DER.

    Raises:
        TrustError: it is no such key, one that is not used, or not in its one form (law 4).
    """
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        message = "the bytes are no public key of form SubjectPublicKeyInfo"
        raise refuse(TrustRule.KEY_FORM, message, hint=_SUPPORTED) from error
    found = verification_key(key, None, TICKET_KINDS)
    if found.spki != der:
        message = "the key is not in the one form that its kind has in DER"
        raise refuse(
            TrustRule.KEY_FORM, message, hint="`openssl pkey -pubin -outform DER` makes it"
        )
    return found


def verification_key(
    key: object, source: Path | None, kinds: Collection[KeyKind]
) -> VerificationKey:
    """What a loaded public key is to us.

    Raises:
        TrustError: it is of a kind, curve or size that is not used, or not of one of `kinds`.
    """
    found = _verification_key(key, source)
    if found.kind not in kinds:
        raise _wrong_type(key, source)
    return found


def save_private_key(key: SigningKey, path: Path, *, passphrase: bytes | None = None) -> None:
    """Writes a private key to a new file that only its owner reads.

    Raises:
        TrustError: the file exists or cannot be written, or the passphrase is empty or too long.
    """
    if passphrase is not None and not 0 < len(passphrase) <= PASSPHRASE_BYTES_MAX:
        message = f"a passphrase has 1 to {PASSPHRASE_BYTES_MAX} bytes, not {len(passphrase)}"
        raise refuse(TrustRule.KEY_PASSPHRASE, message, hint="give one, or none at all")
    data = key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL
        if passphrase is None and key.kind is not KeyKind.ED25519
        else serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase),
    )
    write_new(path, data, mode=_PRIVATE_MODE)


def save_public_key(key: VerificationKey, path: Path) -> None:
    """Writes a public key to a new file.

    Raises:
        TrustError: the file exists or cannot be written.
    """
    write_new(path, key.pem, mode=_PUBLIC_MODE)


def _signing_key(key: object, source: Path | None, kinds: Collection[KeyKind]) -> SigningKey:
    if not isinstance(key, Private):
        raise _wrong_type(key, source)
    return SigningKey(verification_key(key.public_key(), source, kinds), key)


def _verification_key(key: object, source: Path | None) -> VerificationKey:
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1):
            message = f"{_of(source)} is on curve `{key.curve.name}`"
            raise refuse(TrustRule.KEY_CURVE, message, hint=_SUPPORTED, file=source)
        return VerificationKey(KeyKind.ECDSA_P256, _fingerprint(key), key)
    if isinstance(key, rsa.RSAPublicKey):
        _check_rsa_bits(key.key_size, source)
        if not _RSA_EXPONENT <= key.public_numbers().e < _RSA_EXPONENT_END:
            message = f"{_of(source)} has a public exponent below {_RSA_EXPONENT}, or above 64 bits"
            raise refuse(TrustRule.KEY_TYPE, message, hint=_SUPPORTED, file=source)
        return VerificationKey(KeyKind.RSA, _fingerprint(key), key)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return VerificationKey(KeyKind.ED25519, _fingerprint(key), key)
    raise _wrong_type(key, source)


def _fingerprint(key: Public) -> str:
    return hashlib.sha256(_spki(key)).hexdigest()


def _spki(key: Public) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)


def _check_rsa_bits(bits: int, source: Path | None) -> None:
    if not RSA_BITS_MIN <= bits <= RSA_BITS_MAX:
        message = f"{_of(source)} is RSA with {bits} bits"
        hint = f"RSA keys have {RSA_BITS_MIN} to {RSA_BITS_MAX} bits"
        raise refuse(TrustRule.KEY_SIZE, message, hint=hint, file=source)


def _wrong_type(key: object, source: Path | None) -> TrustError:
    kind = type(key).__name__.lower().removeprefix("_")
    kind = kind.removesuffix("publickey").removesuffix("privatekey")
    message = f"{_of(source)} is of kind `{kind}`, which no Mender client verifies"
    return refuse(TrustRule.KEY_TYPE, message, hint=_SUPPORTED, file=source)


def _check_pem(data: bytes, source: Path | None, wanted: str) -> None:
    extra = data.count(_EC_PARAMETERS) if wanted == "private" else 0
    if data.count(_BEGIN) - extra != 1:
        raise _not_a_key(source, wanted)


def _not_a_key(source: Path | None, wanted: str) -> TrustError:
    message = f"`{source or 'the text'}` is not one PEM block with a {wanted} key"
    return refuse(TrustRule.KEY_FORM, message, hint=_SUPPORTED, file=source)


def _of(source: Path | None) -> str:
    return "the key" if source is None else f"key `{source}`"


def _read(path: Path) -> bytes:
    data = read_start(path, _FILE_BYTES_MAX + 1)
    if len(data) > _FILE_BYTES_MAX:
        message = f"`{path}` is too large to be a key"
        raise refuse(TrustRule.KEY_FORM, message, file=path)
    return data
