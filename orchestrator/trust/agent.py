"""Keys that an SSH agent holds: it signs the bytes that we give it, and the key stays there.

An agent signs what it is asked to sign as it stands, so its signatures are those of our files:
Ed25519 pure, RSA with `rsa-sha2-256` (PKCS#1 v1.5), ECDSA as two numbers that become DER. Keys
that are bound to a touch (`sk-...`) sign something else around it and are not offered.

Source: draft-miller-ssh-agent, 4.4 and 4.6; RFC 8332, 3; RFC 5656, 3.1.2; RFC 8709, 6.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import utils

from orchestrator.errors import TrustError
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.keys import TICKET_KINDS, KeyKind, VerificationKey, verification_key

_ANSWER_BYTES_MAX = 256 * 1024  # OpenSSH's agent answers no more
_WAIT_S = 120.0  # a person may have to confirm the use of the key
_REQUEST_IDENTITIES, _IDENTITIES = 11, 12
_SIGN_REQUEST, _SIGNATURE = 13, 14
_RSA_SHA2_256 = 2
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class AgentKey:
    """One key of an agent, known by the fingerprint that `ssh-add -l` shows, and by ours."""

    key: VerificationKey
    socket_path: str = field(repr=False)
    blob: bytes = field(repr=False)

    @property
    def ssh_fingerprint(self) -> str:
        """As `ssh-add -l` shows it."""
        text = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return f"SHA256:{text.rstrip('=')}"

    def sign(self, data: bytes) -> bytes:
        """The agent's signature over the data.

        Raises:
            TrustError: the agent refuses, or cannot be talked to.
        """
        flags = _RSA_SHA2_256 if self.key.kind is KeyKind.RSA else 0
        request = _string(self.blob) + _string(data) + flags.to_bytes(_LENGTH_BYTES, "big")
        with _agent_errors():
            answer = _ask(self.socket_path, _SIGN_REQUEST, request, _SIGNATURE)
            kind, signature = _strings(_strings(answer)[0])[:2]
            if self.key.kind is KeyKind.ECDSA_P256:
                r, s = (int.from_bytes(number, "big") for number in _strings(signature))
                return utils.encode_dss_signature(r, s)
        if self.key.kind is KeyKind.RSA and kind != b"rsa-sha2-256":
            message = "the SSH agent signs with RSA as SHA-1 alone"
            raise refuse(TrustRule.SIGNER_FAILED, message, hint="use another agent")
        return signature


def agent_keys(socket_path: str) -> tuple[AgentKey, ...]:
    """The keys of an agent that can sign tickets and roots.

    Raises:
        TrustError: the agent cannot be talked to.
    """
    with _agent_errors():
        answer = _ask(socket_path, _REQUEST_IDENTITIES, b"", _IDENTITIES)
        blobs = _strings(answer[_LENGTH_BYTES:])[::2]  # beside each stands a comment
    found = []
    for blob in blobs:
        with contextlib.suppress(TrustError):  # of another kind: a certificate, DSA, P-384
            found.append(AgentKey(parse_ssh_blob(blob), socket_path, blob))
    return tuple(found)


def parse_ssh_blob(blob: bytes) -> VerificationKey:
    """The public key in SSH's own form.

    Raises:
        TrustError: it is no such key, or one that is not used.
    """
    try:
        (kind,) = _strings(blob, count=1)
        line = kind + b" " + base64.b64encode(blob)
        key = serialization.load_ssh_public_key(line)
    except (ValueError, UnsupportedAlgorithm) as error:
        message = "the bytes are no SSH public key that can sign tickets"
        raise refuse(TrustRule.KEY_FORM, message) from error
    return verification_key(key, None, TICKET_KINDS)


def parse_ssh_line(data: bytes, source: Path) -> VerificationKey:
    """The public key in a file `NAME.pub` of SSH.

    Raises:
        TrustError: it is no such key, or one that is not used.
    """
    lines = data.splitlines()
    words = lines[0].split() if len(lines) == 1 else []
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError) as error:
        message = f"`{source}` is not one SSH public key"
        raise refuse(TrustRule.KEY_FORM, message, file=source) from error
    return parse_ssh_blob(blob)


def _ask(socket_path: str, number: int, body: bytes, wanted: int) -> bytes:
    """The body of the answer.

    Raises:
        OSError: the agent cannot be talked to.
        ValueError: it answered something else.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.settimeout(_WAIT_S)
        agent.connect(socket_path)
        agent.sendall(_string(bytes((number,)) + body))
        size = int.from_bytes(_exactly(agent, _LENGTH_BYTES), "big")
        if not 0 < size <= _ANSWER_BYTES_MAX:
            message = "its answer has no sensible size"
            raise ValueError(message)
        answer = _exactly(agent, size)
    if answer[0] != wanted:
        message = "it refused"
        raise ValueError(message)
    return answer[1:]


def _exactly(agent: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = agent.recv(size - len(data))
        if not piece:
            message = "it hung up"
            raise ValueError(message)
        data += piece
    return data


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def _strings(data: bytes, *, count: int | None = None) -> list[bytes]:
    """The strings of which the data consists, or the first `count` of them."""
    found: list[bytes] = []
    while data and len(found) != count:
        end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
        if end > len(data):
            message = "its answer is cut short"
            raise ValueError(message)
        found.append(data[_LENGTH_BYTES:end])
        data = data[end:]
    return found


@contextlib.contextmanager
def _agent_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"the SSH agent is of no use: {reason.lower()}"
        hint = "is it running, unlocked, and does `SSH_AUTH_SOCK` name it?"
        raise refuse(TrustRule.SIGNER_FAILED, message, hint=hint) from error
