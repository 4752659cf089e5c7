"""An ordinary login on one device, as a person has it: a command, a file, or a shell on a terminal.

Laws:
1. Nothing begins before the account has said a mark of ours: that of an enrolled device's helper
   (`restrict,command=`), or any other with a forced command, never does.
2. Words are run as they are (`exec "$@"`); no shell reads them again.
3. Every wait has a deadline but that for a person at a terminal, whose connection is watched by
   keepalives. What arrives is counted, and a device is not read faster than it is taken.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import asyncssh

from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.channel import Channel, Piece
from orchestrator.ssh.connect import disconnect
from orchestrator.ssh.failures import EXPECTED, exchange_failure
from orchestrator.ssh.profile import WINDOW_BYTES
from orchestrator.units import format_size

PROVE_S = 15.0  # from the request to the mark
NOISE_BYTES_MAX = 16 * 1024  # what an account's own files say before the mark
_LEAD = 'printf \'%s\\n\' "$1"; shift; exec "$@"'

# Takes a piece, when there is room for it; False: nobody wants more.
Take = Callable[[Piece], Awaitable[bool]]


class RestrictedError(DeviceError):
    """The account does not run what it is asked to."""

    def __init__(self) -> None:
        message = "this account runs no command of ours: it is bound to one of its own"
        super().__init__(message, reason=Reason.DENIED)


class TooMuchError(DeviceError):
    """More arrived than may."""

    def __init__(self, limit_bytes: int) -> None:
        message = f"more arrived than may, {format_size(limit_bytes)}"
        hint = "what is large is fetched as a file: `rollout device fetch`"
        super().__init__(message, reason=Reason.IO, hint=hint)


class Terminal(Protocol):
    """The terminal of the person, as long as a shell has it."""

    @property
    def kind(self) -> str:
        """What it is, as `xterm-256color`."""
        ...

    def size(self) -> tuple[int, int]:
        """Its columns and rows now."""
        ...

    def serve(
        self, typed: Callable[[bytes], None], resized: Callable[[], None], gone: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Tells what is typed, that the size changed, and that the person has gone or left."""
        ...

    def hold(self, held: bool) -> None:
        """While held, nothing typed is told: the device does not take it."""
        ...

    async def show(self, data: bytes) -> None:
        """Shows what the device sent, as it is, when there is room for it."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command or a shell ended.

    `exit_code` is None where the device said none: a signal ended it (`signal`), or the person left.
    """

    exit_code: int | None
    signal: str


class Login:
    """One connection of an ordinary account."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self._connection = connection
        self._channel = Channel()  # the newest one

    @property
    def sent_bytes(self) -> int:
        """What was typed, so far; however it ends."""
        return self._channel.sent_bytes

    @property
    def received_bytes(self) -> int:
        """What arrived, so far; however it ends."""
        return self._channel.received_bytes

    async def run(
        self, words: Sequence[str], take: Take, *, deadline_s: float, limit_bytes: int
    ) -> Ended:
        """Runs a command without a terminal, and hands on what it writes.

        Raises:
            RestrictedError: the account runs nothing.
            TooMuchError: it wrote more than the limit.
            DeviceError: TIMEOUT, CONNECTION_LOST or PROTOCOL.
        """
        try:
            async with asyncio.timeout(deadline_s):
                return await self._run(words, take, limit_bytes)
        except EXPECTED as error:
            raise self._failure(error) from error

    async def shell(self, terminal: Terminal) -> Ended:
        """Gives the person a shell on the device, until either ends it.

        Raises:
            RestrictedError: the account runs nothing.
            DeviceError: PROTOCOL, it gives no terminal; TIMEOUT or CONNECTION_LOST.
        """
        await self.run(("true",), _ignore, deadline_s=PROVE_S, limit_bytes=NOISE_BYTES_MAX)
        self._channel = channel = Channel(terminal.hold)
        try:
            async with asyncio.timeout(PROVE_S):
                await self._connection.create_session(
                    lambda: channel,
                    encoding=None,
                    window=WINDOW_BYTES,
                    request_pty=True,
                    term_type=terminal.kind,
                    term_size=terminal.size(),
                )
            with terminal.serve(
                channel.write, lambda: channel.resize(*terminal.size()), channel.leave
            ):
                while (piece := await channel.next()) is not None:
                    await terminal.show(piece.data)
            return _ended(channel)
        except EXPECTED as error:
            raise self._failure(error) from error

    async def close(self) -> None:
        """Closes the connection; never fails and never waits longer than a second."""
        await disconnect(self._connection)

    async def _run(self, words: Sequence[str], take: Take, limit_bytes: int) -> Ended:
        mark = f"rollout {secrets.token_hex(16)}"
        self._channel = channel = Channel()
        async with asyncio.timeout(PROVE_S):
            await self._connection.create_session(
                lambda: channel,
                shlex.join(["sh", "-c", _LEAD, "sh", mark, *words]),
                encoding=None,
                window=WINDOW_BYTES,
            )
            channel.write_eof()
            first = await _past(channel, mark)
        if first.data and not await take(first):
            channel.leave()
        while (piece := await channel.next()) is not None:
            if channel.received_bytes > limit_bytes:
                self._connection.abort()
                raise TooMuchError(limit_bytes)
            if not await take(piece):
                channel.leave()
        return _ended(channel)

    def _failure(self, error: BaseException) -> DeviceError:
        connected = not self._connection.is_closed()
        self._connection.abort()
        return exchange_failure(error, connected=connected)


async def _past(channel: Channel, mark: str) -> Piece:
    """What follows the mark in the piece that ends it.

    Raises:
        RestrictedError: it does not come, though the account said that it is done.
        ConnectionResetError: the connection went away.
    """
    wanted, noise, count = f"{mark}\n".encode("ascii"), b"", 0
    while (piece := await channel.next()) is not None:
        count += len(piece.data)
        noise += b"" if piece.is_error else piece.data
        before, found, after = noise.partition(wanted)
        if found and (not before or before.endswith(b"\n")):
            return Piece(after)
        if count > NOISE_BYTES_MAX:
            raise RestrictedError
    _ended(channel)
    raise RestrictedError


async def _ignore(_piece: Piece) -> bool:
    return True


def _ended(channel: Channel) -> Ended:
    """How it ended.

    Raises:
        ConnectionResetError: the connection went away before the device had said it.
    """
    if channel.lost is not None:
        raise channel.lost
    said = channel.exit_status is not None or channel.signal
    if not said and not channel.has_left:
        raise ConnectionResetError
    return Ended(channel.exit_status, channel.signal)
