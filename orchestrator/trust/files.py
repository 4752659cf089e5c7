"""Files of keys, tickets, roots and signatures: read within a limit, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import system_reason
from orchestrator.trust.errors import TrustRule, refuse

_SHARED_MODE = 0o644
_OTHERS = 0o077


def read_start(path: Path, size_bytes: int) -> bytes:
    """The first bytes of a file, at most `size_bytes`; of a pipe what its writer gives.

    Raises:
        TrustError: it cannot be read.
    """
    with (
        _system_errors(path, "read"),
        open(path, "rb", opener=_without_waiting) as file,
    ):
        return file.read(size_bytes)


def is_open(private_key: Path) -> bool:
    """Whether others may use a private key of ours: OpenSSH takes none from such a file either."""
    try:
        stat = private_key.stat()
    except OSError:
        return False  # reading it says why
    return stat.st_uid == os.getuid() and bool(stat.st_mode & _OTHERS)


def _without_waiting(path: str, flags: int) -> int:
    """Opens a named pipe that has no writer as an empty file, instead of waiting for ever."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)  # a pipe that has one is read to its end
    return descriptor


def write_new(path: Path, data: bytes, *, mode: int = _SHARED_MODE) -> None:
    """Writes a file that must not exist.

    Raises:
        TrustError: it exists or cannot be written.
    """
    with _system_errors(path, "write"), _beside(path, data, mode) as written:
        path.touch(exist_ok=False)  # takes the name; a hard link would not work everywhere
        try:
            written.replace(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def replace_file(path: Path, data: bytes, *, mode: int = _SHARED_MODE) -> None:
    """Writes a file, in place of one that may be there.

    Raises:
        TrustError: it cannot be written.
    """
    with _system_errors(path, "write"), _beside(path, data, mode) as written:
        written.replace(path)


@contextlib.contextmanager
def _beside(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """A file with the data in the same directory, on disk; gone afterwards unless renamed."""
    if os.path.lexists(path) and not path.is_file():
        raise FileExistsError
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _system_errors(path: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        message = f"`{path}` exists already"
        hint = "nothing is replaced here; choose another name"
        raise refuse(TrustRule.FILE_EXISTS, message, hint=hint, file=path) from error
    except OSError as error:
        reason = system_reason(error)
        message = f"cannot {doing} `{path}`: {reason}"
        raise refuse(TrustRule.FILE_UNREADABLE, message, file=path) from error
