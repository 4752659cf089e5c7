"""The manifest: which bytes belong to the artifact, as checksums.

Laws (Mender Artifact v3, "manifest"):
1. Each line is 64 lower-case hex digits, two blanks, a name, a line feed; nothing else.
2. A name stands once: readers disagree whether the first or the last line counts.
3. Names are `version`, the header file and `data/0000/FILE`, nothing else.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import (
    MANIFEST_NAME,
    PAYLOAD_FILES_MAX,
    PAYLOAD_FOLDER,
    SIGNATURE_NAME,
    VERSION_NAME,
)

SIGNATURE_BYTES_MAX = 8 * 1024  # as much as devices take
_LINE = re.compile(rb"([0-9a-f]{64})  ([\x21-\x7e]{1,100})")
_FILE_NAME = re.compile(r"[A-Za-z0-9_.,][A-Za-z0-9_.,-]{0,89}")


def check_file_name(name: str) -> None:
    """Checks the name of a payload file.

    Letters, digits and `_ - . ,` as Mender has it; besides no leading `-` (an option to a tool)
    and no `..` (the device's helper takes none).

    Raises:
        ArtifactError: the name does not fit.
    """
    if not _FILE_NAME.fullmatch(name) or name == "." or ".." in name:
        message = f"payload file {name!a} has a name that cannot be used"
        hint = "use letters, digits and `_ - . ,`, at most 90, no leading `-`, no `..`"
        raise ArtifactError(Rule.FILE_NAME, message, hint=hint)


def parse_manifest(data: bytes, header_name: str) -> dict[str, str]:
    """Checksums by name, in the order of the lines.

    Raises:
        ArtifactError: a line breaks a law of this module, or one that must be there is missing.
    """
    if not data.endswith(b"\n"):
        message = f"`{MANIFEST_NAME}` is empty or does not end with a line feed"
        raise ArtifactError(Rule.MANIFEST_FORM, message)
    sums: dict[str, str] = {}
    for number, line in enumerate(data[:-1].split(b"\n"), start=1):
        match = _LINE.fullmatch(line)
        if not match:
            message = f"line {number} of `{MANIFEST_NAME}` is no checksum line"
            hint = "64 lower-case hex digits, two blanks, a name"
            raise ArtifactError(Rule.MANIFEST_FORM, message, hint=hint)
        name = match[2].decode("ascii")
        if name in sums:
            message = f"`{MANIFEST_NAME}` has more than one line for `{name}`"
            raise ArtifactError(Rule.MANIFEST_DUPLICATE, message)
        sums[name] = match[1].decode("ascii")
    _check_names(sums, header_name)
    return sums


def _check_names(sums: Mapping[str, str], header_name: str) -> None:
    for name in (VERSION_NAME, header_name):
        if name not in sums:
            message = f"`{MANIFEST_NAME}` has no line for `{name}`"
            raise ArtifactError(Rule.MANIFEST_MISSING, message)
    files = [name for name in sums if name not in (VERSION_NAME, header_name)]
    if len(files) > PAYLOAD_FILES_MAX:
        message = f"the payload has {len(files)} files, more than {PAYLOAD_FILES_MAX}"
        raise ArtifactError(Rule.SIZE_LIMIT, message, hint="pack them into one file")
    for name in files:
        if not name.startswith(PAYLOAD_FOLDER):
            message = f"`{MANIFEST_NAME}` has a line for `{name}`, which is no part of an artifact"
            raise ArtifactError(Rule.MANIFEST_EXTRA, message)
        check_file_name(name.removeprefix(PAYLOAD_FOLDER))


def format_manifest(sums: Sequence[tuple[str, str]]) -> bytes:
    """Text of (name, checksum) pairs, in their order."""
    return "".join(f"{digest}  {name}\n" for name, digest in sums).encode("ascii")


def check_sum(sums: Mapping[str, str], name: str, sha256: str) -> None:
    """Compares the checksum of what was read with the manifest's.

    Raises:
        ArtifactError: the manifest has no line for the name, or another checksum.
    """
    wanted = sums.get(name)
    if wanted is None:
        message = f"`{name}` is not in `{MANIFEST_NAME}`: nobody vouches for it"
        raise ArtifactError(Rule.MANIFEST_MISSING, message)
    if wanted != sha256:
        message = f"`{name}` does not have the checksum that `{MANIFEST_NAME}` says"
        hint = f"wanted {wanted[:16]}..., found {sha256[:16]}...; the file was changed or damaged"
        raise ArtifactError(Rule.CHECKSUM, message, hint=hint)


def decode_signature(data: bytes) -> bytes:
    """Bytes of the signature; wrapped lines are taken, anything else than exact base64 is not.

    Raises:
        ArtifactError: empty, or not the one base64 text of its bytes.
    """
    text = data.replace(b"\n", b"")
    try:
        signature = base64.b64decode(text, validate=True)
    except binascii.Error:
        signature = b""
    if not signature or base64.b64encode(signature) != text:
        message = f"`{SIGNATURE_NAME}` is empty or not base64"
        raise ArtifactError(Rule.SIGNATURE_FORM, message)
    return signature
