"""The bytes of a delivery in pieces that fit SSH packets.

Small frames (manifest, signature, header) and the frame lines share one packet: each packet
costs as much CPU as encrypting some 100 KiB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.device.protocol import Frame
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, system_reason

PIECE_BYTES = 32 * 1024  # the largest SSH packet that every server takes
Piece = tuple[bytes, int]  # what to write, and how much of it is payload


def delivery_pieces(frames: Sequence[Frame]) -> Iterator[Piece]:
    """Frame lines and contents of a `deliver` request, each piece at most 32 KiB.

    Raises:
        DeviceError: IO, a frame's source gives another size than it declared.
    """
    held, held_payload = b"", 0
    for frame in frames:
        for data, payload in _frame_pieces(frame):
            if len(held) + len(data) <= PIECE_BYTES:
                held, held_payload = held + data, held_payload + payload
                continue
            yield held, held_payload
            held, held_payload = data, payload
    if held:
        yield held, held_payload


def stage_pieces(frame: Frame) -> Iterator[Piece]:
    """Contents of a `stage` request.

    Raises:
        DeviceError: IO, the source gives another size than it declared.
    """
    pieces = _frame_pieces(frame)
    next(pieces)  # the frame line: `stage` has it in its parameters
    yield from pieces


def content_pieces(content: bytes) -> Iterator[Piece]:
    """Bytes as they are."""
    for start in range(0, len(content), PIECE_BYTES):
        piece = content[start : start + PIECE_BYTES]
        yield piece, len(piece)


def _frame_pieces(frame: Frame) -> Iterator[Piece]:
    yield frame.head, 0
    left = frame.size_bytes - frame.offset
    for chunk in _chunks(frame) if left else ():
        left -= len(chunk)
        if left < 0:
            break
        if len(chunk) <= PIECE_BYTES:  # as artifacts give them; a generator less for each piece
            yield chunk, len(chunk)
        else:
            yield from content_pieces(chunk)
    if left:
        message = f"source of `{frame.name}` does not have the {frame.size_bytes} bytes it declared"
        raise DeviceError(message, reason=Reason.IO, hint="did the artifact change meanwhile?")


def _chunks(frame: Frame) -> Iterator[bytes]:
    try:
        yield from frame.chunks(frame.offset)
    except OSError as error:  # ours, and not to be taken for the network's
        message = f"source of `{frame.name}` cannot be read: {system_reason(error)}"
        raise DeviceError(message, reason=Reason.IO) from error
