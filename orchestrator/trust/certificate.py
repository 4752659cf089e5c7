"""OpenSSH certificates, read strictly: what a host or a user may be believed for.

Laws:
1. Only Ed25519 and ECDSA P-256, for the key and for the authority.
2. Host and user are told apart; a certificate without principals, which would fit everybody, and
   one without an end fit nobody.
3. Nothing stands in a certificate that we do not know: no other critical option, no extension.

Whether the authority's signature is right is the SSH library's to say, or `sshd`'s.
Source: OpenSSH's PROTOCOL.certkeys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from orchestrator.trust.wire import WireError, WireReader

FOREVER = 2**64 - 1
BYTES_MAX = 8192
HOST_VALID_MAX_S = 10 * 366 * 86400  # longer is meant for ever, and written by mistake
_FIELDS = {  # strings of the key, after the nonce
    b"ssh-ed25519-cert-v01@openssh.com": 1,
    b"ecdsa-sha2-nistp256-cert-v01@openssh.com": 2,
}
ALGORITHMS = tuple(name.decode("ascii") for name in _FIELDS)
AUTHORITIES = frozenset({"ssh-ed25519", "ecdsa-sha2-nistp256"})
_TEXT_CHARS_MAX = 255


class CertificateError(ValueError):
    """Why a certificate is none that counts."""


class Holder(IntEnum):
    """Whose key a certificate vouches for."""

    USER = 1
    HOST = 2


@dataclass(frozen=True, slots=True)
class Certificate:
    """What stands in a certificate; times are UTC seconds, `authority` is the algorithm."""

    holder: Holder
    serial: int
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    options: Mapping[str, bytes]
    extensions: tuple[str, ...]
    authority: str


def is_certificate(blob: bytes) -> bool:
    """Whether it is of a kind of certificates at all, not a bare key."""
    return b"-cert-v0" in blob[:64]


def read_certificate(blob: bytes) -> Certificate:
    """The certificate of these bytes.

    Raises:
        CertificateError: they are none of the kinds that count, or hold something twice.
    """
    if len(blob) > BYTES_MAX:
        message = "the certificate is too long"
        raise CertificateError(message)
    try:
        return _read(WireReader(blob))
    except (WireError, UnicodeDecodeError) as error:
        message = f"the certificate is malformed: {error}"
        raise CertificateError(message) from error


def check_host(certificate: Certificate, device: str, now_s: float) -> None:
    """Holds a host's certificate against the device that it should be.

    Raises:
        CertificateError: it does not vouch for that device now.
    """
    _check(certificate, Holder.HOST, device, now_s)
    if certificate.options or certificate.extensions:
        message = "the certificate of the host has options, which hosts have none of"
        raise CertificateError(message)


def check_user(certificate: Certificate, principal: str, now_s: float) -> None:
    """Holds a certificate to log in with against what we would ask of one.

    Raises:
        CertificateError: it is another one, or allows more than the helper's one command.
    """
    _check(certificate, Holder.USER, principal, now_s)
    if unknown := set(certificate.options) - {"force-command", "source-address"}:
        message = f"the certificate has an unknown critical option `{min(unknown)}`"
        raise CertificateError(message)
    if certificate.extensions:
        message = f"the certificate allows more than a command: `{certificate.extensions[0]}`"
        raise CertificateError(message)


def _check(certificate: Certificate, holder: Holder, principal: str, now_s: float) -> None:
    if certificate.holder is not holder:
        message = f"the certificate is of a {certificate.holder.name.lower()}"
        raise CertificateError(message)
    if principal not in certificate.principals:
        names = ", ".join(f"`{name}`" for name in certificate.principals) or "nobody by name"
        message = f"the certificate is for {names}, not for `{principal}`"
        raise CertificateError(message)
    span_s = certificate.valid_before - certificate.valid_after
    if certificate.valid_before == FOREVER or not 0 < span_s <= HOST_VALID_MAX_S:
        message = "the certificate has no end"
        raise CertificateError(message)
    if not certificate.valid_after <= now_s < certificate.valid_before:
        late = now_s >= certificate.valid_before
        message = f"the certificate is {'not valid any more' if late else 'not valid yet'}"
        raise CertificateError(message)


def _read(reader: WireReader) -> Certificate:
    algorithm = reader.string()
    if algorithm not in _FIELDS:
        message = "the certificate is not for an Ed25519 or ECDSA P-256 key"
        raise CertificateError(message)
    reader.string()  # nonce
    for _ in range(_FIELDS[algorithm]):
        reader.string()
    serial, kind = reader.uint64(), reader.uint32()
    if kind not in tuple(Holder):
        message = "the certificate is neither of a user nor of a host"
        raise CertificateError(message)
    key_id = _text(reader.string())
    principals = _principals(reader.string())
    after, before = reader.uint64(), reader.uint64()
    options, extensions = _options(reader.string()), _options(reader.string())
    if reader.string():
        message = "the certificate's reserved field is not empty"
        raise CertificateError(message)
    authority = WireReader(reader.string()).string().decode("ascii")
    if authority not in AUTHORITIES:
        message = f"the authority is a key of the kind `{_text(authority.encode())}`"
        raise CertificateError(message)
    reader.string()  # signature
    reader.end()
    return Certificate(
        Holder(kind), serial, key_id, principals, after, before, options, tuple(extensions), authority
    )  # fmt: skip


def _text(data: bytes) -> str:
    text = data.decode("utf-8")
    if not text.isprintable() or len(text) > _TEXT_CHARS_MAX:
        message = "a name in the certificate is not one line of text"
        raise CertificateError(message)
    return text


def _principals(data: bytes) -> tuple[str, ...]:
    reader, found = WireReader(data), []
    while not reader.is_done:
        found.append(_text(reader.string()))
    return tuple(found)


def _options(data: bytes) -> dict[str, bytes]:
    reader: WireReader = WireReader(data)
    found: dict[str, bytes] = {}
    while not reader.is_done:
        name, value = _text(reader.string()), reader.string()
        if name in found:
            message = f"the certificate has `{name}` twice"
            raise CertificateError(message)
        found[name] = value
    return found
