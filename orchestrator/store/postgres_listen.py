"""Hears NOTIFY on a connection of its own, without a thread: the event loop watches its socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import psycopg
from psycopg import sql


class PostgresListener:
    """Implements `Listener`.

    Behind a pooler it does not listen: in transaction mode the server's connection goes to
    somebody else at once. The pooler shows itself in a backend's number that is not the server's.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection], channel: str) -> None:
        self._connect = connect
        self._channel = channel
        self._connection: psycopg.Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = -1
        self._heard: Callable[[str], None] = lambda _rollout_id: None

    @property
    def is_listening(self) -> bool:
        """Whether it would hear of one now."""
        return self._loop is not None

    def open(self) -> None:
        """Connects and listens where it can; blocks, never raises."""
        if self._connection is not None:
            return
        with contextlib.suppress(psycopg.Error):
            connection = self._connect()
            connection.autocommit = True
            server = connection.execute("SELECT pg_backend_pid()").fetchone()
            if server != (connection.info.backend_pid,):
                connection.close()
                return
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            self._connection = connection

    def start(self, heard: Callable[[str], None]) -> None:
        """Calls `heard` on the running loop, with the id of the rollout."""
        if self._connection is None:
            return
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):  # loops of Windows watch no sockets
            self._socket = self._connection.fileno()
            loop.add_reader(self._socket, self._read)
            self._loop = loop
            self._heard = heard

    def close(self) -> None:
        """Hears no more; looking goes on without it."""
        if self._connection is None:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._loop = None
        self._connection.close()
        self._connection = None

    def _read(self) -> None:
        assert self._connection is not None, "its socket is watched"
        try:
            self._connection.pgconn.consume_input()
            while notify := self._connection.pgconn.notifies():
                self._heard(notify.extra.decode("utf-8", "replace"))
        except psycopg.OperationalError:
            self.close()
