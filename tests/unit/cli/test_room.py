"""Who does not read holds up nothing but the writer."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from pathlib import Path

import pytest

from orchestrator.cli.room import PART_BYTES, parts, until_room


async def test_full_pipe_has_room_when_it_is_read_and_no_earlier() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * PART_BYTES)

    waiting = asyncio.ensure_future(until_room(writer))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.05)
    os.read(reader, 16 * PART_BYTES)
    await asyncio.wait_for(waiting, 10)

    os.close(reader)
    await asyncio.wait_for(until_room(writer), 10)  # writing there is an error, and at once
    os.close(writer)


async def test_files_and_what_is_none_have_room(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        await until_room(file)
    await until_room(io.StringIO())


def test_parts_are_all_of_it() -> None:
    data = os.urandom(3 * PART_BYTES + 1)

    assert b"".join(parts(data)) == data
    assert max(map(len, parts(data))) == PART_BYTES
    assert list(parts(b"")) == []
