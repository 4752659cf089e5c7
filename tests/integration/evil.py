"""Hostile SSH servers, hostile TCP servers and a faulty path, all in one process on loopback.

Each kind does one thing that a broken or malicious device might do. Nothing here waits for a
fixed time without being told to end: closing the stage ends all of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shlex
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Self

import asyncssh

from tests.loopback import LOOPBACK, end

Process = asyncssh.SSHServerProcess[bytes]
GOOD_LINES = (b"protocol rollout-agent/1", b"state none")


def reply(*lines: bytes, rc: int = 0) -> bytes:
    """A reply with the right end line."""
    text = b"".join(line + b"\n" for line in lines)
    return text + f"end {rc} {hashlib.sha256(text).hexdigest()}\n".encode()


async def _read_all(process: Process) -> int:
    count = 0
    while data := await process.stdin.read(65536):
        count += len(data)
    return count


async def _flood(target: asyncssh.SSHWriter[bytes], piece: bytes) -> None:
    while True:
        target.write(piece)
        await target.drain()


async def honest(process: Process) -> None:
    await _read_all(process)
    process.stdout.write(reply(*GOOD_LINES))
    process.exit(0)


async def endless_stdout(process: Process) -> None:
    await _flood(process.stdout, b"A" * 65536)


async def endless_lines(process: Process) -> None:
    await _flood(process.stdout, b"state none\n" * 4096)


async def endless_stderr(process: Process) -> None:
    await _flood(process.stderr, b"E" * 65536)


async def silent(process: Process) -> None:
    await asyncio.Event().wait()


async def drip(process: Process) -> None:
    while True:
        process.stdout.write(b"x")
        await asyncio.sleep(0.05)


async def closes_early(process: Process) -> None:
    await process.stdin.read(1000)
    process.channel.get_connection().abort()


async def never_reads(process: Process) -> None:
    process.channel.pause_reading()
    await asyncio.Event().wait()


async def no_end_line(process: Process) -> None:
    await _read_all(process)
    process.stdout.write(b"state none\n")
    process.exit(0)


async def end_line_only_eof(process: Process) -> None:
    """Says all, then leaves its channel open for ever."""
    await _read_all(process)
    process.stdout.write(reply(*GOOD_LINES))
    process.stdout.write_eof()
    await asyncio.Event().wait()


async def wrong_hash(process: Process) -> None:
    await _read_all(process)
    process.stdout.write(b"state none\nend 0 " + b"0" * 64 + b"\n")
    process.exit(0)


async def talks_after_end(process: Process) -> None:
    await _read_all(process)
    process.stdout.write(reply(*GOOD_LINES) + b"state committed\n")
    process.exit(0)


async def garbage(process: Process) -> None:
    await _read_all(process)
    process.stdout.write(os.urandom(300) + b"\n")
    process.exit(0)


async def ansi(process: Process) -> None:
    await _read_all(process)
    process.stdout.write(reply(b"\x1b]0;owned\x07state none", b"\x1b[2Jdetail x"))
    process.exit(0)


async def broken_utf8(process: Process) -> None:
    await _read_all(process)
    process.stdout.write(reply(b"state \xff\xfe"))
    process.exit(0)


async def long_line(process: Process) -> None:
    await _read_all(process)
    process.stdout.write(b"detail " + b"9" * 5_000_000)
    process.exit(0)


async def not_found(process: Process) -> None:
    process.stderr.write(b"sh: 1: hello: not found\n")
    process.exit(127)


async def killed(process: Process) -> None:
    await _read_all(process)
    process.stdout.write(b"state none\n")
    process.exit_with_signal("KILL")


def _ready(nonce: bytes, before: bytes = b"") -> bytes:
    return b"ready " + nonce + b" " + hashlib.sha256(before).hexdigest().encode() + b"\n"


async def unsealed_ready(process: Process) -> None:
    """Asks for the go although something before it was lost or added on the way."""
    process.stdout.write(_ready(b"aaaaaaaa1", b"state none\n"))
    await asyncio.Event().wait()


async def ready_twice(process: Process) -> None:
    one = _ready(b"aaaaaaaa1")
    process.stdout.write(one + _ready(b"aaaaaaaa2", one))
    await asyncio.Event().wait()


async def ready_once(process: Process) -> None:
    process.stdout.write(_ready(b"aaaaaaaa1"))
    await _read_all(process)
    process.exit(0)


async def strange_nonce(process: Process) -> None:
    process.stdout.write(_ready(b";reboot!"))
    await asyncio.Event().wait()


async def opens_channels(process: Process) -> None:
    """Tries to reach into the controller's network, then answers."""
    connection = process.channel.get_connection()
    with suppress(asyncssh.ChannelOpenError, OSError):
        await connection.create_connection(asyncssh.SSHTCPSession, LOOPBACK, 22)
        process.stdout.write(b"reached the controller\n")
    await honest(process)


def _obeys(process: Process) -> None:
    """Says the mark that a login wants to see before anything else, behind noise of its own."""
    process.stdout.write(b"welcome\n" + shlex.split(process.command or "")[4].encode() + b"\n")


async def obeys_then_floods(process: Process) -> None:
    _obeys(process)
    await _flood(process.stdout, b"A" * 65536)


async def obeys_then_is_silent(process: Process) -> None:
    _obeys(process)
    await asyncio.Event().wait()


async def obeys_and_says_no_end(process: Process) -> None:
    """Sends half a file and closes the channel without an exit code."""
    _obeys(process)
    process.stdout.write(b"half")
    await process.stdout.drain()
    process.channel.close()


async def obeys_and_is_killed(process: Process) -> None:
    _obeys(process)
    process.exit_with_signal("\x1b[2JKILL")


async def gives_a_terminal_that_floods(process: Process) -> None:
    """Runs what is asked for, and floods whoever takes a shell until they leave."""
    if process.command:
        _obeys(process)
        process.exit(0)
    else:
        await _flood(process.stdout, b"\x1b[2J" * 4096)


async def gives_a_terminal_and_reboots(process: Process) -> None:
    """Gives a shell, and is gone in the middle of it."""
    if process.command:
        _obeys(process)
        process.exit(0)
    else:
        process.stdout.write(b"$ ")
        await process.stdout.drain()
        await process.stdin.read(1)
        process.channel.get_connection().abort()


SSH_KINDS: dict[str, Callable[[Process], Awaitable[None]]] = {
    one.__name__: one
    for one in (
        honest, endless_stdout, endless_lines, endless_stderr, silent, drip, closes_early,
        never_reads, no_end_line, end_line_only_eof, wrong_hash, talks_after_end, garbage, ansi,
        broken_utf8, long_line, not_found, killed, ready_once, ready_twice, strange_nonce, unsealed_ready, opens_channels,
        obeys_then_floods, obeys_then_is_silent, obeys_and_says_no_end, obeys_and_is_killed,
        gives_a_terminal_that_floods, gives_a_terminal_and_reboots,
    )
}  # fmt: skip


class _Server(asyncssh.SSHServer):
    def __init__(self, stage: Stage, *, hang: bool, banner: str) -> None:
        self._stage = stage
        self._hang = hang
        self._banner = banner
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._stage.contacts += 1
        self._connection = conn
        self._stage.connections.add(conn)

    async def begin_auth(self, username: str) -> bool:
        if self._banner and self._connection is not None:
            self._connection.send_auth_banner(self._banner)
        if self._hang:
            await asyncio.Event().wait()
        return True


class Stage:
    """Starts evil servers and ends them all; counts who came."""

    def __init__(self) -> None:
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.contacts = 0
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._stack = AsyncExitStack()
        self._handlers: set[asyncio.Task[object]] = set()

    @property
    def host_line(self) -> str:
        return self.host_key.export_public_key().decode().strip()

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await end(self._stack, self.connections, self._handlers)

    async def _handle(self, handler: Awaitable[None], writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            await handler
        finally:
            writer.transport.abort() if task.cancelling() else writer.close()

    async def ssh(
        self,
        kind: str = "honest",
        *,
        host_key: asyncssh.SSHKey | None = None,
        accept: bool = True,
        hang_auth: bool = False,
        banner: str = "",
    ) -> int:
        """Starts an SSH server; gives its port."""
        client_key = self.client_key if accept else asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.listen(
            LOOPBACK,
            0,
            config=None,
            server_factory=lambda: _Server(self, hang=hang_auth, banner=banner),
            server_host_keys=[host_key or self.host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(
                client_key.export_public_key().decode()
            ),
            process_factory=SSH_KINDS[kind],
            encoding=None,
            line_editor=False,
        )
        self._stack.callback(server.close)
        return server.get_port()

    async def tcp(self, kind: str) -> int:
        """Starts a TCP server that is no SSH server; gives its port."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._handle(_TCP_KINDS[kind](reader, writer), writer)

        server = await asyncio.start_server(handle, LOOPBACK, 0)
        self._stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    async def damage(self, target: int, kind: str, at_byte: int) -> int:
        """Starts a proxy that damages what the server says at one place; gives its port."""

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._handle(_relay_damaged(reader, writer, target, kind, at_byte), writer)

        server = await asyncio.start_server(relay, LOOPBACK, 0)
        self._stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    async def path(self, target: int, fault: str, after_bytes: int) -> int:
        """Starts a proxy whose path to the server breaks after so many bytes; gives its port."""

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._handle(_relay(reader, writer, target, fault, after_bytes), writer)

        server = await asyncio.start_server(relay, LOOPBACK, 0)
        self._stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])


async def _tcp_close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _tcp_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while await reader.read(65536):
            pass
    writer.close()


async def _tcp_drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while not reader.at_eof():
            writer.write(b"S")
            await writer.drain()
            await asyncio.sleep(0.05)
    writer.close()


async def _tcp_flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while not reader.at_eof():
            writer.write(b"hello\r\n" * 5000)
            await writer.drain()
    writer.close()


async def _tcp_http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    writer.close()


async def _tcp_random(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-x\r\n" + os.urandom(4096))
    writer.close()


_TCP_KINDS = {
    "close": _tcp_close,
    "silent": _tcp_silent,
    "drip": _tcp_drip,
    "flood": _tcp_flood,
    "http": _tcp_http,
    "random": _tcp_random,
}
TCP_KINDS = tuple(_TCP_KINDS)
PATH_FAULTS = ("cut", "reset", "hole", "flip", "repeat")


async def _relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: int,
    fault: str,
    after_bytes: int,
) -> None:
    up_reader, up_writer = await asyncio.open_connection(LOOPBACK, target)

    async def back() -> None:
        with suppress(OSError):
            while data := await up_reader.read(8192):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forth() -> None:
        seen, done = 0, False
        with suppress(OSError):
            while data := await reader.read(8192):
                seen += len(data)
                if seen > after_bytes and not done:
                    done = True
                    if fault == "cut":
                        break
                    if fault == "reset":
                        writer.transport.abort()
                        break
                    if fault == "hole":
                        while await reader.read(65536):
                            pass
                        break
                    data = _damaged(data, fault)
                up_writer.write(data)
                await up_writer.drain()
        up_writer.close()

    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(back())
            both.create_task(forth())
    finally:
        up_writer.transport.abort()


DAMAGES = ("flip", "zero", "ones", "random", "insert")


async def _relay_damaged(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: int,
    kind: str,
    at_byte: int,
) -> None:
    up_reader, up_writer = await asyncio.open_connection(LOOPBACK, target)

    async def back() -> None:
        seen = 0
        with suppress(OSError):
            while data := await up_reader.read(8192):
                if seen <= at_byte < seen + len(data):
                    writer.write(_damaged_at(data, kind, at_byte - seen))
                else:
                    writer.write(data)
                seen += len(data)
                await writer.drain()
        writer.close()

    async def forth() -> None:
        with suppress(OSError):
            while data := await reader.read(8192):
                up_writer.write(data)
                await up_writer.drain()
        up_writer.close()

    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(back())
            both.create_task(forth())
    finally:
        up_writer.transport.abort()


def _damaged_at(data: bytes, kind: str, at: int) -> bytes:
    noise = random.Random(f"{kind} {at}")  # the same damage in each run
    match kind:
        case "flip":
            return data[:at] + bytes([data[at] ^ (1 << noise.randrange(8))]) + data[at + 1 :]
        case "zero":
            return data[:at] + bytes(len(data[at : at + 8])) + data[at + 8 :]
        case "ones":
            return data[:at] + b"\xff" * len(data[at : at + 4]) + data[at + 4 :]
        case "random":
            return data[:at] + noise.randbytes(len(data) - at)
        case _:
            return data[:at] + noise.randbytes(50) + data[at:]


def _damaged(data: bytes, fault: str) -> bytes:
    if fault == "repeat":
        return data + data
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
