"""What hostile devices do with the connection itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncssh
from asyncssh.packet import String
from asyncssh.public_key import load_keypairs

from tests.integration.served import Server, Talk

REQUESTS_COUNT = 5000


async def activates_late(talk: Talk) -> None:
    """Answers the go once the neighbours are done: what halts the rollout now halts no one else."""
    await talk.go_on_until_go()
    await talk.site.settled.wait()
    talk.activate()


class ChangesKey(Server):
    """Has another host key from the second connection on."""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        super().connection_made(conn)
        self.site.visits[self.way] += 1
        if self.site.visits[self.way] > 1:
            (pair,) = load_keypairs(self.site.other_key)
            vars(conn)["_server_host_keys"] = {pair.algorithm: pair}


async def many_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for _ in range(1100):
        writer.write(b"\x1b[2J" + b"b" * 1000 + b"\r\n")
    await writer.drain()
    await reader.read()


class Banner(Server):
    def begin_auth(self, username: str) -> bool:
        self.conn.send_auth_banner("\x1b[2J" + "b" * 100_000)
        return True


def always_partial(conn: Any) -> None:
    failure = conn.send_userauth_failure
    conn.send_userauth_failure = lambda _partial: failure(True)


async def hangs_up(talk: Talk) -> None:
    talk.connection.disconnect(2, "\x1b]0;owned\x07\x1b[2J")
    await talk.hear()


class HangsUpAtOnce(Server):
    def begin_auth(self, username: str) -> bool:
        self.conn.disconnect(2, "\x1b]0;owned\x07\x1b[2J")
        return True


def confirms(*, window: int | None = None, packet: int | None = None) -> Callable[[Any], None]:
    """Opens channels with limits of its own."""

    def greet(conn: Any) -> None:
        confirm = conn.send_channel_open_confirmation

        def send(to: int, own: int, own_window: int, own_packet: int, *rest: bytes) -> None:
            own_window = own_window if window is None else window
            confirm(to, own, own_window, own_packet if packet is None else packet, *rest)

        conn.send_channel_open_confirmation = send

    return greet


async def takes_nothing(_talk: Talk) -> None:
    await asyncio.Event().wait()


async def keys_anew(talk: Talk) -> None:
    while True:
        talk.process.stderr.write(b"k")
        await asyncio.sleep(0)


class ManyRequests(Server):
    """Announces other host keys, thousands of times."""

    def auth_completed(self) -> None:
        key = String(self.site.other_key.public_data)
        for _ in range(REQUESTS_COUNT):
            self.conn._send_global_request(b"hostkeys-00@openssh.com", key)


class ManyRequestsThenOther(ManyRequests, ChangesKey):
    """And then has the key that it announced."""


async def reaches_back(talk: Talk) -> None:
    """Opens channels to the controller's network, screen and agent; a way in would be said."""
    conn = talk.connection
    for opened in (
        lambda: conn.create_connection(asyncssh.SSHTCPSession, "127.0.0.1", 22),
        lambda: conn.create_x11_channel().open(asyncssh.SSHTCPSession, "127.0.0.1", 6000),
        lambda: conn.create_agent_channel().open(asyncssh.SSHTCPSession),
    ):
        with suppress(asyncssh.ChannelOpenError):
            await opened()
            talk.write(b"\x1breached the controller\n")
    await talk.go_on()


def _serves_files(_channel: object) -> asyncssh.SFTPServer:
    raise AssertionError("nobody asks a device for files")
