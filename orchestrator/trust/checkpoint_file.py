"""Signing checkpoints and keeping them: an Ed25519 key, and a file that only grows.

Laws:
1. The key is made on first need, with mode 0600, in a file that did not exist; of two processes
   that make it at once one does. A key that the operator named is never made.
2. A block is written whole under a lock and flushed to disk; what a power cut left of one is cut
   off by the next.
3. The file is made before the key: a key without a file says that the file was taken away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import asyncssh

from orchestrator.errors import TrustError, Where, system_reason
from orchestrator.trust.allowed import AllowedSigner, read_allowed_signers
from orchestrator.trust.checkpoint import Checkpoint, namespace_of
from orchestrator.trust.files import is_open

FILE_BYTES_MAX = 256 * 1024 * 1024  # 400 000 checkpoints
_BEGINNING = b"rollout-audit 1\n"
_END = b"-----END SSH SIGNATURE-----\n"
TAIL_BYTES = 64 * 1024  # a block is a few hundred bytes
_PRINCIPAL = "engine"  # who a key of our own is, for people


def append(checkpoint: Checkpoint, key: Path, file: Path, *, may_make_key: bool) -> None:
    """Signs a checkpoint and adds it to a file.

    Raises:
        TrustError: the key or the file cannot be used.
    """
    with _system_errors(file, "write"):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with _system_errors(file, "write"), os.fdopen(descriptor, "r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        text = checkpoint.text()
        signature = _sign(_signing_key(key, may_make_key=may_make_key), text, checkpoint.fleet)
        stream.seek(_whole_bytes(stream.fileno(), file))
        stream.write(text.encode("ascii") + signature)
        stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())


def read(file: Path) -> bytes:
    """The bytes of a file of checkpoints.

    Raises:
        TrustError: it cannot be read, or is too large.
    """
    with _system_errors(file, "read"), file.open("rb") as stream:
        data = stream.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        message = f"`{file}` is larger than {FILE_BYTES_MAX // 2**20} MiB"
        raise TrustError(message, where=Where(str(file)), code="J120")
    return data


def holds_any(data: bytes) -> bool:
    """Whether there is the beginning of a checkpoint in the bytes of a file, whole or not."""
    return _BEGINNING in data


def signer_of_key(key: Path, fleets: Iterable[str]) -> tuple[AllowedSigner, ...]:
    """The key's own line among allowed signers; none where there is no public key.

    Raises:
        TrustError: the public key cannot be read.
    """
    public = public_file(key)
    if not public.exists():
        return ()
    with _system_errors(public, "read"):
        words = public.read_text("ascii", errors="replace").split()
    names = ",".join(namespace_of(fleet) for fleet in fleets)
    line = f'{_PRINCIPAL} namespaces="{names}" {" ".join(words[:2])}\n'
    return read_allowed_signers(line.encode(), str(public))


def public_file(key: Path) -> Path:
    """Where the public key of a private one lies."""
    return key.with_name(f"{key.name}.pub")


def _sign(key: asyncssh.SSHKey, text: str, fleet: str) -> bytes:
    return asyncssh.create_sshsig(key, text.encode("ascii"), namespace=namespace_of(fleet))


def _signing_key(path: Path, *, may_make_key: bool) -> asyncssh.SSHKey:
    if may_make_key and not path.exists():
        _make_key(path)
    if is_open(path):
        message = f"`{path}` signs no checkpoint: others may read it"
        raise TrustError(message, hint=f"`chmod 600 {path}`", where=Where(str(path)), code="J121")
    with _system_errors(path, "read"):
        data = path.read_bytes()
    try:
        return asyncssh.import_private_key(data)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        message = f"`{path}` is no private key of OpenSSH without a passphrase"
        hint = "make one: `ssh-keygen -t ed25519 -N ''`, and let nobody else read it"
        raise TrustError(message, hint=hint, where=Where(str(path)), code="J121") from error


def _make_key(path: Path) -> None:
    """Makes both files under other names first: what is there is whole."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment="rollout audit")
    parts = (
        (public_file(path), key.export_public_key(), 0o644),
        (path, key.export_private_key(), 0o600),
    )
    with _system_errors(path, "write"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for target, data, mode in parts:
            made = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(made, flags, mode), "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            made.replace(target)


def _whole_bytes(descriptor: int, file: Path) -> int:
    """Up to where the file has whole blocks; one of something else is left as it is."""
    size = os.fstat(descriptor).st_size
    beginning = os.pread(descriptor, len(_BEGINNING), 0)
    tail_at = max(0, size - TAIL_BYTES)
    last = os.pread(descriptor, TAIL_BYTES, tail_at).rfind(_END)
    if not _BEGINNING.startswith(beginning) or (tail_at and last < 0):
        message = f"`{file}` is no file of checkpoints"
        hint = "name another one: `audit_checkpoints` in your own configuration"
        raise TrustError(message, hint=hint, where=Where(str(file)), code="J120")
    return tail_at + last + len(_END) if last >= 0 else 0


@contextlib.contextmanager
def _system_errors(path: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except TrustError:
        raise
    except OSError as error:
        message = f"cannot {doing} `{path}`: {system_reason(error)}"
        raise TrustError(message, where=Where(str(path)), code="J120") from error
