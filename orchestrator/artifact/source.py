"""The files of an artifact for delivery to many devices: read and checked once, then shared.

Laws:
1. What is delivered is what was read when it was checked, even if the file on disk is replaced.
2. Up to `MEMORY_BYTES_MAX` all devices share the same pieces in memory; above, the files lie
   unpacked in an unlinked temporary file and each piece is read from the system's page cache.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from orchestrator.artifact.manifest import parse_manifest
from orchestrator.artifact.model import (
    CHUNK_BYTES,
    MANIFEST_NAME,
    PAYLOAD_FOLDER,
    SIGNATURE_NAME,
    VERSION_BYTES,
    VERSION_NAME,
    Artifact,
    ArtifactFrame,
)
from orchestrator.artifact.reader import ReadOptions, read_artifact

MEMORY_BYTES_MAX = 8 * 1024 * 1024


class ArtifactSource:
    """Frames of one artifact, in the order in which a device wants them.

    Args:
        path: the artifact.
        options: as for `read_artifact`; give `accept` so that the signature is checked first.
        memory_bytes_max: more than this is spooled to a temporary file.

    Raises:
        ArtifactError: the artifact cannot be read, or breaks a rule.
    """

    def __init__(
        self,
        path: Path,
        *,
        options: ReadOptions | None = None,
        memory_bytes_max: int = MEMORY_BYTES_MAX,
    ) -> None:
        self._spool = _Spool(memory_bytes_max)
        try:
            self.artifact = read_artifact(path, options=options, sink=self._spool)
        except BaseException:
            self._spool.close()
            raise
        self._spool.end()
        self.frames = _frames(self.artifact, self._spool)

    def close(self) -> None:
        """Gives memory and temporary file back; frames cannot be read any more."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _frames(artifact: Artifact, spool: _Spool) -> tuple[ArtifactFrame, ...]:
    small = [(VERSION_NAME, VERSION_BYTES), (MANIFEST_NAME, artifact.manifest)]
    if artifact.signature is not None:
        # In one line, whatever the file had: that is what every device's base64 reads.
        small.append((SIGNATURE_NAME, base64.b64encode(artifact.signature)))
    frames = [
        ArtifactFrame(name, len(data), hashlib.sha256(data).hexdigest(), _chunks_of(data))
        for name, data in small
    ]
    header = artifact.header_name
    sums = parse_manifest(artifact.manifest, header)
    frames.append(spool.frame(header, sums[header]))
    frames += [
        spool.frame(PAYLOAD_FOLDER + file.name, file.sha256) for file in artifact.payload.files
    ]
    return tuple(frames)


def _chunks_of(data: bytes) -> Callable[[int], Iterator[bytes]]:
    pieces = tuple(data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))
    return _Pieces(list(pieces)).chunks


@dataclass(slots=True)
class _Pieces:
    """Bytes as pieces of `CHUNK_BYTES`, the last one shorter; shared, never copied."""

    pieces: list[bytes] = field(default_factory=list)

    def chunks(self, offset: int) -> Iterator[bytes]:
        first, skip_bytes = divmod(offset, CHUNK_BYTES)
        for piece in self.pieces[first:]:
            if skip_bytes < len(piece):
                yield piece[skip_bytes:]  # the piece itself where nothing is skipped
            skip_bytes = 0


class _Spool:
    """Takes files one after another; in memory first, then in a file."""

    def __init__(self, memory_bytes_max: int) -> None:
        self._memory_bytes_max = memory_bytes_max
        self._files: dict[str, tuple[int, int]] = {}  # name: start, size in bytes
        self._pieces: dict[str, _Pieces] = {}
        self._name = ""
        self._pending = bytearray()
        self._size_bytes = 0
        self._descriptor = -1

    def begin(self, name: str) -> None:
        self.end()
        self._name = name
        self._files[name] = (self._size_bytes, 0)
        self._pieces[name] = _Pieces()

    def feed(self, data: bytes) -> None:
        start, size_bytes = self._files[self._name]
        self._files[self._name] = (start, size_bytes + len(data))
        self._size_bytes += len(data)
        if self._descriptor >= 0:
            _write_all(self._descriptor, data)
            return
        self._pending += data
        while len(self._pending) >= CHUNK_BYTES:
            self._pieces[self._name].pieces.append(bytes(self._pending[:CHUNK_BYTES]))
            del self._pending[:CHUNK_BYTES]
        if self._size_bytes > self._memory_bytes_max:
            self._move_to_disk()

    def end(self) -> None:
        """Completes the file that was fed last."""
        if self._pending:
            self._pieces[self._name].pieces.append(bytes(self._pending))
            self._pending.clear()

    def frame(self, name: str, sha256: str) -> ArtifactFrame:
        start, size_bytes = self._files[name]
        on_disk = self._descriptor >= 0
        chunks = self._disk_chunks(start, size_bytes) if on_disk else self._pieces[name].chunks
        return ArtifactFrame(name, size_bytes, sha256, chunks)

    def close(self) -> None:
        self._pieces.clear()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _move_to_disk(self) -> None:
        self.end()
        self._descriptor, path = tempfile.mkstemp(prefix="rollout-artifact-")
        Path(path).unlink()
        for stored in self._pieces.values():
            for piece in stored.pieces:
                _write_all(self._descriptor, piece)
            stored.pieces.clear()

    def _disk_chunks(self, start: int, size_bytes: int) -> Callable[[int], Iterator[bytes]]:
        def chunks(offset: int) -> Iterator[bytes]:
            at, end = start + offset, start + size_bytes
            while at < end:
                piece = os.pread(self._descriptor, min(CHUNK_BYTES, end - at), at)
                assert piece, "the spool file is ours alone and cannot have become shorter"
                yield piece
                at += len(piece)

        return chunks


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
