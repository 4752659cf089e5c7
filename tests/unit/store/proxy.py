"""A wire between client and server that can be cut at the worst moment."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

COMMIT = b"COMMIT\0"  # as the driver sends it, in a simple query
PIECE_BYTES = 65536


class Cut(Enum):
    """What becomes of the next COMMIT."""

    UNSENT = "the server never hears of it, and sees the connection end"
    SILENT = "the server never hears of it, nor of the end of the connection"
    UNANSWERED = "the server commits, and its answer is lost"


class Proxy:
    """Passes bytes on until it is told to cut; `cut` holds for one COMMIT."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]
        self.cut: Cut | None = None
        self.was_cut = threading.Event()
        self.is_refusing = False
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self.is_refusing:
                    client.close()
                    continue
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._sockets += [client, server]
                for target, args in (
                    (self._forward, (client, server)),
                    (_pass_on, (server, client)),
                ):
                    threading.Thread(target=target, args=args, daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(PIECE_BYTES):
                if COMMIT in data and self.cut is not None:
                    cut, self.cut = self.cut, None
                    self._end(client, server, data, cut)
                    return
                server.sendall(data)
        _shut(server)

    def _end(self, client: socket.socket, server: socket.socket, data: bytes, cut: Cut) -> None:
        _shut(client)  # first: no answer gets through
        self.was_cut.set()
        if cut is Cut.UNANSWERED:
            server.sendall(data)
        if cut is not Cut.SILENT:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)  # after what was sent before

    def end_all(self) -> None:
        """Ends every connection."""
        for one in self._sockets:
            _shut(one)

    def close(self) -> None:
        _shut(self._listening)
        self._listening.close()
        self.end_all()
        for one in self._sockets:
            one.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(PIECE_BYTES):
            target.sendall(data)
    _shut(target)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def between(port: int) -> Iterator[Proxy]:
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
