"""How the writer puts bytes into files: tar members, compression, and files that appear complete."""

from __future__ import annotations

import lzma
import os
import secrets
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import Artifact, Compression
from orchestrator.artifact.reader import read_artifact
from orchestrator.errors import Where

TAR_END = bytes(2 * tarfile.BLOCKSIZE)
MEMBER_MODE = 0o600  # as mender-artifact
_GZIP_LEVEL = 6
_XZ_PRESET = 6


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
        temporary.replace(path)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
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


def tar_header(name: str, size_bytes: int, mode: int) -> bytes:
    """The header of a regular file without owner and time."""
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    info.mode = mode
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


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
