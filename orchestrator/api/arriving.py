"""A file of a device on its way to here.

Laws:
1. It has its name only when it is whole and on the disk; nothing is left of it otherwise. Without
   links in the file system an empty file has the name first, for a moment.
2. Whole is what the device said to be: it ended well, and said so.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

from orchestrator.api.admin_values import FetchRequest
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, PlanError, system_reason
from orchestrator.units import format_size

if TYPE_CHECKING:
    from orchestrator.ssh.channel import Piece
    from orchestrator.ssh.login import Ended

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
STDERR_BYTES_MAX = 4096  # of what a device says of a file that it does not give
NO_FILE = 82
REFUSED: Mapping[int, str] = {
    81: "is not there", NO_FILE: "is no regular file", 83: "may not be read by this account",
}  # fmt: skip


def target_of(request: FetchRequest) -> Path:
    """Where the file goes.

    Raises:
        PlanError: the path names no file, or something is there.
    """
    path = PurePosixPath(request.path)
    if not path.is_absolute() or path.name in ("", "..") or "\0" in request.path:
        message = f"`{request.path}` is no absolute path of a file"
        raise PlanError(message, hint="as `/var/log/syslog`", code="D123")
    target = request.target or Path.cwd()
    if target.is_dir():
        target = target / path.name
    if not target.parent.is_dir():
        raise PlanError(f"there is no directory `{target.parent}`", code="D124")
    if target.is_symlink() or (target.exists() and not (request.force and target.is_file())):
        raise _is_there(target)
    return target


def _is_there(target: Path) -> PlanError:
    hint = "name another file; `--force` replaces a regular one"
    return PlanError(f"`{target}` is there already", hint=hint, code="D124")


class Arriving:
    """A file as it arrives, beside the one that it is to be; nothing is left of it unless it is whole."""

    def __init__(self, target: Path, limit_bytes: int) -> None:
        self._target, self._limit_bytes = target, limit_bytes
        # Not with the name in it: it may be as long as names can be.
        self._beside = target.with_name(f".{secrets.token_hex(8)}.part")
        self._sha256 = hashlib.sha256()
        self._stderr = b""
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """Of what arrived."""
        return self._sha256.hexdigest()

    def __enter__(self) -> Self:
        with _writing(self._target):
            self._file = os.fdopen(os.open(self._beside, _NEW, 0o600), "wb")
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._beside.unlink(missing_ok=True)

    def take(self, piece: Piece) -> bool:
        """Writes a piece.

        Raises:
            DeviceError: it would be too large.
            PlanError: it cannot be written.
        """
        if piece.is_error:
            self._stderr = (self._stderr + piece.data)[:STDERR_BYTES_MAX]
            return True
        self.size_bytes += len(piece.data)
        if self.size_bytes > self._limit_bytes:
            message = f"the file is larger than {format_size(self._limit_bytes)}"
            raise DeviceError(message, reason=Reason.IO, hint="allow more: `--max-size`")
        self._sha256.update(piece.data)
        with _writing(self._target):
            self._file.write(piece.data)
        return True

    def judge(self, request: FetchRequest, ended: Ended) -> None:
        """Refuses what the device did not say to be whole.

        Raises:
            DeviceError: says why.
        """
        if ended.exit_code == 0:
            return
        said = self._stderr.decode("utf-8", errors="replace").strip()
        why = REFUSED.get(ended.exit_code or 0) or f"was not given: {said or 'no reason was said'}"
        hint = "as root: `--become sudo`" if request.become is None else ""
        if ended.exit_code == NO_FILE:
            hint = "directories and devices are not copied; `rollout device shell ... -- tar` packs one"
        raise DeviceError(f"`{request.path}` {why}", reason=Reason.IO, hint=hint)

    def publish(self, *, force: bool) -> None:
        """Gives the file its name.

        Raises:
            PlanError: it cannot be written, or something has the name meanwhile.
        """
        with _writing(self._target):
            self._file.flush()
            os.fsync(self._file.fileno())
            if force:
                self._beside.replace(self._target)
                return
            try:
                self._name_it()
            except FileExistsError as error:
                raise _is_there(self._target) from error

    def _name_it(self) -> None:
        """Gives it the name if nothing has it.

        Raises:
            OSError: something has, or it cannot be done.
        """
        try:
            os.link(self._beside, self._target)  # unlike a rename it replaces nothing
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # FAT, as on most sticks: the name is taken first, by an empty file of ours.
            os.close(os.open(self._target, _NEW, 0o600))
            try:
                self._beside.replace(self._target)
            except OSError:
                self._target.unlink(missing_ok=True)
                raise


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"cannot write `{target}`: {system_reason(error)}"
        raise PlanError(message, code="D124") from error
