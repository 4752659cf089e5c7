"""Decompression in small steps, and its limits."""

import io
import random

import pytest

from orchestrator.artifact import ArtifactError, Compression, Rule
from orchestrator.artifact.stream import Decompressor, HashingSource, RegularFile
from tests.unit.artifact.crafting import PACKERS, sha256

DATA = random.Random(7).randbytes(300_000) + bytes(300_000)


class Drip:
    """Gives at most a few bytes at a time."""

    def __init__(self, data, step):
        self._file = io.BytesIO(data)
        self._step = step

    def read(self, size):
        return self._file.read(min(size, self._step))


def unpack(data, compression, limit=10**6, step=10**6, ask=10**6):
    source = Decompressor(Drip(data, step), compression, limit_bytes=limit, what="data")
    pieces = []
    while piece := source.read(ask):
        assert len(piece) <= ask
        pieces.append(piece)
    source.finish()
    return b"".join(pieces)


@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize(("step", "ask"), [(10**6, 10**6), (977, 10**6), (10**6, 977), (7, 1013)])
def test_content_is_the_same_in_any_steps(compression, step, ask):
    packed = PACKERS[compression.suffix](DATA)

    assert unpack(packed, compression, step=step, ask=ask) == DATA


@pytest.mark.parametrize("compression", Compression)
def test_limit_is_exact(compression):
    packed = PACKERS[compression.suffix](DATA)

    assert unpack(packed, compression, limit=len(DATA)) == DATA
    with pytest.raises(ArtifactError) as caught:
        unpack(packed, compression, limit=len(DATA) - 1)
    assert caught.value.rule is Rule.STREAM_LIMIT


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.XZ])
@pytest.mark.parametrize("cut", [0, 1, 5, 11, 1000, -1])
def test_cut_stream_is_refused(compression, cut):
    packed = PACKERS[compression.suffix](DATA)[:cut]

    with pytest.raises(ArtifactError) as caught:
        unpack(packed, compression)

    assert caught.value.rule is Rule.TRUNCATED


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.XZ])
@pytest.mark.parametrize("step", [10**6, 64])
def test_bytes_behind_the_stream_are_refused(compression, step):
    packed = PACKERS[compression.suffix](DATA) + b"x"

    with pytest.raises(ArtifactError) as caught:
        unpack(packed, compression, step=step)

    assert caught.value.rule is Rule.STREAM_TRAILING


def test_content_that_was_not_asked_for_is_refused():
    source = Decompressor(
        io.BytesIO(PACKERS[".gz"](b"ab")), Compression.GZIP, limit_bytes=9, what="x"
    )

    assert source.read(0) == b""
    assert source.read(1) == b"a"
    with pytest.raises(ArtifactError) as caught:
        source.finish()
    assert caught.value.rule is Rule.STREAM_TRAILING


def test_hashing_source_counts_hashes_and_copies():
    copied = []
    source = HashingSource(Drip(DATA, 1000), copied.append)

    source.drain()

    assert (source.size_bytes, source.sha256) == (len(DATA), sha256(DATA))
    assert b"".join(copied) == DATA


def test_error_of_the_system_is_ours():
    with pytest.raises(ArtifactError) as caught:
        RegularFile(-1).read(1)

    assert caught.value.rule is Rule.UNREADABLE


@pytest.mark.parametrize(("at", "values"), [(8, (1, 6, 255)), (9, (14, 18, 127))])
def test_header_of_gzip_that_no_program_writes_is_refused(at, values):
    for value in values:
        packed = bytearray(PACKERS[".gz"](DATA))
        packed[at] = value

        with pytest.raises(ArtifactError) as caught:
            unpack(bytes(packed), Compression.GZIP, step=3)

        assert caught.value.rule is Rule.STREAM_DAMAGED
