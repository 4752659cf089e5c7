"""A real host, an administrator's way to it, and who enrols it and delivers to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.protocol import Reply, Request, Verb
from orchestrator.ssh.enroll import Admin, Become
from orchestrator.ssh.placed import Enrolment
from orchestrator.ssh.transport import SshTransport
from tests.device.kit import Key
from tests.integration.lab_kit import Progress, changing, frames
from tests.integration.real_host import RealHost

CHECK = b"#!/bin/sh\n[ -e /opt/app/version.txt ] && echo '{\"value\":1}'\n"


class Desk:
    """A host, a transport, a key that signs and a key that logs in."""

    def __init__(self, host: RealHost, transport: SshTransport, place: Path) -> None:
        self.host, self.transport = host, transport
        self.signing = Key("ec")
        self.login = asyncssh.generate_private_key("ssh-ed25519")
        self.login_file = place / "login"
        self.login.write_private_key(self.login_file)
        self.login_file.chmod(0o600)
        self.admin = Admin(transport, host.operator, become=Become.SUDO)

    def wanted(self, **changed: object) -> Enrolment:
        settings: dict[str, object] = {
            "device_type": "edge",
            "device_id": "edge-1",
            "login_key": self.login.export_public_key().decode(),
            "signing_keys": {"release": self.signing.public_pem},
            "checks": {"app": CHECK},
        }
        return Enrolment(**(settings | changed))  # type: ignore[arg-type]

    async def ask(self, request: Request, user: str = "rollout") -> Reply:
        address = self.host.address(user, self.login_file)
        session = await self.transport.open(Device(DeviceId("edge-1"), address), deadline_s=15)
        try:
            return await session.ask(request, deadline_s=30)
        finally:
            await session.close()

    async def deliver(
        self, number: int, files: Mapping[str, bytes], deadline: str = "60", **more: str
    ) -> Reply:
        listed = frames(files)
        request = changing(
            Verb.DELIVER, number, frames=str(len(listed)), wait="20", deadline=deadline, **more
        )
        address = self.host.address("rollout", self.login_file)
        session = await self.transport.open(Device(DeviceId("edge-1"), address), deadline_s=15)
        try:
            return await session.converse(request, Progress().delivery(listed), deadline_s=60)
        finally:
            await session.close()


@asynccontextmanager
async def desk(
    place: Path, *, vouch: Callable[[str], bytes] | None = None, config: str = ""
) -> AsyncIterator[Desk]:
    transport = SshTransport()
    try:
        async with RealHost(vouch=vouch, config=config) as host:
            yield Desk(host, transport, place)
    finally:
        await transport.close()


HELLO = Request(Verb.HELLO, {"nonce": "n"})
FACTS = Request(Verb.FACTS, {"nonce": "n"})
