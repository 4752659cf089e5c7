"""Reads an artifact from a file, front to back, once, and checks all of it on the way.

Laws:
1. The members are exactly `version`, `manifest`, `manifest.sig` (may be left out), `header.tar<C>`,
   `data/0000.tar<C>`, with the same compression `<C>`. Augmented parts are refused: no signature
   covers them.
2. Each part is used only after what vouches for it was seen: first the manifest (and whoever
   checks its signature, `accept`), then the header's checksum, then the header, then the payload.
3. Every payload file is in the manifest and every line of the manifest was met.
4. The packed payload has the checksum of the comment before it, where there is one.
5. Nothing is extracted; memory is bounded by the limits in `model`, whatever the file declares.

Source: Mender Artifact v3; design "mender" 1a and 1g, "threats-and-reliability" D.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.header import Header, parse_header
from orchestrator.artifact.manifest import (
    SIGNATURE_BYTES_MAX,
    check_file_name,
    check_sum,
    decode_signature,
    parse_manifest,
)
from orchestrator.artifact.model import (
    HEADER_BYTES_MAX,
    MANIFEST_BYTES_MAX,
    MANIFEST_NAME,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_FOLDER,
    PAYLOAD_TAR_NAME,
    SEAL_PREFIX,
    SIGNATURE_NAME,
    VERSION_BYTES,
    VERSION_NAME,
    VERSION_SHA256,
    Artifact,
    Compression,
    Payload,
    PayloadFile,
    ScriptPolicy,
)
from orchestrator.artifact.stream import Decompressor, HashingSource, open_regular
from orchestrator.artifact.tar import TarMember, TarReader
from orchestrator.errors import Where

_HEADER_NAMES = {f"header.tar{kind.suffix}": kind for kind in Compression}
_TAR_SLACK_BYTES = 1024 * 1024  # headers, padding and end of the payload's tar file
_AUGMENTED = ("manifest-augment", "header-augment")

AcceptManifest = Callable[[bytes, bytes | None], None]
"""Takes manifest and signature before anything else is unpacked; raises to refuse."""


class Sink(Protocol):
    """Takes the files that a device receives, as they are read."""

    def begin(self, name: str) -> None:
        """A file begins; the one before is complete."""
        ...

    def feed(self, data: bytes) -> None:
        """The next bytes of the file."""
        ...


class _NoSink:
    def begin(self, name: str) -> None:
        del name

    def feed(self, data: bytes) -> None:
        del data


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader takes.

    Attributes:
        scripts: which state scripts may be in the artifact.
        payload_bytes_max: all payload files together, unpacked.
        accept: decides about manifest and signature, before anything is unpacked.
    """

    scripts: ScriptPolicy = ScriptPolicy.KNOWN_STATES
    payload_bytes_max: int = PAYLOAD_BYTES_MAX
    accept: AcceptManifest | None = None


def read_artifact(
    path: Path, *, options: ReadOptions | None = None, sink: Sink | None = None
) -> Artifact:
    """The artifact in a file; structure and all checksums hold, the signature was not judged.

    Cost: one pass; 64 MiB of payload take about 0.2 s.

    Args:
        path: a regular file.
        options: limits and policies.
        sink: takes header and payload as they pass (for deliveries).

    Raises:
        ArtifactError: the file cannot be read, or breaks a rule; `where` is the file.
    """
    try:
        with open_regular(path) as file:
            return _Scan(HashingSource(file), options or ReadOptions(), sink or _NoSink()).run()
    except ArtifactError as error:
        error.where = Where(str(path))
        raise


@dataclass(frozen=True, slots=True)
class _Front:
    """What stands before the payload."""

    manifest: bytes
    signature: bytes | None
    sums: dict[str, str]
    compression: Compression
    header: Header
    header_size_bytes: int


class _Scan:
    def __init__(self, source: HashingSource, options: ReadOptions, sink: Sink) -> None:
        self._source = source
        self._options = options
        self._sink = sink
        self._outer = TarReader(source, what="artifact")
        self._seen: list[str] = []

    def run(self) -> Artifact:
        front = self._front()
        files = self._payload(front)
        self._check_no_more()
        header = front.header
        return Artifact(
            name=header.name,
            group=header.group,
            device_types=header.device_types,
            depends=header.depends,
            provides=header.provides,
            clears_provides=header.clears_provides,
            payload=Payload(header.payload_type, files, header.meta_data),
            scripts=header.scripts,
            manifest=front.manifest,
            signature=front.signature,
            compression=front.compression,
            header_size_bytes=front.header_size_bytes,
            size_bytes=self._source.size_bytes,
            sha256=self._source.sha256,
            warnings=header.warnings,
        )

    def _front(self) -> _Front:
        self._expect(VERSION_NAME)
        if self._outer.read_all(len(VERSION_BYTES) * 4) != VERSION_BYTES:
            message = "`version` does not say Mender format 3"
            hint = "only version 3 of the format is supported"
            raise ArtifactError(Rule.VERSION, message, hint=hint)
        self._expect(MANIFEST_NAME)
        manifest = self._outer.read_all(MANIFEST_BYTES_MAX)
        signature = None
        member = self._expect(SIGNATURE_NAME, *_HEADER_NAMES)
        if member.name == SIGNATURE_NAME:
            signature = decode_signature(self._outer.read_all(SIGNATURE_BYTES_MAX))
            member = self._expect(*_HEADER_NAMES)
        sums = parse_manifest(manifest, member.name)
        check_sum(sums, VERSION_NAME, VERSION_SHA256)
        if self._options.accept is not None:
            self._options.accept(manifest, signature)
        header = self._header(member, sums)
        return _Front(
            manifest, signature, sums, _HEADER_NAMES[member.name], header, member.size_bytes
        )

    def _header(self, member: TarMember, sums: dict[str, str]) -> Header:
        if member.size_bytes > HEADER_BYTES_MAX:  # packed: more is sent to no device
            message = f"`{member.name}` is larger than {HEADER_BYTES_MAX} bytes"
            raise ArtifactError(Rule.SIZE_LIMIT, message)
        self._sink.begin(member.name)
        packed = HashingSource(self._outer, self._sink.feed)
        pieces = []
        while piece := packed.read(member.size_bytes):
            pieces.append(piece)
        check_sum(sums, member.name, packed.sha256)
        data = _unpack_header(b"".join(pieces), member.name)
        return parse_header(data, policy=self._options.scripts)

    def _payload(self, front: _Front) -> tuple[PayloadFile, ...]:
        name = PAYLOAD_TAR_NAME + front.compression.suffix
        member = self._expect(name)
        packed = HashingSource(self._outer)
        limit_bytes = self._options.payload_bytes_max
        content = Decompressor(
            packed, front.compression, limit_bytes=limit_bytes + _TAR_SLACK_BYTES, what=name
        )
        tar = TarReader(content, what="payload")
        found: dict[str, PayloadFile] = {}
        while file := tar.next_member():
            check_file_name(file.name)
            if file.name in found:
                message = f"the payload has `{file.name}` more than once"
                raise ArtifactError(Rule.MEMBER_DUPLICATE, message)
            limit_bytes -= file.size_bytes
            if limit_bytes < 0:
                message = f"the payload is larger than {self._options.payload_bytes_max} bytes"
                raise ArtifactError(Rule.SIZE_LIMIT, message)
            found[file.name] = self._payload_file(tar, file, front.sums)
        content.finish()
        _check_seal(member, packed)
        wanted = [
            key.removeprefix(PAYLOAD_FOLDER) for key in front.sums if key.startswith(PAYLOAD_FOLDER)
        ]
        for file_name in wanted:
            if file_name not in found:
                message = f"`{MANIFEST_NAME}` lists `{file_name}`, which the payload does not have"
                raise ArtifactError(Rule.MANIFEST_EXTRA, message)
        return tuple(found[file_name] for file_name in wanted)

    def _payload_file(self, tar: TarReader, member: TarMember, sums: dict[str, str]) -> PayloadFile:
        path = PAYLOAD_FOLDER + member.name
        if path not in sums:
            check_sum(sums, path, "")  # refused before its content is looked at
        self._sink.begin(path)
        content = HashingSource(tar, self._sink.feed)
        content.drain()
        check_sum(sums, path, content.sha256)
        return PayloadFile(member.name, content.size_bytes, content.sha256)

    def _expect(self, *names: str) -> TarMember:
        member = self._outer.next_member()
        if member is None:
            message = f"the artifact ends where `{names[0]}` must stand"
            raise ArtifactError(Rule.MEMBER_UNEXPECTED, message)
        if member.name not in names:
            raise self._unexpected(member.name, names[0])
        self._seen.append(member.name)
        return member

    def _check_no_more(self) -> None:
        member = self._outer.next_member()
        if member is not None:
            raise self._unexpected(member.name, "")

    def _unexpected(self, name: str, wanted: str) -> ArtifactError:
        place = f"where `{wanted}` must stand" if wanted else "after the payload"
        message = f"the artifact has `{name}` {place}"
        if name in self._seen:
            message = f"the artifact has `{name}` more than once"
            return ArtifactError(Rule.MEMBER_DUPLICATE, message)
        if name.startswith(_AUGMENTED):
            hint = "augmented parts are covered by no signature"
            return ArtifactError(Rule.AUGMENTED, message, hint=hint)
        if name.endswith(".zst"):
            hint = "write it with gzip, xz or without compression"
            return ArtifactError(Rule.COMPRESSION_UNSUPPORTED, message, hint=hint)
        if name.startswith("data/") and not wanted:
            hint = "a second payload is covered by no signature"
            return ArtifactError(Rule.PAYLOAD_COUNT, message, hint=hint)
        hint = "the order is version, manifest, manifest.sig, header.tar, data/0000.tar"
        return ArtifactError(Rule.MEMBER_UNEXPECTED, message, hint=hint)


def _check_seal(member: TarMember, packed: HashingSource) -> None:
    """Compares the packed payload with the comment before it, if there is one.

    No signature covers how a payload is packed, and nothing depends on it; but a file that we
    wrote is then found to be damaged wherever it is.
    """
    if member.comment not in (None, f"{SEAL_PREFIX}{packed.sha256}".encode()):
        message = f"`{member.name}` does not have the checksum that stands before it"
        raise ArtifactError(Rule.CHECKSUM, message, hint="the file was changed or damaged")


def _unpack_header(packed: bytes, name: str) -> bytes:
    content = Decompressor(
        io.BytesIO(packed), _HEADER_NAMES[name], limit_bytes=HEADER_BYTES_MAX, what=name
    )
    pieces = []
    while piece := content.read(HEADER_BYTES_MAX):
        pieces.append(piece)
    content.finish()
    return b"".join(pieces)
