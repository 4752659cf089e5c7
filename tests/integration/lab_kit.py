"""A small lab in the test's own process, and what a test sends to its devices."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.protocol import Frame, Reply, Request, Step, Verb
from orchestrator.engine.ports import Dialogue
from orchestrator.lab.fleet import LabFleet
from orchestrator.lab.layout import LabOptions, Server
from orchestrator.ssh.profile import SshSettings
from orchestrator.ssh.transport import SshSession, SshTransport
from tests.device.kit import Key, txn

PIECE_BYTES = 32 * 1024


def frames(files: Mapping[str, bytes], offsets: Mapping[str, int] | None = None) -> list[Frame]:
    def of(name: str, data: bytes) -> Frame:
        def chunks(offset: int) -> Iterator[bytes]:
            for start in range(offset, len(data), PIECE_BYTES):
                yield data[start : start + PIECE_BYTES]

        digest = hashlib.sha256(data).hexdigest()
        return Frame(name, len(data), digest, chunks, (offsets or {}).get(name, 0))

    return [of(name, data) for name, data in files.items()]


def changing(verb: Verb, number: int, **more: str) -> Request:
    """A request that changes something, of the transaction with that number."""
    common = {"txn": txn(number), "controller": "tests", "component": "main", "epoch": "1"}
    return Request(verb, common | more)


@dataclass
class Progress:
    """What a delivery reported, and the go it gets."""

    go: bool = True
    steps: list[Step] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    def delivery(self, files: list[Frame]) -> Dialogue:
        async def decide(_said: Reply) -> str:
            return "go" if self.go else ""

        return Dialogue(files, decide, self.steps.append, self.sent.append)


@dataclass
class Lab:
    """A lab, a transport, and the key that signs its releases."""

    fleet: LabFleet
    transport: SshTransport
    key: Key

    def device(self, name: str = "lab-01", **changed: object) -> Device:
        address = replace(self.fleet.addresses[name], **changed)  # type: ignore[arg-type]
        return Device(DeviceId(name), address)

    def root(self, name: str = "lab-01") -> Path:
        return self.fleet.device(name).spec.root

    @asynccontextmanager
    async def session(self, name: str = "lab-01") -> AsyncIterator[SshSession]:
        session = await self.transport.open(self.device(name), deadline_s=15)
        try:
            yield session
        finally:
            await session.close()

    async def ask(self, request: Request, name: str = "lab-01") -> Reply:
        async with self.session(name) as session:
            return await session.ask(request, deadline_s=30)

    async def deliver(
        self, number: int, files: list[Frame], *, progress: Progress, name: str = "lab-01"
    ) -> Reply:
        request = changing(Verb.DELIVER, number, frames=str(len(files)), wait="20", deadline="60")
        async with self.session(name) as session:
            return await session.converse(request, progress.delivery(files), deadline_s=60)

    async def hello(self, name: str = "lab-01") -> dict[str, str]:
        reply = await self.ask(Request(Verb.HELLO, {"nonce": "abc"}), name)
        assert reply.rc == 0, reply
        return reply.fields


@asynccontextmanager
async def small_lab(
    directory: Path,
    *,
    devices: int = 1,
    server: Server = Server.ASYNCSSH,
    isolate: bool = True,
    settings: SshSettings | None = None,
) -> AsyncIterator[Lab]:
    key = Key("ec")
    public = directory / "release.pem"
    public.write_bytes(key.public_pem)
    options = LabOptions(
        devices=devices, server=server, isolate=isolate, signing_keys=(public,), port_first=24_000
    )
    async with LabFleet(directory / "lab", options) as fleet:
        transport = SshTransport(settings)
        try:
            yield Lab(fleet, transport, key)
        finally:
            await transport.close()
