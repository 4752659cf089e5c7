"""A bundle: a tar of files with an index of their SHA-256, the same bytes for the same files.

Laws:
1. Plain `ustar`, without compression: its bytes are a function of the files alone (those of gzip or zip
   hang on the version of a library), and `tar` and `sha256sum` on any machine read it.
2. The index `SHA256SUMS` comes first and names every other file once, sorted, as `sha256sum -c` wants.
3. Read, nothing is believed: regular files under plain relative names, each once, within limits, and
   exactly those that the index names, with the digests that it says.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Mapping

INDEX = "SHA256SUMS"
BUNDLE_BYTES_MAX = 1024**3
FILES_MAX = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*){0,3}")
_NAME_CHARACTERS_MAX = 99  # what ustar holds without splitting
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


class BundleError(ValueError):
    """Why a file is no bundle, or not the one that was made."""


def write_bundle(files: Mapping[str, bytes]) -> bytes:
    """The bundle of files, by name; `SHA256SUMS` is added."""
    assert INDEX not in files, "the index is made here"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in ((INDEX, index_of(files)), *sorted(files.items())):
            assert _is_name(name), f"`{name}` is no name in a bundle"
            info = tarfile.TarInfo(name)  # time, owner and group are 0 and empty
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def index_of(files: Mapping[str, bytes]) -> bytes:
    """The index of files."""
    lines = (
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
    )
    return "".join(lines).encode("ascii")


def read_bundle(data: bytes) -> dict[str, bytes]:
    """The files of a bundle, without the index, which they fit.

    Raises:
        BundleError: it breaks a law of this module.
    """
    files = _members(data)
    index = files.pop(INDEX, None)
    if index is None:
        message = f"there is no `{INDEX}`"
        raise BundleError(message)
    promised = _index(index)
    if gone := sorted(promised.keys() - files.keys()):
        message = f"`{gone[0]}` is missing"
        raise BundleError(message)
    if more := sorted(files.keys() - promised.keys()):
        message = f"`{more[0]}` does not stand in the index"
        raise BundleError(message)
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != promised[name]:
            message = f"`{name}` is not the file that the index names"
            raise BundleError(message)
    return files


def _members(data: bytes) -> dict[str, bytes]:
    if len(data) > BUNDLE_BYTES_MAX:
        message = f"more than {BUNDLE_BYTES_MAX} bytes"
        raise BundleError(message)
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for info in tar:
                if not info.isreg() or not _is_name(info.name) or info.name in files:
                    message = f"`{info.name}` is no file of a bundle, or there twice"
                    raise BundleError(message)
                stream = tar.extractfile(info)
                assert stream is not None, "a regular file has bytes"
                files[info.name] = stream.read()
                if len(files) > FILES_MAX:
                    message = f"more than {FILES_MAX} files"
                    raise BundleError(message)
    except (tarfile.TarError, EOFError, OverflowError) as error:
        message = f"no tar: {error}"
        raise BundleError(message) from error
    return files


def _index(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in data.decode("ascii", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            message = f"`{INDEX}` has a line that names no file"
            raise BundleError(message)
        found[match[2]] = match[1]
    return found


def _is_name(name: str) -> bool:
    return len(name) <= _NAME_CHARACTERS_MAX and _NAME.fullmatch(name) is not None
