"""The servers of tests leave no socket behind, whenever a test ends."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.integration.evil import Stage
from tests.loopback import LOOPBACK, listening


async def come(client: socket.socket, port: int, rounds: int) -> None:
    """Begins to connect, and lets the loop run so often."""
    client.setblocking(False)
    assert client.connect_ex((LOOPBACK, port)) != 0  # it is under way
    for _ in range(rounds):
        await asyncio.sleep(0)


@contextlib.contextmanager
def left(client: socket.socket) -> Iterator[None]:
    """To hear from a server that is gone; that it hung up is no error."""
    client.setblocking(True)
    client.settimeout(5)
    with contextlib.suppress(ConnectionResetError):
        yield


@pytest.mark.parametrize("rounds", range(8))
async def test_connection_of_the_last_moment_is_closed(rounds: int) -> None:
    async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    with socket.socket() as client:
        async with listening(serve) as port:
            await come(client, port, rounds)
        with left(client):
            assert client.recv(1) == b""  # one left open would say nothing until the timeout


@pytest.mark.parametrize("rounds", range(8))
@pytest.mark.parametrize("kind", ["ssh", "tcp", "path"])
async def test_hostile_servers_close_what_comes_at_the_last_moment(kind: str, rounds: int) -> None:
    with socket.socket() as client:
        async with Stage() as stage:
            port = await (stage.tcp("silent") if kind == "tcp" else stage.ssh("silent"))
            if kind == "path":
                port = await stage.path(port, "reset", 0)
            await come(client, port, rounds)
        with left(client):
            while client.recv(1000):  # one left open would raise at the timeout
                pass
