"""What one SSH channel of a login sends and takes, in pieces, no faster than they are taken.

Uses the library's callbacks instead of its streams: what is written to both outputs keeps its order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import asyncssh

from orchestrator.ssh.profile import WINDOW_BYTES

TEXT_CHARS_MAX = 40  # of the name of a signal, which the device chooses


@dataclass(frozen=True, slots=True)
class Piece:
    """What arrived at once; `is_error`: on the output for errors."""

    data: bytes
    is_error: bool = False


class Channel(asyncssh.SSHClientSession[bytes]):
    """Collects pieces until somebody takes them.

    `hold` is told when the device takes no more of what is written, and when it does again.

    Attributes:
        exit_status: as the device said it; None before, and where it did not.
        signal: the name of the signal that ended the command; untrusted.
        lost: what broke the connection.
        has_left: this side wants nothing more.
    """

    def __init__(self, hold: Callable[[bool], None] = lambda _held: None) -> None:
        self._hold = hold
        self._pieces: deque[Piece] = deque()
        self._waiting_bytes = 0
        self._has_eof = False
        self._is_over = False
        self._is_paused = False
        self._news = asyncio.Event()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.sent_bytes = self.received_bytes = 0
        self.exit_status: int | None = None
        self.signal = ""
        self.lost: Exception | None = None
        self.has_left = False

    # --- called by the library -------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Keeps the channel."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Keeps a piece, and stops the device when too many wait."""
        if self.has_left:
            return
        self.received_bytes += len(data)
        self._waiting_bytes += len(data)
        self._pieces.append(Piece(data, is_error=datatype is not None))
        if self._waiting_bytes >= WINDOW_BYTES and not self._is_paused and self._channel:
            self._is_paused = True
            self._channel.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        """Nothing more will come but the exit code."""
        self._has_eof = True
        self._news.set()
        return True

    def exit_status_received(self, status: int) -> None:
        """Keeps the exit code."""
        self.exit_status = status
        self._news.set()

    def exit_signal_received(
        self,
        signal: str,
        core_dumped: bool,  # noqa: ARG002  the library's own
        msg: str,  # noqa: ARG002
        lang: str,  # noqa: ARG002
    ) -> None:
        """Keeps the signal's name."""
        self.signal = signal[:TEXT_CHARS_MAX] or "?"
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed, with an error when the connection went with it."""
        self.lost = None if self.has_left else exc
        self._is_over = True
        self._news.set()

    def pause_writing(self) -> None:
        """The window or the socket is full."""
        self._hold(True)

    def resume_writing(self) -> None:
        """There is room again."""
        self._hold(False)

    # --- called by the login ---------------------------------------------------------------

    async def next(self) -> Piece | None:
        """The next piece; None when the device has said all, or nobody wants more of it."""
        await asyncio.sleep(0)  # however fast the device sends, what is typed gets through
        while not self._pieces:
            said_all = self._has_eof and (self.exit_status is not None or self.signal != "")
            if self._is_over or self.has_left or said_all:
                return None
            self._news.clear()
            await self._news.wait()
        piece = self._pieces.popleft()
        self._waiting_bytes -= len(piece.data)
        if self._is_paused and self._waiting_bytes < WINDOW_BYTES // 2 and self._channel:
            self._is_paused = False
            self._channel.resume_reading()
        return piece

    def write(self, data: bytes) -> None:
        """Sends what a person typed; what comes too late is dropped."""
        if self._channel is not None and not self._is_over:
            self._channel.write(data)
            self.sent_bytes += len(data)

    def write_eof(self) -> None:
        """Says that nothing will be typed."""
        if self._channel is not None and not self._is_over:
            self._channel.write_eof()

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size now."""
        if self._channel is not None and not self._is_over:
            self._channel.change_terminal_size(columns, rows)

    def leave(self) -> None:
        """This side wants nothing more; what waits is dropped."""
        self.has_left = True
        self._pieces.clear()
        self._news.set()
