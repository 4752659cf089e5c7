"""The servers of tests leave no socket behind, whenever a test ends."""

import asyncio
import contextlib
import socket

import pytest

from tests.integration.evil import Stage
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


@pytest.mark.parametrize("rounds", range(8))
@pytest.mark.parametrize("kind", ["ssh", "tcp", "path"])
async def test_hostile_servers_close_what_comes_at_the_last_moment(kind: str, rounds: int) -> None:
    with socket.socket() as client:
        client.setblocking(False)
        async with Stage() as stage:
            port = await (stage.tcp("silent") if kind == "tcp" else stage.ssh("silent"))
            if kind == "path":
                port = await stage.path(port, "reset", 0)
            assert client.connect_ex((LOOPBACK, port)) != 0  # it is under way
            for _ in range(rounds):
                await asyncio.sleep(0)
        client.setblocking(True)
        client.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(1000):  # one left open would raise at the timeout
                pass
