"""The servers of tests leave no socket behind, whenever a test ends."""

import asyncio
import contextlib
import socket

import pytest

from tests.loopback import LOOPBACK, listening


@pytest.mark.parametrize("rounds", range(8))
async def test_connection_of_the_last_moment_is_closed(rounds: int) -> None:
    async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    with socket.socket() as client:
        client.setblocking(False)
        async with listening(serve) as port:
            assert client.connect_ex((LOOPBACK, port)) != 0  # it is under way
            for _ in range(rounds):
                await asyncio.sleep(0)
        client.setblocking(True)
        client.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""  # one left open would say nothing until the timeout
