"""The `update.tar` of a directory payload: the same bytes for the same tree, wherever it stands.

Laws:
1. Entries are sorted; owner, group and times are not kept (0); permission bits are.
2. Only directories, regular files and symbolic links that stay inside the tree, whoever follows
   them: no absolute targets, `..` only at the beginning and never above the top. Anything else
   (devices, FIFOs, sockets, set-user-id files, names with control characters) is refused.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.errors import Where, system_reason

_READ_BYTES = 128 * 1024
_SPECIAL_BITS = 0o7000
_PERMISSION_BITS = 0o777
_END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    path: Path
    status: os.stat_result


def tree_chunks(root: Path) -> Iterator[bytes]:
    """The tar file of what is below `root`, in pieces.

    Raises:
        ArtifactError: the tree is empty, cannot be read, or has something that is not packed.
    """
    if not root.is_dir():
        message = f"`{root}` is not a directory"
        raise ArtifactError(Rule.WRITE_INPUT, message, where=Where(str(root)))
    packed = False
    for entry in _walk(root, ""):
        yield from _entry_chunks(entry)
        packed = True
    if not packed:
        message = f"`{root}` is empty"
        raise ArtifactError(Rule.WRITE_TREE, message, where=Where(str(root)))
    yield _END


def file_chunks(path: Path) -> Iterator[bytes]:
    """The content of a regular file, in pieces.

    Raises:
        ArtifactError: it is none, or cannot be read.
    """
    with open_input(path) as file:
        try:
            while piece := file.read(_READ_BYTES):
                yield piece
        except OSError as error:
            raise unreadable(path, error) from error


def open_input(path: Path) -> BinaryIO:
    """A regular file, open for reading; a pipe or a device would have no end.

    Raises:
        ArtifactError: it is none, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        message = f"`{path}` is no regular file"
        hint = "a directory, a pipe or a device is not packed; name a file"
        raise ArtifactError(Rule.WRITE_INPUT, message, hint=hint, where=Where(str(path)))
    return os.fdopen(descriptor, "rb")


def unreadable(path: Path, error: OSError) -> ArtifactError:
    """The error for an input that the system does not let us read."""
    reason = system_reason(error)
    message = f"cannot read `{path}`: {reason}"
    return ArtifactError(Rule.WRITE_INPUT, message, where=Where(str(path)))


def _walk(folder: Path, prefix: str) -> Iterator[_Entry]:
    try:
        names = sorted(path.name for path in folder.iterdir())
        statuses = [os.lstat(folder / name) for name in names]
    except OSError as error:
        raise unreadable(folder, error) from error
    for name, status in zip(names, statuses, strict=True):
        entry = _Entry(prefix + name, folder / name, status)
        _check_name(entry)
        yield entry
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(entry.path, entry.name + "/")


def _check_name(entry: _Entry) -> None:
    if not entry.name.isprintable():  # also where the name is no UTF-8
        message = f"{entry.name!a} has a name with characters that cannot be printed"
        raise _refused(entry, message)
    if odd := _unclear(entry.name):
        raise _refused(entry, f"`{entry.name}` has `{odd}` in its name, which devices refuse")


def _unclear(name: str) -> str:
    """What devices do not take in a name: lists of archives have it for something else."""
    return next((part for part in ("\\", " -> ", " link to ") if part in name), "")


def _entry_chunks(entry: _Entry) -> Iterator[bytes]:
    mode = entry.status.st_mode
    info = tarfile.TarInfo(entry.name)
    info.mode = mode & _PERMISSION_BITS
    if stat.S_ISDIR(mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(mode):
        info.type = tarfile.SYMTYPE
        info.linkname = _link_target(entry)
        info.mode = _PERMISSION_BITS
    elif stat.S_ISREG(mode):
        if mode & _SPECIAL_BITS:
            raise _refused(entry, f"`{entry.name}` has set-user-id, set-group-id or sticky bits")
        info.size = entry.status.st_size
    else:
        raise _refused(entry, f"`{entry.name}` is no file, directory or symbolic link")
    yield info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")
    if info.isreg():
        yield from _content(entry)


def _content(entry: _Entry) -> Iterator[bytes]:
    size_bytes = 0
    for piece in file_chunks(entry.path):
        size_bytes += len(piece)
        yield piece
    if size_bytes != entry.status.st_size:
        message = f"`{entry.name}` changed while it was read"
        raise ArtifactError(Rule.WRITE_CHANGED, message, where=Where(str(entry.path)))
    yield bytes(-size_bytes % tarfile.BLOCKSIZE)


def _link_target(entry: _Entry) -> str:
    try:
        target = os.readlink(entry.path)  # noqa: PTH115  a Path would tidy it
    except OSError as error:
        raise unreadable(entry.path, error) from error
    words = [word for word in target.split("/") if word not in ("", ".")]
    ups = next((at for at, word in enumerate(words) if word != ".."), len(words))
    # `..` behind a name may climb out through another link; only leading ones can be counted.
    inside = not target.startswith("/") and ups <= entry.name.count("/")
    if not inside or ".." in words[ups:] or not target.isprintable():
        message = f"symbolic link `{entry.name}` leads to {target!a}, outside of the tree"
        raise _refused(entry, message, hint="use a relative target below the same directory")
    if odd := _unclear(target):
        message = f"symbolic link `{entry.name}` has `{odd}` in its target, which devices refuse"
        raise _refused(entry, message)
    return target


def _refused(entry: _Entry, message: str, hint: str = "remove it from the tree") -> ArtifactError:
    return ArtifactError(Rule.WRITE_TREE, message, hint=hint, where=Where(str(entry.path)))
