"""The transport against asyncssh, OpenSSH and Dropbear, with the real helper behind each."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from orchestrator.device.model import Hop
from orchestrator.device.protocol import Rc, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.lab.layout import Server
from orchestrator.ssh.profile import SshSettings
from orchestrator.ssh.transport import SshTransport
from tests.device.kit import directory, txn
from tests.integration.evil import Stage
from tests.integration.lab_kit import Lab, Progress, changing, frames, small_lab
from tests.integration.sshd import SSHD, Sshd, sshd
from tests.loopback import free_port

pytestmark = pytest.mark.integration
BIG = os.urandom(1024 * 1024)


@pytest.fixture(params=list(Server))
def server(request: pytest.FixtureRequest) -> Server:
    kind = Server(request.param)
    needed = {Server.SSHD: ("sshd",), Server.DROPBEAR: ("dropbear", "bwrap")}.get(kind, ())
    for program in needed:
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            pytest.skip(f"{program} is not installed")
    return kind


async def test_release_travels_and_is_committed(server: Server, tmp_path: Path) -> None:
    """The whole normal path: hello, facts, deliver of 1 MiB, health and commit."""
    async with small_lab(tmp_path, server=server) as lab:
        release = directory("r1", {"service.json": b'{"version":"r1"}', "blob": BIG})
        files = frames(release.frames(lab.key))
        progress = Progress()

        before = await lab.hello()
        facts = await lab.ask(Request(Verb.FACTS, {"nonce": "n1"}))
        delivered = await lab.deliver(1, files, progress=progress)
        health = await lab.ask(
            Request(Verb.HEALTH, {"nonce": "n2", "checks": "app", "timeout": "10"})
        )
        nonce = health.fields["commit-nonce"]
        committed = await lab.ask(changing(Verb.COMMIT, 1, nonce=nonce))

        assert before["state"] == "none"
        assert facts.fields["device-type"] == "lab"
        assert delivered.rc == Rc.OK, delivered
        steps = [step.name for step in progress.steps]
        assert steps == ["stage", "verify", "install", "activate"]
        assert progress.sent[-1] == sum(frame.size_bytes for frame in files)
        assert progress.sent == sorted(progress.sent)
        assert health.fields["artifact"] == "r1"
        assert [(check.name, check.exit) for check in health.checks] == [("app", 0)]
        assert '"version":"r1"' in health.checks[0].output
        assert committed.rc == Rc.OK, committed
        assert (lab.root() / "opt/app/blob").read_bytes() == BIG


async def test_delivery_without_a_go_is_cancelled(server: Server, tmp_path: Path) -> None:
    async with small_lab(tmp_path, server=server) as lab:
        files = frames(directory("r1").frames(lab.key))

        reply = await lab.deliver(1, files, progress=Progress(go=False))

        assert reply.rc == Rc.NOT_NOW
        assert reply.reason is Reason.CANCELLED
        assert (await lab.hello())["artifact"] == "none"


async def test_interrupted_transfer_resumes_where_it_stopped(tmp_path: Path) -> None:
    """The path to the device breaks in the middle of the payload; the rest is sent later."""
    async with small_lab(tmp_path) as lab, Stage() as stage:
        content = directory("r1", {"blob": BIG}).frames(lab.key)
        port = await stage.path(lab.fleet.addresses["lab-01"].port, "cut", 600_000)
        request = changing(Verb.DELIVER, 1, frames=str(len(content)), wait="20", deadline="60")
        session = await lab.transport.open(lab.device(port=port), deadline_s=10)

        delivery = Progress().delivery(frames(content))
        with pytest.raises(DeviceError) as interrupted:
            await session.converse(request, delivery, deadline_s=30)
        have = await _have(lab)
        progress = Progress()
        resumed = await lab.deliver(1, frames(content, have), progress=progress)

        assert interrupted.value.reason == Reason.CONNECTION_LOST
        assert 0 < have["data/0000/update.tar"] < 600_000
        assert resumed.rc == Rc.OK, resumed
        assert progress.sent[-1] == sum(len(d) for d in content.values()) - sum(have.values())


async def _have(lab: Lab) -> dict[str, int]:
    """What the device holds, once the helper that was cut off has ended."""
    before: dict[str, int] = {}
    async with asyncio.timeout(10):
        while True:
            reply = await lab.ask(Request(Verb.STATUS, {"txn": txn(1)}))
            have = {line.split()[0]: int(line.split()[1]) for line in reply.all("have")}
            if have and have == before:
                return have
            before = have


async def test_staged_frames_install_by_single_verbs(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab, lab.session() as session:
        for frame in frames(directory("r1", {"blob": BIG}).frames(lab.key)):
            request = changing(
                Verb.STAGE,
                1,
                name=frame.name,
                size=str(frame.size_bytes),
                sha=frame.sha256,
                offset="0",
            )
            assert (await session.stage(request, frame, deadline_s=30)).rc == Rc.OK
        for verb in (Verb.VERIFY, Verb.INSTALL):
            assert (await session.ask(changing(verb, 1), deadline_s=30)).rc == Rc.OK
        reply = await session.ask(changing(Verb.ACTIVATE, 1, deadline="60"), deadline_s=30)

        assert reply.rc == Rc.OK
        assert (lab.root() / "opt/app/blob").read_bytes() == BIG


async def test_changed_host_key_is_refused_for_good(server: Server, tmp_path: Path) -> None:
    async with small_lab(tmp_path, server=server) as lab:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
        device = lab.device(host_keys=(other,))

        for _ in range(2):
            with pytest.raises(DeviceError) as caught:
                await lab.transport.open(device, deadline_s=10)
            assert caught.value.reason == Reason.HOST_KEY


async def test_configuration_of_the_user_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 18: a planted `ProxyCommand` or `Match exec` is never executed."""
    ran = tmp_path / "ran"
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh/config").write_text(
        f'Match exec "touch {ran}"\n  Port 1\nHost *\n  ProxyCommand touch {ran}\n  User nobody\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    async with small_lab(tmp_path) as lab:
        session = await lab.transport.open(lab.device(), deadline_s=10)
        reply = await session.ask(Request(Verb.HELLO, {"nonce": "a"}), deadline_s=15)
        await session.close()

    assert reply.rc == Rc.OK
    assert not ran.exists()


async def test_revoked_host_key_opens_no_device_though_it_is_pinned(tmp_path: Path) -> None:
    """Attack 53: who has copied a device's key speaks for it no longer."""
    async with small_lab(tmp_path) as lab:
        device = lab.device()
        (pin,) = device.address.host_keys
        known = tmp_path / "known_hosts"
        known.write_text(f"@revoked * {pin}\n")
        transport = SshTransport(SshSettings(known_hosts=(known,)))

        with pytest.raises(DeviceError) as caught:
            await transport.open(device, deadline_s=10)
        await (await lab.transport.open(device, deadline_s=10)).close()

        assert caught.value.reason == Reason.HOST_KEY
        await transport.close()


async def test_wrong_user_key_is_an_authentication_failure(server: Server, tmp_path: Path) -> None:
    async with small_lab(tmp_path, server=server) as lab:
        other = tmp_path / "other"
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(other)
        other.chmod(0o600)

        with pytest.raises(DeviceError) as caught:
            await lab.transport.open(lab.device(key_file=str(other)), deadline_s=10)

        assert caught.value.reason == Reason.AUTHENTICATION


async def test_no_known_host_key_means_no_contact(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab:
        with pytest.raises(DeviceError) as caught:
            await lab.transport.open(lab.device(host_keys=()), deadline_s=10)

        assert caught.value.reason == Reason.HOST_KEY
        assert "no host key is known" in caught.value.message


async def test_server_that_is_down_is_unreachable(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab:
        await lab.fleet.device("lab-01").power_off()

        with pytest.raises(DeviceError) as caught:
            await lab.transport.open(lab.device(), deadline_s=10)

        assert caught.value.reason == Reason.UNREACHABLE


async def test_connection_lost_in_the_middle_is_told(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab:
        async with lab.session() as session:
            await lab.fleet.device("lab-01").reboot()

            with pytest.raises(DeviceError) as caught:
                await session.ask(Request(Verb.HELLO, {"nonce": "a"}), deadline_s=10)

        assert caught.value.reason == Reason.CONNECTION_LOST
        assert (await lab.hello())["state"] == "none"


async def test_request_outside_the_grammar_is_never_sent(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab, lab.session() as session:
        with pytest.raises(DeviceError) as caught:
            await session.ask(Request(Verb.HELLO, {"nonce": "a;b"}), deadline_s=10)

        assert caught.value.reason == Reason.USAGE


async def test_settings_without_any_key_say_so(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab:
        transport = SshTransport()

        with pytest.raises(DeviceError) as caught:
            await transport.open(lab.device(key_file=None), deadline_s=10)

        assert caught.value.reason == Reason.AUTHENTICATION
        await transport.close()


@pytest.mark.skipif(SSHD is None, reason="sshd is not installed")
async def test_devices_behind_a_jump_host_share_one_connection_to_it(tmp_path: Path) -> None:
    async with small_lab(tmp_path, devices=6) as lab, _jump_host(lab, tmp_path) as (jump, log):
        known = tmp_path / "known_hosts"
        known.write_text(jump.known_hosts_line)
        transport = SshTransport(SshSettings(known_hosts=(known,)))
        hop = Hop("127.0.0.1", jump.port, getpass.getuser())

        async def hello(name: str) -> str:
            session = await transport.open(lab.device(name, jumps=(hop,)), deadline_s=15)
            reply = await session.ask(Request(Verb.HELLO, {"nonce": "a"}), deadline_s=15)
            await session.close()
            return reply.fields["state"]

        states = await asyncio.gather(*(hello(name) for name in lab.fleet.addresses))

        assert states == ["none"] * 6
        assert log.read_text().count("Accepted publickey") == 1
        await transport.close()


@pytest.mark.skipif(SSHD is None, reason="sshd is not installed")
async def test_host_key_is_checked_behind_a_jump_host(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab, _jump_host(lab, tmp_path) as (jump, _):
        known = tmp_path / "known_hosts"
        known.write_text(jump.known_hosts_line)
        transport = SshTransport(SshSettings(known_hosts=(known,)))
        hop = Hop("127.0.0.1", jump.port, getpass.getuser())

        device = lab.device(jumps=(hop,), host_keys=(jump.host_key,))
        with pytest.raises(DeviceError) as caught:
            await transport.open(device, deadline_s=15)

        assert caught.value.reason == Reason.HOST_KEY
        await transport.close()


@pytest.mark.skipif(SSHD is None, reason="sshd is not installed")
async def test_jump_host_is_logged_in_to_with_the_key_named_for_it(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "gw")
    (tmp_path / "gw").chmod(0o600)
    (tmp_path / "gw").chmod(0o600)
    key.write_public_key(tmp_path / "gw.pub")
    async with small_lab(tmp_path) as lab, _jump_host(lab, tmp_path, "gw.pub") as (jump, _):
        known = tmp_path / "known_hosts"
        known.write_text(jump.known_hosts_line)
        transport = SshTransport(SshSettings(known_hosts=(known,)))
        hop = Hop("127.0.0.1", jump.port, getpass.getuser(), str(tmp_path / "gw"))

        session = await transport.open(lab.device(jumps=(hop,)), deadline_s=15)
        reply = await session.ask(Request(Verb.HELLO, {"nonce": "a"}), deadline_s=15)
        await session.close()

        assert reply.fields["state"] == "none"
        await transport.close()


@pytest.mark.skipif(SSHD is None, reason="sshd is not installed")
async def test_unknown_jump_host_is_not_used(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab, _jump_host(lab, tmp_path) as (jump, log):
        transport = SshTransport()
        hop = Hop("127.0.0.1", jump.port, getpass.getuser())

        with pytest.raises(DeviceError) as caught:
            await transport.open(lab.device(jumps=(hop,)), deadline_s=15)

        assert caught.value.reason == Reason.HOST_KEY
        assert "Accepted" not in log.read_text()
        await transport.close()


@asynccontextmanager
async def _jump_host(
    lab: Lab, directory: Path, authorized: str = ""
) -> AsyncIterator[tuple[Sshd, Path]]:
    accepted = directory / authorized if authorized else lab.fleet.directory / "controller.pub"
    options = {
        "AuthorizedKeysFile": str(accepted),
        "AllowTcpForwarding": "local",
        "PermitRootLogin": "prohibit-password",
    }
    port = free_port()
    async with sshd(directory, options, port=port) as jump:
        yield jump, directory / f"sshd_{port}.log"
