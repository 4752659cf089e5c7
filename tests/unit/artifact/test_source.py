"""Frames for devices: complete, shared, resumable, and what was checked."""

import hashlib
import os
from pathlib import Path

import pytest

from orchestrator.artifact import ArtifactError, ArtifactSource, ArtifactSpec, write_artifact
from orchestrator.artifact.model import CHUNK_BYTES, Compression
from orchestrator.artifact.spec import InputFile, PayloadSpec
from orchestrator.device.protocol import FRAME_NAME, Frame
from tests.unit.artifact.crafting import Craft

BIG = os.urandom(3 * CHUNK_BYTES + 77)
CONTENTS = {"empty": b"", "big": BIG, "exact": bytes(CHUNK_BYTES), "small": b"x"}


@pytest.fixture(params=[8 << 20, CHUNK_BYTES + 5, 0], ids=["memory", "moved", "disk"])
def source(request, tmp_path):
    files = tuple(
        InputFile(name, lambda data=data: iter((data,))) for name, data in CONTENTS.items()
    )
    spec = ArtifactSpec("r", ("dt",), PayloadSpec("app", files), compression=Compression.NONE)
    path = tmp_path / "a.mender"
    write_artifact(spec, path, sign=lambda _: b"sig")
    with ArtifactSource(path, memory_bytes_max=request.param) as found:
        path.unlink()
        yield found


def test_frames_are_complete_and_in_order(source):
    assert [frame.name for frame in source.frames] == [
        "version",
        "manifest",
        "manifest.sig",
        "header.tar",
        "data/0000/empty",
        "data/0000/big",
        "data/0000/exact",
        "data/0000/small",
    ]
    for frame in source.frames:
        data = b"".join(frame.chunks(0))
        assert (len(data), hashlib.sha256(data).hexdigest()) == (frame.size_bytes, frame.sha256)
        assert FRAME_NAME.fullmatch(frame.name)
    assert sum(frame.size_bytes for frame in source.frames) == source.artifact.delivery_size_bytes


def test_frames_fit_the_device_protocol(source):
    frames = [Frame(f.name, f.size_bytes, f.sha256, f.chunks) for f in source.frames]

    assert frames[0].head.startswith(b"frame version 31 ")


@pytest.mark.parametrize(
    "offset", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, len(BIG) - 1, len(BIG)]
)
def test_delivery_resumes_at_any_offset(source, offset):
    frame = source.frames[5]

    pieces = list(frame.chunks(offset))

    assert b"".join(pieces) == BIG[offset:]
    assert all(0 < len(piece) <= CHUNK_BYTES for piece in pieces)


def test_iterators_do_not_disturb_each_other(source):
    frame = source.frames[5]

    pairs = list(zip(frame.chunks(0), frame.chunks(0), strict=True))

    assert all(left == right for left, right in pairs)
    assert b"".join(left for left, _ in pairs) == BIG


def test_wrapped_signature_is_delivered_in_one_line(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft(signature=b"QUJD\nREVG\n").build())

    with ArtifactSource(path) as source:
        frame = source.frames[2]

    assert (frame.name, b"".join(frame.chunks(0))) == ("manifest.sig", b"QUJDREVG")


def test_unsigned_artifact_has_no_signature_frame(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft().build())

    with ArtifactSource(path) as source:
        names = [frame.name for frame in source.frames]

    assert names == ["version", "manifest", "header.tar.gz", "data/0000/app"]


def test_pieces_in_memory_are_shared_between_devices(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft(files=[("app", BIG)]).build())

    with ArtifactSource(path) as source:
        first, second = (list(source.frames[-1].chunks(0)) for _ in range(2))

    assert all(left is right for left, right in zip(first, second, strict=True))


def test_refused_artifact_leaves_no_file_open(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft(files=[("app", BIG)]).build()[:-600])
    before = set(Path("/proc/self/fd").iterdir())

    with pytest.raises(ArtifactError):
        ArtifactSource(path, memory_bytes_max=10)

    assert set(Path("/proc/self/fd").iterdir()) == before
