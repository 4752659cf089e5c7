"""Small files in memory as frames for a device."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.device.protocol import Frame


def frame_of(name: str, data: bytes) -> Frame:
    """A frame that holds exactly these bytes."""
    from orchestrator.device.protocol import Frame

    def chunks(offset: int) -> Iterator[bytes]:
        if offset < len(data):
            yield data[offset:]

    return Frame(name, len(data), hashlib.sha256(data).hexdigest(), chunks)
