"""Where a delivery goes on that was cut: behind the bytes that the device has and that are ours."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

from orchestrator.device.protocol import Frame


def resume(frames: Sequence[Frame], held: dict[str, tuple[int, str]]) -> tuple[Frame, ...]:
    """The frames from where the device stands, as far as its bytes are really ours.

    Cost: hashes the part that is not sent again.
    """
    if not held:
        return tuple(frames)
    return tuple(_resumed(frame, held.get(frame.name)) for frame in frames)


def _resumed(frame: Frame, held: tuple[int, str] | None) -> Frame:
    if held is None or not 0 < held[0] <= frame.size_bytes:
        return frame
    count, digest = held
    if count == frame.size_bytes:
        return dataclasses.replace(frame, offset=count) if digest == frame.sha256 else frame
    hasher, left = hashlib.sha256(), count
    for chunk in frame.chunks(0):
        hasher.update(chunk[:left])
        left -= min(left, len(chunk))
        if not left:
            break
    return dataclasses.replace(frame, offset=count) if hasher.hexdigest() == digest else frame
