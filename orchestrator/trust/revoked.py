"""Keys that do not count any more: a list of OpenSSH, binary (KRL) or a public key in each line.

Law: what cannot be read in full refuses all signatures. A list that names certificates by serial
number or id is refused, as leaving those out would let somebody in.

Source: OpenSSH, PROTOCOL.krl; ssh-keygen(1), KEY REVOCATION LISTS.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from orchestrator.errors import TrustError, Where
from orchestrator.trust.errors import TrustRule
from orchestrator.trust.wire import WireError, WireReader

FILE_BYTES_MAX = 16 * 1024 * 1024
_MAGIC = b"SSHKRL\n\0"
_FORMAT = 1
_CERTIFICATES, _KEYS, _SHA1, _SIGNATURE, _SHA256 = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class Revoked:
    """What a list names: keys as SSH writes them, and digests of such."""

    keys: frozenset[bytes] = frozenset()
    sha1: frozenset[bytes] = frozenset()
    sha256: frozenset[bytes] = frozenset()

    def has(self, public_key: bytes) -> bool:
        """Whether a key is on the list."""
        return (
            public_key in self.keys
            or hashlib.sha1(public_key, usedforsecurity=False).digest() in self.sha1
            or hashlib.sha256(public_key).digest() in self.sha256
        )


def read_revoked(data: bytes, file: str) -> Revoked:
    """A list of revoked keys.

    Args:
        data: the file's bytes.
        file: its name, for messages.

    Raises:
        TrustError: it cannot be read in full.
    """
    try:
        if len(data) > FILE_BYTES_MAX:
            message = "it is larger than 16 MiB"
            raise ValueError(message)
        return _binary(data) if data.startswith(_MAGIC) else _lines(data)
    except (ValueError, binascii.Error) as error:
        message = f"the list of revoked keys `{file}` cannot be used: {error}"
        hint = (
            "nobody's signature counts until it can; `ssh-keygen -k -f FILE KEY.pub...` makes one"
        )
        raise TrustError(
            message, hint=hint, where=Where(file), code=str(TrustRule.REVOKED_LIST)
        ) from error


def _binary(data: bytes) -> Revoked:
    reader = WireReader(data)
    reader.take(len(_MAGIC))
    if reader.uint32() != _FORMAT:
        message = "its format is not version 1"
        raise ValueError(message)
    reader.uint64(), reader.uint64(), reader.uint64()  # version, made at, flags: none is defined
    reader.string(), reader.string()  # reserved, and a comment
    found: dict[int, set[bytes]] = {_KEYS: set(), _SHA1: set(), _SHA256: set()}
    while not reader.is_done:
        kind = reader.byte()
        section = WireReader(reader.string())
        if kind not in found:
            what = "certificates" if kind == _CERTIFICATES else f"a section of kind {kind}"
            message = f"it names {what}, which are not supported"
            raise ValueError(message)
        while not section.is_done:
            found[kind].add(section.string())
    return Revoked(frozenset(found[_KEYS]), frozenset(found[_SHA1]), frozenset(found[_SHA256]))


def _lines(data: bytes) -> Revoked:
    keys = set()
    for number, line in enumerate(data.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        if len(words) == 1:
            message = f"line {number} is no public key"
            raise ValueError(message)
        key = base64.b64decode(words[1], validate=True)
        try:
            algorithm = WireReader(key).string()
        except WireError as error:
            message = f"line {number} is no public key"
            raise ValueError(message) from error
        if algorithm != words[0]:
            message = f"line {number} is no public key"
            raise ValueError(message)
        keys.add(key)
    return Revoked(keys=frozenset(keys))
