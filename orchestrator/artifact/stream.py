"""Byte sources that count, hash, copy and decompress as they are read, within limits.

Laws:
1. Nothing is allocated by a size that was only declared; pieces have at most `PIECE_BYTES`.
2. A decompressor never makes more than its limit, and more than it was asked for at a time.
3. A compressed file is exactly one stream: a second one, padding or garbage behind it is refused,
   because other readers disagree about what such a file contains.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import Compression

PIECE_BYTES = 128 * 1024
XZ_MEMORY_BYTES_MAX = 80 * 1024 * 1024  # `xz -9` wants 65 MiB; a 4 GiB dictionary is an attack
_GZIP_HEADER_BYTES = 10
_GZIP_FLAGS_AT = 3
_GZIP_EFFORT_AT = 8
_GZIP_SYSTEM_AT = 9
_GZIP_FLAG_NAME = 0x08  # the only optional field that honest writers use
_GZIP_EFFORTS = (0, 2, 4)  # not said, most, least
_GZIP_SYSTEMS = (*range(14), 19, 255)  # RFC 1952, what zlib says on macOS, not said


class ByteSource(Protocol):
    """Where bytes come from: at most `size_bytes` at a time, empty only at the end."""

    def read(self, size_bytes: int, /) -> bytes:
        """The next bytes."""
        ...


class RegularFile:
    """An open regular file; `read` turns an error of the system into ours."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self, size_bytes: int, /) -> bytes:
        """The next bytes of the file.

        Raises:
            ArtifactError: the system cannot read it.
        """
        try:
            return os.read(self._descriptor, size_bytes)
        except OSError as error:
            raise _unreadable(error) from error


def open_regular(path: Path) -> RegularFile:
    """Opens a file that must be a regular one, and not empty.

    Raises:
        ArtifactError: it is another thing, empty, or cannot be read.
    """
    try:
        # Not blocking, so that a FIFO in place of the file cannot hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(error) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        message = "an artifact is a regular file, and this is none"
        raise ArtifactError(Rule.UNREADABLE, message)
    if not status.st_size:
        os.close(descriptor)
        message = "the file is empty"
        raise ArtifactError(Rule.EMPTY, message)
    return RegularFile(descriptor)


def _unreadable(error: OSError | ValueError) -> ArtifactError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ArtifactError(Rule.UNREADABLE, f"cannot read the artifact: {reason.lower()}")


class HashingSource:
    """Passes bytes on, and counts, hashes and copies them.

    Args:
        source: where the bytes come from.
        copy: takes each piece as it passes.
    """

    def __init__(self, source: ByteSource, copy: Callable[[bytes], None] | None = None) -> None:
        self._source = source
        self._copy = copy
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def read(self, size_bytes: int, /) -> bytes:
        """The next bytes of the source."""
        data = self._source.read(min(size_bytes, PIECE_BYTES))
        self._hash.update(data)
        self.size_bytes += len(data)
        if self._copy is not None and data:
            self._copy(data)
        return data

    def drain(self) -> None:
        """Reads to the end."""
        while self.read(PIECE_BYTES):
            pass

    @property
    def sha256(self) -> str:
        """Digest of what was read so far, lower-case hex."""
        return self._hash.hexdigest()


class _Inflater(Protocol):
    """What zlib and lzma have in common, in our words."""

    def inflate(self, data: bytes, size_bytes: int) -> bytes: ...

    @property
    def ended(self) -> bool: ...

    @property
    def left_over(self) -> bytes: ...

    @property
    def starving(self) -> bool: ...


class _Gzip:
    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._head = b""

    def inflate(self, data: bytes, size_bytes: int) -> bytes:
        if len(self._head) < _GZIP_HEADER_BYTES:
            self._head = (self._head + data)[:_GZIP_HEADER_BYTES]
            if len(self._head) == _GZIP_HEADER_BYTES:
                _check_gzip_header(self._head)
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, size_bytes)

    @property
    def ended(self) -> bool:
        return self._zlib.eof

    @property
    def left_over(self) -> bytes:
        return self._zlib.unused_data

    @property
    def starving(self) -> bool:
        return not self._zlib.unconsumed_tail


def _check_gzip_header(head: bytes) -> None:
    flags, effort, system = head[_GZIP_FLAGS_AT], head[_GZIP_EFFORT_AT], head[_GZIP_SYSTEM_AT]
    if flags & ~_GZIP_FLAG_NAME:
        message = "gzip stream has optional header fields"
        raise ArtifactError(Rule.STREAM_DAMAGED, message)
    if effort not in _GZIP_EFFORTS or system not in _GZIP_SYSTEMS:
        message = "gzip stream has a header that no program writes"
        raise ArtifactError(Rule.STREAM_DAMAGED, message, hint="the file is damaged")


class _Xz:
    def __init__(self) -> None:
        self._lzma = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES_MAX)

    def inflate(self, data: bytes, size_bytes: int) -> bytes:
        return self._lzma.decompress(data, size_bytes)

    @property
    def ended(self) -> bool:
        return self._lzma.eof

    @property
    def left_over(self) -> bytes:
        return self._lzma.unused_data

    @property
    def starving(self) -> bool:
        return self._lzma.needs_input


class Decompressor:
    """The content of one compressed member.

    Args:
        source: the member; read to its end by `finish`.
        limit_bytes: more content than this is refused.
        what: the member's name, for messages.
    """

    def __init__(
        self, source: ByteSource, compression: Compression, *, limit_bytes: int, what: str
    ) -> None:
        self._source = source
        self._left_bytes = limit_bytes
        self._what = what
        self._inflater: _Inflater | None = None
        if compression is Compression.GZIP:
            self._inflater = _Gzip()
        elif compression is Compression.XZ:
            self._inflater = _Xz()

    def read(self, size_bytes: int, /) -> bytes:
        """The next bytes of the content.

        Raises:
            ArtifactError: the stream is damaged, cut off, or longer than its limit.
        """
        if size_bytes <= 0:
            return b""
        data = self._next(min(size_bytes, PIECE_BYTES))
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            message = f"`{self._what}` unpacks to more than its limit"
            raise ArtifactError(Rule.STREAM_LIMIT, message)
        return data

    def _next(self, size_bytes: int) -> bytes:
        inflater = self._inflater
        if inflater is None:
            return self._source.read(size_bytes)
        while not inflater.ended:
            fresh = self._source.read(PIECE_BYTES) if inflater.starving else b""
            starved = inflater.starving and not fresh
            data = self._inflate(inflater, fresh, size_bytes)
            if data:
                return data
            if starved and not inflater.ended:
                message = f"`{self._what}` ends inside its compressed stream"
                raise ArtifactError(Rule.TRUNCATED, message)
        return b""

    def _inflate(self, inflater: _Inflater, data: bytes, size_bytes: int) -> bytes:
        try:
            return inflater.inflate(data, size_bytes)
        except (zlib.error, lzma.LZMAError) as error:
            if "limit" in str(error).lower():
                message = f"`{self._what}` wants more than 80 MiB of memory to unpack"
                raise ArtifactError(Rule.STREAM_LIMIT, message) from error
            message = f"`{self._what}` is damaged: its compressed stream cannot be read"
            raise ArtifactError(Rule.STREAM_DAMAGED, message) from error

    def finish(self) -> None:
        """Makes sure that nothing is left, of the content and behind it.

        Raises:
            ArtifactError: there are more bytes.
        """
        behind = self.read(1)
        if not behind and self._inflater is not None:
            behind = self._inflater.left_over or self._source.read(1)
        if behind:
            message = f"`{self._what}` has bytes behind its end"
            raise ArtifactError(Rule.STREAM_TRAILING, message)
