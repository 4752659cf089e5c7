import hashlib
from collections.abc import Iterator

import pytest

from orchestrator.device.protocol import Frame
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.body import PIECE_BYTES, content_pieces, delivery_pieces, stage_pieces


def frame(name: str, data: bytes, *, offset: int = 0, declared: int | None = None) -> Frame:
    size = len(data) if declared is None else declared
    digest = hashlib.sha256(data).hexdigest()
    return Frame(name, size, digest, lambda start: iter([data[start:]]), offset)


def test_small_frames_share_one_piece() -> None:
    frames = [frame("version", b"v" * 30), frame("manifest", b"m" * 300)]

    pieces = list(delivery_pieces(frames))

    assert pieces == [(frames[0].head + b"v" * 30 + frames[1].head + b"m" * 300, 330)]


def test_no_piece_is_larger_than_a_packet() -> None:
    frames = [frame("version", b"v" * 30), frame("data/0000/x", b"x" * 200_000)]

    pieces = list(delivery_pieces(frames))

    assert max(len(data) for data, _ in pieces) <= PIECE_BYTES
    assert b"".join(data for data, _ in pieces) == b"".join(
        (frames[0].head, b"v" * 30, frames[1].head, b"x" * 200_000)
    )
    assert sum(payload for _, payload in pieces) == 200_030


def test_delivery_of_a_resumed_frame_starts_at_its_offset() -> None:
    one = frame("data/0000/x", b"0123456789", offset=4)

    assert list(delivery_pieces([one])) == [(one.head + b"456789", 6)]


def test_frame_that_is_complete_on_the_device_sends_its_head_alone() -> None:
    one = frame("data/0000/x", b"0123456789", offset=10)

    assert list(delivery_pieces([one])) == [(one.head, 0)]


def test_stage_sends_contents_without_a_head() -> None:
    assert list(stage_pieces(frame("manifest", b"abc"))) == [(b"abc", 3)]


@pytest.mark.parametrize("declared", [9, 11])
def test_source_of_another_size_than_declared_is_refused(declared: int) -> None:
    with pytest.raises(DeviceError, match="does not have the") as caught:
        list(delivery_pieces([frame("data/0000/x", b"0123456789", declared=declared)]))

    assert caught.value.reason == Reason.IO


def test_content_is_cut_into_packets() -> None:
    content = b"c" * (PIECE_BYTES + 1)

    assert [len(data) for data, _ in content_pieces(content)] == [PIECE_BYTES, 1]


def test_source_that_cannot_be_read_is_no_trouble_of_the_network() -> None:
    def chunks(_offset: int) -> Iterator[bytes]:
        yield b"abc"
        raise OSError(5, "Input/output error")

    with pytest.raises(DeviceError, match="cannot be read") as caught:
        list(delivery_pieces([Frame("data/0000/x", 10, "0" * 64, chunks)]))

    assert caught.value.reason == Reason.IO
