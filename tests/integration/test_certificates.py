"""Certificates against real OpenSSH servers: devices without a pin, and short-lived logins."""

from __future__ import annotations

import asyncio
import getpass
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from orchestrator.api.authorities import ca_init, user_authority
from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.lab.layout import Server
from orchestrator.ssh.authority import ShortLived, load_authority, sign_host, sign_user
from orchestrator.ssh.connect import Connector
from orchestrator.ssh.profile import SshSettings
from orchestrator.ssh.transport import SshTransport
from tests.integration.desk import HELLO, desk
from tests.integration.lab_kit import small_lab
from tests.integration.project import Project
from tests.integration.real_host import why_not
from tests.integration.sshd import SSHD, sshd
from tests.loopback import free_port

pytestmark = pytest.mark.integration
SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"
with_sshd = pytest.mark.skipif(SSHD is None, reason="sshd is not installed")


def new_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


def line(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


class Certified:
    """Who vouches for hosts, the key of one, and a key that may log in there."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.authority, self.host_key, self.login = new_key(), new_key(), new_key()
        self.login.write_private_key(place / "login")
        (place / "login").chmod(0o600)
        self.login.write_public_key(place / "authorized")

    @asynccontextmanager
    async def host(self, certificate: bytes) -> AsyncIterator[Address]:
        """A server that shows this certificate."""
        path = self.place / "host-cert.pub"
        path.write_bytes(certificate)
        options = {
            "HostCertificate": str(path),
            "AuthorizedKeysFile": str(self.place / "authorized"),
            "PermitRootLogin": "yes",
        }
        port = free_port()
        async with sshd(self.place, options, port=port, host_key=self.host_key):
            yield Address("127.0.0.1", port, getpass.getuser(), str(self.place / "login"))

    async def refused(self, certificate: bytes, settings: SshSettings) -> DeviceError:
        async with self.host(certificate) as address:
            connector = Connector(settings)
            try:
                with pytest.raises(DeviceError) as caught:
                    await connector.connect(address, deadline_s=15, identity="gw-1")
            finally:
                await connector.close()
        return caught.value


@with_sshd
async def test_device_without_a_pin_proves_itself_by_its_certificate(tmp_path: Path) -> None:
    at, now_s = Certified(tmp_path), int(time.time())
    good = sign_host(at.authority, line(at.host_key), "gw-1", now_s=now_s, valid_s=3600)
    settings = SshSettings(host_authorities=(line(at.authority),))

    async with at.host(good) as address:
        connector = Connector(settings)
        connection = await connector.connect(address, deadline_s=15, identity="gw-1")
        proven = connection.get_server_host_key()
        connection.close()
        unnamed = replace(address, user="other")  # a jump host has no name of its own
        with pytest.raises(DeviceError, match="no host key is known"):
            await connector.connect(unnamed, deadline_s=15)
        pinned = replace(address, host_keys=(line(new_key()),))
        with pytest.raises(DeviceError, match="not trusted") as other_pin:
            await connector.connect(pinned, deadline_s=15, identity="gw-1")
        await connector.close()

    assert proven is not None
    assert line(proven).split()[:2] == line(at.host_key).split()[:2]
    assert other_pin.value.reason == Reason.HOST_KEY


@with_sshd
@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("another device", "is for `gw-2`, not for `gw-1`"),
        ("everybody", "is for nobody by name"),
        ("over", "is not valid any more"),
        ("another authority", "an authority that is not ours"),
        ("none", "shows no certificate"),
    ],
)
async def test_certificate_that_is_not_the_devices_is_refused(
    bad: str, why: str, tmp_path: Path
) -> None:
    at, now_s = Certified(tmp_path), int(time.time())
    settings = SshSettings(host_authorities=(line(at.authority),))
    name, authority, begin_s = "gw-1", at.authority, now_s
    match bad:
        case "another device":
            name = "gw-2"
        case "over":
            begin_s = now_s - 7200
        case "another authority":
            authority = new_key()
    certificate = sign_host(authority, line(at.host_key), name, now_s=begin_s, valid_s=3600)
    if bad == "everybody":
        made = at.authority.generate_host_certificate(
            at.host_key, "id", valid_after=now_s - 60, valid_before=now_s + 60
        )
        certificate = made.export_certificate("openssh")
    if bad == "none":
        certificate = b""

    error = await at.refused(certificate, settings)

    assert error.reason == Reason.HOST_KEY
    assert why in error.message


@pytest.mark.root
@pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}")
async def test_short_lived_certificate_is_the_only_way_in(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        authority, now_s = new_key(), int(time.time())
        changes = await at.admin.enrol(at.wanted(user_ca=line(authority)))
        again = await at.admin.plan_enrol(at.wanted(user_ca=line(authority)))
        keys = at.host.path("/var/lib/rollout/home/.ssh/authorized_keys").read_text()
        device = Device(DeviceId("edge-1"), at.host.address("rollout", at.login_file))

        with pytest.raises(DeviceError) as by_key:
            await at.ask(HELLO)
        short = ShortLived(authority, "r-7f3a me@here", valid_s=60)
        transport = SshTransport(SshSettings(short_lived=short))
        session = await transport.open(device, deadline_s=15)
        hello = await session.ask(HELLO, deadline_s=30)
        await transport.close()
        refused = [
            await _refused(at.login, device, certificate)
            for certificate in _others(authority, at.login, now_s)
        ]

        assert "+ authority /var/lib/rollout/home/.ssh/authorized_keys" in [
            str(change) for change in changes.changes
        ]
        assert not again.differs
        assert keys.count("\n") == 1
        assert 'cert-authority,principals="rollout",command=' in keys
        assert by_key.value.reason == Reason.AUTHENTICATION
        assert hello.fields["device-type"] == "edge"
        assert refused == [True, True, True, True]
        assert "r-7f3a me@here" in (at.host.directory / "log").read_text()


@pytest.mark.night  # five commands and a host of its own take some 15 s
@pytest.mark.root
@pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}")
async def test_rollout_goes_by_certificates_alone_in_both_directions(tmp_path: Path) -> None:
    """No pin and no login key: the host shows its certificate, the engine makes its own, and the
    report before the commit is signed with the key that the host's authority vouched for."""
    for name in ("host-ca", "user-ca"):
        ca_init(tmp_path / name, None)
    authority = load_authority(tmp_path / "host-ca", lambda: b"")
    now_s = int(time.time())

    def vouch(key: str) -> bytes:
        return sign_host(authority, key, "edge-1", now_s=now_s, valid_s=3600)

    project = Project(tmp_path)
    project.env = {
        "ROLLOUT_HOST_CA": str(tmp_path / "host-ca.pub"),
        "ROLLOUT_USER_CA": str(tmp_path / "user-ca"),
        "ROLLOUT_REQUIRE_SIGNED_REPORTS": "true",
    }
    project.run("key", "generate", "release.key")
    signing = {"release": (tmp_path / "release.key.pub").read_bytes()}
    async with desk(tmp_path, vouch=vouch) as at:
        user_ca = user_authority(tmp_path / "user-ca")
        await at.admin.enrol(at.wanted(user_ca=user_ca, signing_keys=signing, device_type="lab"))
        own = at.host.path("/etc/ssh/ssh_host_ed25519_key")
        own.write_bytes(at.host.host_key.export_private_key("openssh"))
        own.chmod(0o600)
        own.with_suffix(".pub").write_text(f"{at.host.host_key_line}\n")
        plan = project.directory_release("1", more={"version.txt": "1"})
        (tmp_path / "edge.yml").write_text(
            "lab: {hosts: {edge-1: {ansible_host: 127.0.0.1, ansible_user: rollout, "
            f"ansible_port: {at.host.port}}}}}}}\n"
        )

        await _by_process(project, "apply", plan, "-i", "edge.yml", "--yes")

        told = " ".join((await _by_process(project, "status", "--why", "edge-1")).split())
        assert at.host.path("/opt/app/version.txt").read_text() == "1"
        assert f"report signed by {at.host.host_key.get_fingerprint('sha256')}" in told
        log = (at.host.directory / "log").read_text()
        logins = [each for each in log.splitlines() if "Accepted publickey for rollout " in each]
        assert all(" ED25519-CERT " in each for each in logins)
        assert any(re.search(r" ID r-[0-9a-f]{8} ", each) for each in logins)


async def _by_process(project: Project, *words: str | Path) -> str:
    """A command beside the event loop of the test; gives what it printed."""
    process = await asyncio.create_subprocess_exec(
        *project.command(*words), cwd=project.root, env=project.environment(),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


@pytest.mark.skipif(not shutil.which("dropbear", path=SBIN), reason="dropbear is not installed")
@pytest.mark.skipif(not shutil.which("bwrap"), reason="bwrap is not installed")
async def test_dropbear_which_knows_no_certificates_is_reached_by_pin_and_login_key(
    tmp_path: Path,
) -> None:
    """The fallback beside authorities for all others: nothing is taken on trust instead."""
    short = ShortLived(new_key(), "r-1", valid_s=60)
    settings = SshSettings(host_authorities=(line(new_key()),), short_lived=short)
    async with small_lab(tmp_path, server=Server.DROPBEAR, settings=settings) as lab:
        hello = await lab.ask(HELLO)
        with pytest.raises(DeviceError, match="shows no certificate") as unpinned:
            await lab.transport.open(lab.device(host_keys=()), deadline_s=15)

    assert hello.fields["device-type"] == "lab"
    assert unpinned.value.reason == Reason.HOST_KEY


def _others(
    authority: asyncssh.SSHKey, login: asyncssh.SSHKey, now_s: int
) -> list[asyncssh.SSHCertificate]:
    """Over; of another authority; for another network; for another principal."""
    mine = line(login)
    texts = [
        sign_user(authority, mine, "id", now_s=now_s - 500, valid_s=60),
        sign_user(new_key(), mine, "id", now_s=now_s, valid_s=60),
        sign_user(authority, mine, "id", now_s=now_s, valid_s=60, sources=["192.0.2.0/24"]),
    ]
    other = authority.generate_user_certificate(login, "id", principals=["root"])
    return [*map(asyncssh.import_certificate, texts), other]


async def _refused(
    login: asyncssh.SSHKey, device: Device, certificate: asyncssh.SSHCertificate
) -> bool:
    pinned = [asyncssh.import_public_key(one) for one in device.address.host_keys]
    try:
        connection = await asyncssh.connect(
            "127.0.0.1", device.address.port, username="rollout", config=None,
            client_keys=[(login, certificate)], known_hosts=(pinned, [], []), agent_path=None,
        )  # fmt: skip
    except asyncssh.PermissionDenied:
        return True
    connection.close()
    return False
