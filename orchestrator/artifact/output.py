"""How the writer puts bytes into files: tar members, compression, and files that appear complete."""

from __future__ import annotations

import hashlib
import lzma
import os
import secrets
import tarfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import PAYLOAD_BYTES_MAX, SEAL_PREFIX, Artifact, Compression
from orchestrator.artifact.reader import read_artifact
from orchestrator.errors import Where, system_reason

TAR_END = bytes(2 * tarfile.BLOCKSIZE)
MEMBER_MODE = 0o600  # as mender-artifact
_GZIP_LEVEL = 6
_XZ_PRESET = 6
_NO_SHA256 = "0" * 64  # holds the place of one


def publish(path: Path, write: Callable[[BinaryIO], None], *, overwrite: bool) -> Artifact:
    """Gives `path` to an artifact once it is written, read back by the strict reader and on disk.

    Args:
        path: the name.
        write: writes the artifact into a file, which can seek.
        overwrite: replace what has that name.

    Raises:
        ArtifactError: the name is taken, the file cannot be written, or breaks a rule.
    """
    if not overwrite and os.path.lexists(path):
        raise _exists(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        artifact = _read_back(temporary, path)
        if not overwrite:
            path.touch(exist_ok=False)  # takes the name; a hard link would not work everywhere
        _rename(temporary, path, taken=not overwrite)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        reason = system_reason(error)
        message = f"cannot write `{path}`: {reason}"
        raise ArtifactError(Rule.WRITE_INPUT, message, where=Where(str(path))) from error
    finally:
        temporary.unlink(missing_ok=True)
    return artifact


def write_member(file: BinaryIO, name: str, data: bytes) -> None:
    """Writes one member of a tar file."""
    file.write(tar_header(name, len(data), MEMBER_MODE))
    file.write(data)
    file.write(bytes(-len(data) % tarfile.BLOCKSIZE))


def write_sealed_member(file: BinaryIO, name: str, pieces: Iterable[bytes]) -> None:
    """Writes a member of which the manifest only vouches for what is packed in it.

    A comment before it carries the checksum of its bytes as they stand in the file; it is
    known at the end, and so is the size: the headers are filled in last.

    Raises:
        ArtifactError: the member is larger than a tar header can say.
    """
    header_at = file.tell()
    file.write(_sealed_header(name, 0, _NO_SHA256))
    digest = hashlib.sha256()
    size_bytes = 0
    for piece in pieces:
        file.write(piece)
        digest.update(piece)
        size_bytes += len(piece)
    if size_bytes > PAYLOAD_BYTES_MAX:
        message = "the packed payload is larger than 8 GiB"
        raise ArtifactError(Rule.SIZE_LIMIT, message)
    file.write(bytes(-size_bytes % tarfile.BLOCKSIZE))
    end = file.tell()
    file.seek(header_at)
    file.write(_sealed_header(name, size_bytes, digest.hexdigest()))
    file.seek(end)


def tar_header(name: str, size_bytes: int, mode: int) -> bytes:
    """The header of a regular file without owner and time."""
    return _tar_info(name, size_bytes, mode).tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _sealed_header(name: str, size_bytes: int, sha256: str) -> bytes:
    info = _tar_info(name, size_bytes, MEMBER_MODE)
    info.pax_headers = {"comment": SEAL_PREFIX + sha256}
    return info.tobuf(tarfile.PAX_FORMAT, "ascii", "strict")


def _tar_info(name: str, size_bytes: int, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    info.mode = mode
    return info


class Packer(Protocol):
    """Compresses as bytes come."""

    def compress(self, data: bytes, /) -> bytes:
        """Takes bytes; gives what is ready."""
        ...

    def flush(self) -> bytes:
        """Gives the rest."""
        ...


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def new_packer(compression: Compression) -> Packer:
    """A packer that gives the same bytes for the same input."""
    if compression is Compression.GZIP:
        return zlib.compressobj(_GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)  # its header has no time
    if compression is Compression.XZ:
        return lzma.LZMACompressor(lzma.FORMAT_XZ, preset=_XZ_PRESET)
    return _Plain()


def _rename(temporary: Path, path: Path, *, taken: bool) -> None:
    try:
        temporary.replace(path)
    except OSError:
        if taken:  # by the empty file of ours
            path.unlink(missing_ok=True)
        raise


def _read_back(temporary: Path, path: Path) -> Artifact:
    try:
        return read_artifact(temporary)
    except ArtifactError as error:
        error.where = Where(str(path))
        raise


def _exists(path: Path) -> ArtifactError:
    message = f"`{path}` exists already"
    hint = "choose another name, or remove the file first"
    return ArtifactError(Rule.WRITE_EXISTS, message, hint=hint, where=Where(str(path)))
