"""Hostile devices end as a `DeviceError` within limits, and hurt nobody beside them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.device.protocol import Frame, Reply, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.engine.ports import Dialogue
from orchestrator.errors import DeviceError
from orchestrator.ssh.profile import SshSettings
from orchestrator.ssh.transport import SshTransport
from tests.integration.evil import DAMAGES, PATH_FAULTS, TCP_KINDS, Stage
from tests.patience import within

pytestmark = pytest.mark.integration

DEADLINE_S = within(1.5)
# Of honest devices, which share this process with twenty that talk endlessly.
PATIENCE_S = within(30)
PAYLOAD = os.urandom(256 * 1024)
HELLO = Request(Verb.HELLO, {"nonce": "abc"})
DELIVER = Request(Verb.DELIVER, {"frames": "1"})
SETTINGS = SshSettings(connect_s=0.5, login_s=0.5, idle_s=0.5)
PATIENT = SshSettings(connect_s=PATIENCE_S, login_s=PATIENCE_S, idle_s=PATIENCE_S)

ANSWERS = {
    "honest": "ok",
    "end_line_only_eof": "ok",
    "opens_channels": "ok",
    "endless_stdout": Reason.PROTOCOL,
    "endless_lines": Reason.PROTOCOL,
    "endless_stderr": Reason.PROTOCOL,
    "silent": Reason.TIMEOUT,
    "drip": Reason.TIMEOUT,
    "closes_early": Reason.CONNECTION_LOST,
    "no_end_line": Reason.PROTOCOL,
    "wrong_hash": Reason.PROTOCOL,
    "talks_after_end": Reason.PROTOCOL,
    "garbage": Reason.PROTOCOL,
    "ansi": Reason.PROTOCOL,
    "broken_utf8": Reason.PROTOCOL,
    "long_line": Reason.PROTOCOL,
    "not_found": Reason.NOT_ENROLLED,
    "killed": Reason.CONNECTION_LOST,
}
DELIVERIES = {
    "never_reads": Reason.TIMEOUT,
    "silent": Reason.TIMEOUT,
    "closes_early": Reason.CONNECTION_LOST,
    "ready_twice": Reason.PROTOCOL,
    "strange_nonce": Reason.PROTOCOL,
    "unsealed_ready": Reason.PROTOCOL,
    "endless_stdout": Reason.PROTOCOL,
}


def frame() -> Frame:
    def chunks(offset: int) -> Iterator[bytes]:
        for start in range(offset, len(PAYLOAD), 32768):
            yield PAYLOAD[start : start + 32768]

    return Frame("data/0000/x", len(PAYLOAD), hashlib.sha256(PAYLOAD).hexdigest(), chunks)


class Client:
    """Our transport, against one stage."""

    def __init__(self, stage: Stage, directory: Path, settings: SshSettings = SETTINGS) -> None:
        self._stage = stage
        self._key = directory / "key"
        stage.client_key.write_private_key(self._key)
        self._key.chmod(0o600)
        self.transport = SshTransport(settings)

    def device(self, port: int) -> Device:
        address = Address("127.0.0.1", port, "rollout", str(self._key), (self._stage.host_line,))
        return Device(DeviceId(f"device-{port}"), address)

    async def outcome(
        self, port: int, request: Request = HELLO, *, deadline_s: float = DEADLINE_S
    ) -> str:
        """The reason of the failure, or `ok`."""
        try:
            await self.talk(port, request, deadline_s=deadline_s)
        except DeviceError as error:
            return error.reason
        return "ok"

    async def talk(
        self, port: int, request: Request = HELLO, *, deadline_s: float = DEADLINE_S
    ) -> Reply:
        session = await self.transport.open(self.device(port), deadline_s=deadline_s)
        try:
            if request.verb is Verb.DELIVER:
                dialogue = Dialogue([frame()], _yes)
                return await session.converse(request, dialogue, deadline_s=deadline_s)
            return await session.ask(request, deadline_s=deadline_s)
        finally:
            await session.close()


async def _yes(_said: Reply) -> str:
    return "go"


@pytest.mark.parametrize("kind", ANSWERS)
async def test_answer_of_a_hostile_device_has_its_reason(kind: str, tmp_path: Path) -> None:
    async with Stage() as stage:
        client = Client(stage, tmp_path)
        port = await stage.ssh(kind)
        started_at = time.monotonic()

        outcome = await client.outcome(port)

        assert outcome == ANSWERS[kind]
        assert time.monotonic() - started_at < 2 * DEADLINE_S
        await client.transport.close()


@pytest.mark.parametrize("kind", DELIVERIES)
async def test_delivery_to_a_hostile_device_has_its_reason(kind: str, tmp_path: Path) -> None:
    async with Stage() as stage:
        client = Client(stage, tmp_path)
        port = await stage.ssh(kind)

        outcome = await client.outcome(port, DELIVER)

        assert outcome == DELIVERIES[kind]
        await client.transport.close()


@pytest.mark.parametrize("kind", TCP_KINDS)
async def test_what_is_no_ssh_server_is_a_failed_connection(kind: str, tmp_path: Path) -> None:
    async with Stage() as stage:
        client = Client(stage, tmp_path)
        port = await stage.tcp(kind)

        outcome = await client.outcome(port)

        assert outcome in {Reason.CONNECTION_LOST, Reason.TIMEOUT, Reason.HOST_KEY}
        await client.transport.close()


async def test_refused_port_is_unreachable(tmp_path: Path) -> None:
    async with Stage() as stage:
        client = Client(stage, tmp_path)

        assert await client.outcome(1) == Reason.UNREACHABLE
        await client.transport.close()


async def test_login_that_hangs_times_out(tmp_path: Path) -> None:
    async with Stage() as stage:
        client = Client(stage, tmp_path)
        port = await stage.ssh(hang_auth=True)

        assert await client.outcome(port) == Reason.TIMEOUT
        await client.transport.close()


async def test_banner_of_a_megabyte_is_harmless(tmp_path: Path) -> None:
    async with Stage() as stage:
        client = Client(stage, tmp_path)
        port = await stage.ssh(banner="\x1b[2J" + "x" * 100_000)

        assert await client.outcome(port) == "ok"
        await client.transport.close()


async def test_refused_login_is_an_authentication_failure(tmp_path: Path) -> None:
    async with Stage() as stage:
        client = Client(stage, tmp_path)
        port = await stage.ssh(accept=False)

        assert await client.outcome(port) == Reason.AUTHENTICATION
        await client.transport.close()


@pytest.mark.parametrize("algorithm", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_changed_host_key_is_refused_and_never_contacted_again(
    algorithm: str, tmp_path: Path
) -> None:
    async with Stage() as stage:
        client = Client(stage, tmp_path)
        port = await stage.ssh(host_key=asyncssh.generate_private_key(algorithm))

        first = await client.outcome(port)
        contacts = stage.contacts
        second = await client.outcome(port)

        assert first == Reason.HOST_KEY
        assert second == Reason.HOST_KEY
        assert stage.contacts == contacts == 1
        await client.transport.close()


@pytest.mark.parametrize("fault", PATH_FAULTS)
async def test_faulty_path_never_ends_as_success_or_beyond_the_deadline(
    fault: str, tmp_path: Path
) -> None:
    """Cuts at many points, all at one time: in the handshake, the login and the transfer."""
    offsets = (0, 21, 400, 1500, 2500, 4000, 16_000, 64_000, 131_072, 250_000)
    async with Stage() as stage:
        client = Client(stage, tmp_path)
        target = await stage.ssh("silent")
        ports = [await stage.path(target, fault, offset) for offset in offsets]
        started_at = time.monotonic()

        outcomes = await asyncio.gather(*(client.outcome(port, DELIVER) for port in ports))

        known = {Reason.CONNECTION_LOST, Reason.TIMEOUT, Reason.HOST_KEY, Reason.PROTOCOL}
        assert set(outcomes) <= known
        assert time.monotonic() - started_at < 3 * DEADLINE_S
        await client.transport.close()


@pytest.mark.parametrize("kind", DAMAGES)
async def test_damaged_packets_never_raise_anything_else(kind: str, tmp_path: Path) -> None:
    """Damage at 60 places of the version, the key exchange, the login and the reply."""
    places = [*range(0, 60, 4), *range(60, 3200, 70)]
    async with Stage() as stage:
        client = Client(stage, tmp_path)
        target = await stage.ssh()
        ports = [await stage.damage(target, kind, place) for place in places]

        outcomes = await asyncio.gather(*(client.outcome(port) for port in ports))

        assert set(outcomes) <= {"ok", *Reason}
        assert Reason.CONNECTION_LOST in outcomes
        await client.transport.close()


async def test_error_of_the_controller_is_not_the_devices(tmp_path: Path) -> None:
    async def go(_said: Reply) -> str:
        message = "a bug of ours"
        raise ValueError(message)

    async with Stage() as stage:
        client = Client(stage, tmp_path)
        port = await stage.ssh("ready_once")
        session = await client.transport.open(client.device(port), deadline_s=DEADLINE_S)

        with pytest.raises(ValueError, match="a bug of ours"):
            await session.converse(DELIVER, Dialogue([frame()], go), deadline_s=DEADLINE_S)

        await client.transport.close()


async def test_hostile_neighbours_cost_honest_devices_nothing(tmp_path: Path) -> None:
    """Twenty endless talkers at work while honest devices are asked: all answer, memory stays."""
    async with Stage() as stage:
        client = Client(stage, tmp_path, PATIENT)
        evil = [
            await stage.ssh(kind) for kind in ("endless_stdout", "endless_stderr", "drip", "silent")
        ]
        honest = await stage.ssh()
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        outcomes = await asyncio.gather(
            *(client.outcome(port) for port in evil * 5),
            *(client.outcome(honest, deadline_s=PATIENCE_S) for _ in range(20)),
        )

        assert outcomes[20:] == ["ok"] * 20
        assert "ok" not in outcomes[:20]
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
        assert grown_kib < 64 * 1024  # servers and clients of 40 connections share this process
        await client.transport.close()
