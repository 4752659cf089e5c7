"""Writing to a reader who may not read: a pager, a stopped pipe, a terminal that hangs.

Law: while nobody reads, the program goes on to hear signals, deadlines and the network. A write that
blocks would stop them all, since they share one thread.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Iterator
from typing import TextIO

PART_BYTES = 4096  # a pipe that has room at all takes as much at once (PIPE_BUF of Linux)


def parts(data: bytes) -> Iterator[bytes]:
    """Data in pieces that do not block where there is room."""
    return (data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES))


async def until_room(out: TextIO | int) -> None:
    """Waits until a piece can be written, or writing it is an error.

    Cost: one system call where there is room.
    """
    try:
        number = out if isinstance(out, int) else out.fileno()
    except (OSError, ValueError):  # nothing of the system is behind it, as in a test
        return
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    if poll.poll(0):
        return
    loop, room = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(number, room.set)
    try:
        await room.wait()
    finally:
        loop.remove_writer(number)
