"""An artifact as its reader found it: every value here was checked.

Laws:
1. An `Artifact` exists only when structure and all checksums held; it says nothing of who signed.
2. `manifest` is what a signature covers, and transitively everything else that matters:
   `version`, the header file, the name and content of each payload file.
3. Texts are printable and at most `TEXT_BYTES_MAX` long, names fit the limits of the format; none
   of them is ever used as a path.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

VERSION_BYTES = b'{"format":"mender","version":3}'  # Mender Artifact v3: exactly this, no newline
VERSION_SHA256 = hashlib.sha256(VERSION_BYTES).hexdigest()
VERSION_NAME = "version"
MANIFEST_NAME = "manifest"
SIGNATURE_NAME = "manifest.sig"
PAYLOAD_FOLDER = "data/0000/"
PAYLOAD_TAR_NAME = "data/0000.tar"
SEAL_PREFIX = "sha256:"  # of a comment that says the checksum of the packed payload
CHUNK_BYTES = 32 * 1024  # one SSH packet; what a transport writes at once
MANIFEST_BYTES_MAX = 1024 * 1024
HEADER_BYTES_MAX = 1024 * 1024  # decompressed; the header is a few JSON objects
HEADER_MEMBER_BYTES_MAX = 256 * 1024  # as much as devices take
TEXT_BYTES_MAX = 256  # Mender 4.1.1 and later: names and device types
PAYLOAD_FILES_MAX = 250  # a delivery has at most 256 frames (docs/reference/device-protocol.md)
PAYLOAD_BYTES_MAX = 8 * 1024**3 - 1  # the largest size that plain tar can say


class Compression(StrEnum):
    """How the header and the payload are packed; both the same way."""

    NONE = "none"
    GZIP = "gzip"
    XZ = "xz"

    @property
    def suffix(self) -> str:
        """What a member's name ends with."""
        return {Compression.NONE: "", Compression.GZIP: ".gz", Compression.XZ: ".xz"}[self]


class ScriptPolicy(StrEnum):
    """Which state scripts an artifact may bring; there is no policy that takes unknown states."""

    KNOWN_STATES = "known-states"
    FORBID = "forbid"


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """One file of the payload."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Payload:
    """What an update module installs; `files` stand in the manifest's order."""

    type: str
    files: tuple[PayloadFile, ...]
    meta_data: Mapping[str, object] | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together, uncompressed."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A Mender Artifact, version 3.

    `provides` are the payload's own entries, without the artifact's name and group.
    `depends` are alternatives by key, without the device type; `artifact_name` and
    `artifact_group` may be among them. `clears_provides` is None when the artifact does not say
    (a client then forgets every earlier entry).
    """

    name: str
    group: str | None
    device_types: tuple[str, ...]
    depends: Mapping[str, tuple[str, ...]]
    provides: Mapping[str, str]
    clears_provides: tuple[str, ...] | None
    payload: Payload
    scripts: tuple[str, ...]
    manifest: bytes = field(repr=False)
    signature: bytes | None = field(repr=False)
    compression: Compression
    header_size_bytes: int
    size_bytes: int
    sha256: str
    warnings: tuple[str, ...] = ()

    @property
    def manifest_sha256(self) -> str:
        """Digest of the manifest: the identity of what a device installs."""
        return hashlib.sha256(self.manifest).hexdigest()

    @property
    def header_name(self) -> str:
        """Name of the header file in the artifact and on the wire."""
        return f"header.tar{self.compression.suffix}"

    @property
    def delivery_size_bytes(self) -> int:
        """Bytes that a device receives: all frames, payload uncompressed."""
        signature = len(base64.b64encode(self.signature or b""))
        small = len(VERSION_BYTES) + len(self.manifest) + signature
        return small + self.header_size_bytes + self.payload.size_bytes


@dataclass(frozen=True, slots=True)
class ArtifactFrame:
    """One file that a device receives; made like `orchestrator.device.protocol.Frame`.

    `chunks(offset)` gives the bytes from `offset` on in pieces of at most `CHUNK_BYTES`; it may
    be called any number of times, also while another iterator is at work.
    """

    name: str
    size_bytes: int
    sha256: str
    chunks: Callable[[int], Iterator[bytes]] = field(repr=False)
