"""Simulated devices behind real SSH servers on loopback, each with one way to be hostile.

A device speaks the helper's protocol as it is until its way strikes: at one request, with every
line it says, or with the connection itself. Nothing here waits for a fixed time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self, cast

import asyncssh

from orchestrator.device.protocol import Rc, Request, Verb, encode
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.release import Lie
from orchestrator.testing.transaction import Answer, Line, refuse
from tests.loopback import LOOPBACK, end

RAW = frozenset({"step", "check", "have"})
Process = asyncssh.SSHServerProcess[bytes]
Stream = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Talk:
    """One request as the device hears it, and what it says."""

    def __init__(self, process: Process, device: SimulatedDevice, site: Site, way: Way) -> None:
        words = (process.command or "").split(" ")
        params = dict(word.split("=", 1) for word in words[1:])
        self.process, self.device, self.site, self.way = process, device, site, way
        self.request = Request(Verb(words[0]), params)
        self.connection = cast("Any", process.channel.get_connection())
        self._hash = hashlib.sha256()

    def write(self, text: bytes) -> None:
        """Bytes as they are, counted into the end line."""
        self._hash.update(text)
        self.process.stdout.write(text)

    def say(self, *lines: Line) -> None:
        """Lines in the grammar, as the way would have them."""
        for key, value in self.way.twist(self, list(lines)):
            text = value if key in RAW else encode(value)
            self.write(f"{key} {text}\n".encode("ascii"))

    def ready(self, nonce: str) -> None:
        """Asks for the word."""
        seal = self._hash.hexdigest()
        self._hash.update(f"ready {nonce} {seal}\n".encode())
        self.process.stdout.write(f"ready {nonce} {seal}\n".encode())

    @property
    def seal(self) -> str:
        """The hash of what was said."""
        return self._hash.hexdigest()

    def end(self, rc: int = 0) -> None:
        """The end line, and the end."""
        self.process.stdout.write(f"end {rc} {self._hash.hexdigest()}\n".encode())
        self.process.exit(rc)

    def reply(self, answer: Answer) -> None:
        """Says an answer and ends."""
        self.say(*answer[1])
        self.end(answer[0])

    async def read_all(self) -> None:
        """Takes what is sent, and forgets it."""
        while await self.process.stdin.read(65536):
            pass

    async def hear(self) -> None:
        """Waits for the first bytes of what is sent, or its end."""
        await self.process.stdin.read(1)

    async def go_on(self) -> None:
        """Answers as an honest device."""
        match self.request.verb:
            case Verb.DELIVER:
                await self._deliver()
            case Verb.PROVE:
                await self._prove()
            case _:
                await self.read_all()
                self.reply(self.device.answer(self.request, self.device.connect()))

    async def _deliver(self) -> None:
        if await self.go_on_until_go():
            self.activate()

    def activate(self) -> None:
        """Switches, and says so."""
        params = self.request.params
        self.reply(self.device.activate(params["txn"], float(params["deadline"])))

    async def go_on_until_go(self) -> bool:
        """A delivery as an honest device takes it; False when it ended without a go."""
        device, params = self.device, self.request.params
        txn = params["txn"]
        early = device.begin(self.request)
        if early is not None:
            self.reply(early)
            return False
        self.say(*device.state_fields())
        for _ in range(int(params["frames"])):
            head = (await self.process.stdin.readline()).decode().split()
            _, name, size, _, offset = head
            data = await self.process.stdin.readexactly(int(size) - int(offset))
            if not device.take(txn, name, data, int(offset)):
                self.reply(refuse(Rc.RESUME, "io"))
                return False
        for step in (device.verify, device.install):
            refusal = step(txn)
            if refusal is not None:
                self.reply(refusal)
                return False
        self.say(("step", "install 0 ok"))
        self.ready("a" * 32)
        word = (await self.process.stdin.readline()).split(b" ")[0]
        if word == b"go":
            return True
        device.cancel(txn)
        self.reply(refuse(Rc.NOT_NOW, "cancelled"))
        return False

    async def _prove(self) -> None:
        device, params = self.device, self.request.params
        rc, lines = device.answer(self.request, device.connect())
        self.say(*lines)
        nonce = device.offers(params["txn"])
        if rc != Rc.OK or not nonce:
            self.end(rc)
            return
        self.ready(nonce)
        word = (await self.process.stdin.readline()).split(b" ")[0].decode().strip()
        if not word:
            self.end()
            return
        common = {key: params[key] for key in ("txn", "controller", "component", "epoch")}
        self.reply(device.answer(Request(Verb(word), common | {"nonce": nonce}), device.connect()))


async def _honest(talk: Talk) -> None:
    await talk.go_on()


def _as_it_is(_talk: Talk, lines: list[Line]) -> list[Line]:
    return lines


def _nothing(_connection: Any) -> None:
    """Greets nobody."""


@dataclass(frozen=True, eq=False)
class Way:
    """How a device is hostile.

    `act` answers the requests of the verbs `at` (all of them where none is named); `twist` changes
    what is said; `greet` has each connection before its login; `stream` is no SSH server at all;
    `options` are the server's. `lie` and `release` are of the simulated device.
    """

    act: Callable[[Talk], Awaitable[None]] = _honest
    at: frozenset[Verb] = frozenset(Verb)
    twist: Callable[[Talk, list[Line]], list[Line]] = _as_it_is
    greet: Callable[[Any], None] = _nothing
    stream: Stream | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    server: type[Server] | None = None
    lie: Lie | None = None
    corrupt: bool = False


class Server(asyncssh.SSHServer):
    """Greets, and keeps count."""

    def __init__(self, site: Site, way: Way) -> None:
        self.site, self.way = site, way

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody came."""
        self.conn = cast("Any", conn)
        self.site.connections.append(conn)
        self.way.greet(cast("Any", conn))


class Site:
    """Where the devices of one test are; leaving it ends them all.

    `settled` tells that all `neighbours` have committed.
    """

    def __init__(self) -> None:
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.other_key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.commands: list[str] = []
        self.neighbours: list[SimulatedDevice] = []
        self.settled = asyncio.Event()
        self.visits: Counter[Way] = Counter()
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def host_line(self) -> str:
        """The key that is pinned for each device."""
        return self.host_key.export_public_key().decode().strip()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await end(self._stack, self.connections, self._tasks)

    async def serve(self, device: SimulatedDevice, way: Way) -> int:
        """Starts the device; gives its port."""
        device.lie = way.lie
        if way.stream is not None:
            return await self._stream(way.stream)

        async def talk(process: Process) -> None:
            self.commands.append(process.command or f"subsystem {process.subsystem}")
            heard = Talk(process, device, self, way)
            await (way.act if heard.request.verb in way.at else _honest)(heard)
            if all(one.txn is not None and one.txn.state == "committed" for one in self.neighbours):
                self.settled.set()

        client_key = self.client_key.export_public_key().decode()
        options: dict[str, object] = {
            "server_host_keys": [self.host_key],
            "server_factory": lambda: (way.server or Server)(self, way),
            "authorized_client_keys": asyncssh.import_authorized_keys(client_key),
            "process_factory": talk,
            "encoding": None,
            "line_editor": False,
        }
        listener = await asyncssh.listen(LOOPBACK, 0, config=None, **(options | way.options))
        self._stack.callback(listener.close)
        return listener.get_port()

    async def _stream(self, stream: Stream) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await stream(reader, writer)
            except OSError:
                pass  # the controller hung up
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(handle, LOOPBACK, 0)
        self._stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])
