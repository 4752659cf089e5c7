"""SSH signatures (SSHSIG): what `ssh-keygen -Y sign` makes, read strictly and verified.

Laws:
1. A signature is for one namespace, which the caller names: one that was made for git or for a
   file is none here.
2. What readers could disagree about is refused: a reserved field that is not empty, bytes after
   the end, another hash than SHA-256 or SHA-512, SHA-1 below an RSA signature.
3. The bytes of a signature identify nothing: SSHSIG is malleable. Count keys, never signatures.
4. asyncssh checks the mathematics; whose key it is, and whether it counts, is decided here.

Source: OpenSSH, PROTOCOL.sshsig; design "device-and-trust" B.1.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field

import asyncssh
from asyncssh.public_key import SSHOpenSSHCertificate

from orchestrator.errors import TrustError
from orchestrator.trust.allowed import AllowedSigner
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.revoked import Revoked
from orchestrator.trust.wire import WireError, WireReader

SIGNATURE_BYTES_MAX = 16 * 1024  # RSA of 16384 bits and a certificate have room
LINE_CHARACTERS_MAX = 128
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = frozenset({b"sha256", b"sha512"})
_ALGORITHMS = frozenset({
    b"ssh-ed25519", b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com",
    b"ecdsa-sha2-nistp256", b"ecdsa-sha2-nistp384", b"ecdsa-sha2-nistp521",
    b"rsa-sha2-256", b"rsa-sha2-512",
})  # fmt: skip
_HARDWARE, _TOUCHED = b"sk-", 1  # the key never leaves its token; the flag is signed, too


@dataclass(frozen=True, slots=True)
class SshSignature:
    """A signature as it was read; nothing about it has been verified.

    Attributes:
        blob: its bytes without armour.
        public_key: the key or certificate in it, as SSH writes it.
        namespace: what it was made for.
        is_touched: whether a security token says that it signed, and was touched for that.
    """

    blob: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    namespace: str
    is_touched: bool


def read_signature(armoured: bytes) -> SshSignature:
    """A signature from the text that `ssh-keygen -Y sign` writes.

    Raises:
        TrustError: it is none, or not in the strict form.
    """
    blob = _without_armour(armoured)
    reader = WireReader(blob)
    try:
        if reader.take(len(_MAGIC)) != _MAGIC or reader.uint32() != _VERSION:
            raise _not_strict("it does not begin as an SSH signature of version 1")
        public_key, namespace = reader.string(), reader.string()
        reserved, hash_name, signature = reader.string(), reader.string(), reader.string()
        reader.end()
        made = WireReader(signature)
        algorithm = made.string()
        is_touched = algorithm.startswith(_HARDWARE) and _flags(made) & _TOUCHED != 0
    except WireError as error:
        raise _not_strict(str(error)) from error
    if reserved:
        raise _not_strict("its reserved field is not empty")
    if hash_name not in _HASHES:
        raise _not_strict("its hash is neither SHA-256 nor SHA-512")
    if algorithm not in _ALGORITHMS:
        raise _not_strict("its algorithm is not one of Ed25519, ECDSA and RSA with SHA-2")
    try:
        return SshSignature(blob, public_key, namespace.decode("ascii"), is_touched)
    except UnicodeDecodeError as error:
        raise _not_strict("its namespace is not ASCII") from error


def _flags(made: WireReader) -> int:
    """What a token says behind its signature, which ends with a counter."""
    made.string()
    flags = made.byte()
    made.uint32()
    made.end()
    return flags


def signer_of(
    message: bytes,
    armoured: bytes,
    namespace: str,
    *,
    allowed: Iterable[AllowedSigner],
    revoked: Revoked,
    now: float,
) -> AllowedSigner:
    """Who signed a message, with the key that did: of a certificate its own, not the authority's.

    Args:
        message: what was signed.
        armoured: the signature's text.
        namespace: what it must have been made for.
        allowed: whose signatures count.
        revoked: keys that do not count any more.
        now: UTC seconds, for the times of the list and of certificates.

    Raises:
        TrustError: nobody who counts, in this namespace, now; or the message is another one.
    """
    signature = read_signature(armoured)
    if signature.namespace != namespace:
        message_text = f"the signature was made for `{signature.namespace}`"
        hint = f"sign with `ssh-keygen -Y sign -n {namespace}`"
        raise refuse(TrustRule.SIGNATURE_NAMESPACE, message_text, hint=hint)
    if revoked.has(signature.public_key):
        raise refuse(TrustRule.SIGNER_REVOKED, "the key of the signature is revoked")
    certificate = _certificate(signature.public_key)
    for signer in allowed:
        if not signer.may_sign(namespace, now):
            continue
        person = _person(signer, signature, certificate, revoked)
        if person and _verifies(person, message, signature):
            return person if certificate is None else person.with_key(certificate.public_key)
    why = "no allowed signer made the signature, or of another text"
    hint = "who may sign, in which namespace and until when, says the file of allowed signers"
    raise refuse(TrustRule.SIGNATURE_MISMATCH, why, hint=hint)


def _person(
    signer: AllowedSigner,
    signature: SshSignature,
    certificate: Certificate | None,
    revoked: Revoked,
) -> AllowedSigner | None:
    """The person of a line whose key, or whose authority's certificate, is in the signature."""
    if not signer.is_authority:
        return signer if signer.public_key == signature.public_key else None
    if certificate is None or certificate.authority != signer.public_key:
        return None
    if revoked.has(certificate.authority) or revoked.has(certificate.public_key):
        return None
    return signer.certified(certificate.principals)


def _verifies(person: AllowedSigner, message: bytes, signature: SshSignature) -> bool:
    try:
        return asyncssh.validate_sshsig(
            message, signature.blob, person.principal, person.for_asyncssh
        )
    except (ValueError, asyncssh.Error):  # of malformed keys, points and numbers
        return False


@dataclass(frozen=True, slots=True)
class Certificate:
    """What decides about a certificate: whose it is, by whom it was signed; unverified."""

    public_key: bytes
    authority: bytes
    principals: tuple[str, ...]


def _certificate(public_key: bytes) -> Certificate | None:
    """The certificate in a signature; None where it has a plain key."""
    try:
        algorithm = WireReader(public_key).string()
        found = asyncssh.import_certificate(algorithm + b" " + base64.b64encode(public_key))
    except (WireError, ValueError, asyncssh.Error):
        return None
    if not isinstance(found, SSHOpenSSHCertificate):
        return None
    principals = tuple(str(name) for name in found.principals)
    return Certificate(found.key.public_data, found.signing_key.public_data, principals)


def _without_armour(text: bytes) -> bytes:
    if len(text) > SIGNATURE_BYTES_MAX:
        raise _not_strict(f"it is larger than {SIGNATURE_BYTES_MAX} bytes")
    lines = text.removesuffix(b"\n").split(b"\n")
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:  # noqa: PLR2004  one inside
        raise _not_strict(f"it is not text between `{_BEGIN.decode()}` and its end")
    if any(not 0 < len(line) <= LINE_CHARACTERS_MAX for line in lines):
        raise _not_strict("it has an empty line or a very long one")
    body = b"".join(lines[1:-1])
    try:
        blob = base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise _not_strict("its text is not base64") from error
    if base64.b64encode(blob) != body:
        raise _not_strict("its text is base64 in another form than one writes it")
    return blob


def _not_strict(why: str) -> TrustError:
    hint = "make it with `ssh-keygen -Y sign`, and hand it over unchanged"
    return refuse(TrustRule.SIGNATURE_FORM, f"not a usable SSH signature: {why}", hint=hint)
