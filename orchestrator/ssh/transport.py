"""The way to real devices: `Transport` and `Session` over SSH.

One exec of the forced command per request. Every wait has a deadline; whatever goes wrong is a
`DeviceError`. After a broken protocol or a missed deadline the connection is dropped, since what
its peer does next is not worth reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from weakref import WeakSet

import asyncssh

from orchestrator.device.model import HELPER_USER, Address, Device
from orchestrator.device.protocol import Frame, Reply, Request
from orchestrator.engine.ports import Dialogue
from orchestrator.errors import DeviceError
from orchestrator.log import Log
from orchestrator.ssh.body import Piece, content_pieces, delivery_pieces, stage_pieces
from orchestrator.ssh.connect import Connector, disconnect
from orchestrator.ssh.exchange import Exchange
from orchestrator.ssh.failures import EXPECTED, exchange_failure
from orchestrator.ssh.identity import public_line
from orchestrator.ssh.login import Login
from orchestrator.ssh.profile import WINDOW_BYTES, SshSettings

_log = Log("ssh")
LAUNCHER = "/usr/lib/rollout/launch"  # where enrolment puts it
_Talk = Callable[[Exchange, asyncio.Timeout], Awaitable[None]]


class SshSession:
    """One connection to one device; requests go behind the words of `prefix`."""

    def __init__(
        self, connection: asyncssh.SSHClientConnection, *, idle_s: float, prefix: str = ""
    ) -> None:
        self._connection = connection
        self._idle_s = idle_s
        self._prefix = prefix
        self._own_error: BaseException | None = None

    @property
    def host_key(self) -> str:
        """The host key that was proven, as `ssh-ed25519 AAAA...`."""
        return _proven(self._connection)

    async def ask(self, request: Request, *, deadline_s: float) -> Reply:
        """Sends a request without body; see `ports.Session`."""
        return await self._exchange(self._prefix + request.line, _end_of_body, deadline_s)

    async def run(self, command: str, content: bytes, *, deadline_s: float) -> Reply:
        """Runs a command of an administrator that answers in the helper's form.

        Raises:
            DeviceError: as `ask`.
        """

        async def talk(exchange: Exchange, _limit: asyncio.Timeout) -> None:
            await self._send(exchange, content_pieces(content))
            exchange.write_eof()

        return await self._exchange(command, talk, deadline_s)

    async def stage(self, request: Request, frame: Frame, *, deadline_s: float) -> Reply:
        """Sends one frame's bytes; see `ports.Session`."""

        async def talk(exchange: Exchange, _limit: asyncio.Timeout) -> None:
            await self._send(exchange, stage_pieces(frame))
            exchange.write_eof()

        return await self._exchange(self._prefix + request.line, talk, deadline_s)

    async def converse(self, request: Request, dialogue: Dialogue, *, deadline_s: float) -> Reply:
        """Sends frames, waits until the device stands ready, answers; see `ports.Session`."""

        async def talk(exchange: Exchange, limit: asyncio.Timeout) -> None:
            exchange.on_step = dialogue.on_step
            await self._send(exchange, delivery_pieces(dialogue.frames), dialogue.on_bytes)
            await exchange.ready_or_over()
            if not exchange.is_over and exchange.ready is not None:
                word = await self._decide(limit, lambda: dialogue.decide(exchange.so_far()))
                if word:
                    exchange.write(f"{word} {exchange.ready}\n".encode("ascii"))
            exchange.write_eof()  # without a word before it, the device leaves it at that

        return await self._exchange(self._prefix + request.line, talk, deadline_s)

    async def close(self) -> None:
        """Closes the connection."""
        await disconnect(self._connection)

    async def _exchange(self, line: str, talk: _Talk, deadline_s: float) -> Reply:
        exchange = Exchange(prefix=self._prefix)
        try:
            async with asyncio.timeout(deadline_s) as limit:
                await self._connection.create_session(
                    lambda: exchange, line, encoding=None, window=WINDOW_BYTES
                )
                await talk(exchange, limit)
                await exchange.over()
            return exchange.reply()
        except DeviceError:
            self._connection.abort()
            raise
        except EXPECTED as error:
            connected = not self._connection.is_closed()
            self._connection.abort()
            if error is self._own_error:
                raise
            raise exchange_failure(error, connected=connected) from error
        finally:
            exchange.close()

    async def _decide(self, limit: asyncio.Timeout, decide: Callable[[], Awaitable[str]]) -> str:
        """Asks the controller; its errors are not the device's and pass as they are."""
        try:
            return await _without_deadline(limit, decide)
        except EXPECTED as error:
            self._own_error = error
            raise

    async def _send(
        self,
        exchange: Exchange,
        pieces: Iterator[Piece],
        on_bytes: Callable[[int], None] = lambda _sent: None,
    ) -> None:
        """Writes as fast as the device takes it, until it ends the exchange."""
        sent_bytes = 0
        for data, payload_bytes in pieces:
            if exchange.is_over:
                return
            exchange.write(data)
            if exchange.is_full:
                await exchange.room(self._idle_s)
            sent_bytes += payload_bytes
            on_bytes(sent_bytes)


class SshTransport:
    """Opens sessions; keys, host keys and limits are shared by all of them."""

    def __init__(self, settings: SshSettings | None = None) -> None:
        self._settings = settings or SshSettings()
        self._connector = Connector(self._settings)
        self._open: WeakSet[asyncssh.SSHClientConnection] = WeakSet()

    async def open(self, device: Device, *, deadline_s: float) -> SshSession:
        """Connects, proves the host key and logs in; see `ports.Transport`."""
        clock = asyncio.get_running_loop()
        began = clock.time()
        try:
            connection = await self._connector.connect(
                device.address, deadline_s=deadline_s, identity=device.id
            )
        except DeviceError as error:
            took_s = round(clock.time() - began, 3)
            _log.debug("refused", device=device.id, reason=error.reason, took_s=took_s)
            raise
        _log.debug("connected", device=device.id, took_s=round(clock.time() - began, 3))
        self._open.add(connection)
        prefix = become_prefix(device.address)
        return SshSession(connection, idle_s=self._settings.idle_s, prefix=prefix)

    async def run_admin(
        self,
        address: Address,
        command: str,
        content: bytes,
        *,
        deadline_s: float,
        identity: str = "",
    ) -> tuple[Reply, str]:
        """One command of an administrator's account, and the host key that was proven.

        `identity` is the device's id.

        Raises:
            DeviceError: as `open` and `Session.ask`.
        """
        connection = await self._connector.connect(
            address, deadline_s=deadline_s, identity=identity
        )
        proven = _proven(connection)
        session = SshSession(connection, idle_s=self._settings.idle_s)
        try:
            return await session.run(command, content, deadline_s=deadline_s), proven
        finally:
            await session.close()

    async def log_in(self, address: Address, *, deadline_s: float, identity: str = "") -> Login:
        """An ordinary login for a person; `identity` is the device's id.

        Raises:
            DeviceError: as `open`.
        """
        connection = await self._connector.connect(
            address, deadline_s=deadline_s, identity=identity
        )
        self._open.add(connection)
        return Login(connection)

    async def host_key(
        self, address: Address, algorithm: str, *, deadline_s: float
    ) -> asyncssh.SSHKey | None:
        """What `Connector.host_key` gives; for a first contact."""
        return await self._connector.host_key(address, algorithm, deadline_s=deadline_s)

    async def close(self) -> None:
        """Drops all connections."""
        for connection in tuple(self._open):
            connection.abort()
        await self._connector.close()


def become_prefix(address: Address) -> str:
    """What stands before each request to a device that is reached as an ordinary user.

    The user becomes the helper's account, not root: the protocol part stays without privileges,
    as behind the forced command. Requests have no character that a shell reads otherwise.
    """
    if address.become is None or address.user == HELPER_USER:
        return ""
    return f"{address.become} -n -u {HELPER_USER} {LAUNCHER} "


def _proven(connection: asyncssh.SSHClientConnection) -> str:
    host_key = connection.get_server_host_key()
    assert host_key is not None, "a connection without a host key"
    return public_line(host_key)


async def _end_of_body(exchange: Exchange, _limit: asyncio.Timeout) -> None:
    exchange.write_eof()


async def _without_deadline(limit: asyncio.Timeout, decide: Callable[[], Awaitable[str]]) -> str:
    """Stops the deadline's clock while the controller makes up its mind."""
    clock = asyncio.get_running_loop().time
    ends_at = limit.when()
    assert ends_at is not None
    left_s = ends_at - clock()
    limit.reschedule(None)
    decision = await decide()
    limit.reschedule(clock() + left_s)
    return decision
