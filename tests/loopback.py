"""Servers and ports on loopback: a test leaves no handler at work, and gets a port nobody else has."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Protocol

LOOPBACK = "127.0.0.1"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_held: list[socket.socket] = []
# A connection that is being taken becomes known, and one that was aborted closes its socket.
_ROUNDS = 5


class Connection(Protocol):
    """Somebody who is connected to a server."""

    def abort(self) -> None:
        """Ends it at once."""


@contextlib.asynccontextmanager
async def listening(serve: Serve, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server as long as the block; gives its port.

    When the block is left, handlers that still work or wait are cancelled, and every connection is
    closed before the test goes on: a socket that outlived its event loop would be reported in
    whatever test happens to run then.
    """
    loop = asyncio.get_running_loop()
    handlers: dict[asyncio.Task[None], asyncio.WriteTransport] = {}

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers[loop.create_task(_handle(serve, reader, writer))] = writer.transport

    server = await asyncio.start_server(accept, LOOPBACK, 0, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        # asyncio (3.11) leaves a connection open that is being taken while its server closes.
        await _rounds(_ROUNDS)
        server.close()
        for handler in handlers:
            handler.cancel()
        outcomes = await asyncio.gather(*handlers, return_exceptions=True)
        for transport in handlers.values():  # a handler that never began has closed nothing
            transport.abort()
        await _rounds(1)  # which close their sockets
        await server.wait_closed()
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def end(
    servers: contextlib.AsyncExitStack,
    connections: Collection[Connection],
    handlers: Collection[asyncio.Task[object]],
) -> None:
    """Ends servers, which the stack closes, whoever is connected to them, and what still works.

    Handlers may connect to others of these servers: they end first, also those of connections that
    nobody had taken yet.
    """
    for _ in range(2):
        for handler in list(handlers):
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await _rounds(_ROUNDS)
    await servers.aclose()
    for connection in list(connections):
        connection.abort()
    await _rounds(_ROUNDS)


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _handle(serve: Serve, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection to its end; that the other side went away is no trouble of the server."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
        await serve(reader, writer)
        writer.close()
        await writer.wait_closed()


def free_port() -> int:
    """A port for a server that a test starts; until then nobody answers there.

    A socket without a listener holds it until this process ends, so that neither another test nor
    an outgoing connection is given it meanwhile. Servers take it all the same: all that tests start
    set SO_REUSEADDR, and the kernel then minds only listeners.
    """
    holder = socket.socket()
    _held.append(holder)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((LOOPBACK, 0))
    return int(holder.getsockname()[1])


@atexit.register
def _let_go() -> None:
    for holder in _held:
        holder.close()
