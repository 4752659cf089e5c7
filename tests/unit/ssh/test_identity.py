from pathlib import Path

import asyncssh
import pytest

from orchestrator.device.model import Address
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.identity import HostTrust, KeyRing
from orchestrator.ssh.profile import SshSettings


@pytest.fixture
def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


def line_of(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


def test_pinned_keys_win_over_known_hosts(tmp_path: Path, key: asyncssh.SSHKey) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"device {line_of(asyncssh.generate_private_key('ssh-ed25519'))}\n")
    trust = HostTrust([known])

    trusted, authorities, revoked = trust.of(Address("device", host_keys=(line_of(key),)))

    assert [line_of(one) for one in trusted] == [line_of(key)]
    assert not authorities
    assert not revoked


def test_known_hosts_decide_without_a_pin(tmp_path: Path, key: asyncssh.SSHKey) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[device]:2222 {line_of(key)}\n")
    trust = HostTrust([tmp_path / "missing", known])

    assert len(trust.of(Address("device", port=2222))[0]) == 1
    with pytest.raises(DeviceError, match="no host key is known") as caught:
        trust.of(Address("device"))
    assert caught.value.reason == Reason.HOST_KEY


def test_known_hosts_that_revoke_nothing_are_not_read_for_pinned_devices(
    tmp_path: Path, key: asyncssh.SSHKey
) -> None:
    """A line that is none stops no device that has a pin; one that revokes must be understood."""
    known = tmp_path / "known_hosts"
    pinned = Address("device", host_keys=(line_of(key),))
    known.write_text("nonsense\n")
    assert not HostTrust([known]).of(pinned)[2]

    known.write_text(f"@revoked device {line_of(key)}\n")
    assert [line_of(one) for one in HostTrust([known]).of(pinned)[2]] == [line_of(key)]
    known.write_text("@revoked nonsense\n")
    with pytest.raises(DeviceError, match="known_hosts cannot be read"):
        HostTrust([known]).of(pinned)


def test_pin_that_is_no_key_is_refused() -> None:
    with pytest.raises(DeviceError, match="pinned host key cannot be read") as caught:
        HostTrust([]).of(Address("device", host_keys=("ssh-ed25519 nonsense",)))

    assert caught.value.reason == Reason.HOST_KEY


async def test_key_file_is_read_once(tmp_path: Path, key: asyncssh.SSHKey) -> None:
    path = tmp_path / "key"
    key.write_private_key(path)
    path.chmod(0o600)
    ring = KeyRing(SshSettings())
    (first,) = await ring.keys(str(path))
    path.unlink()

    (second,) = await ring.keys(str(path))

    assert second is first


async def test_key_with_a_passphrase_sends_people_to_the_agent(
    tmp_path: Path, key: asyncssh.SSHKey
) -> None:
    path = tmp_path / "key"
    path.write_bytes(key.export_private_key("pkcs8-pem", "secret"))
    path.chmod(0o600)

    with pytest.raises(DeviceError, match=r"(?i)passphrase") as caught:
        await KeyRing(SshSettings()).keys(str(path))

    assert caught.value.reason == Reason.AUTHENTICATION
    assert "agent" in caught.value.hint


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o610])
async def test_key_that_others_may_read_is_not_used(
    tmp_path: Path, key: asyncssh.SSHKey, mode: int
) -> None:
    """As OpenSSH, which says `UNPROTECTED PRIVATE KEY FILE`; of the defaults the others serve."""
    path, other = tmp_path / "id_ed25519", tmp_path / "id_ecdsa"
    for each in (path, other):
        key.write_private_key(each)
        each.chmod(0o600)
    path.chmod(mode)

    with pytest.raises(DeviceError, match="others may read it") as named:
        await KeyRing(SshSettings()).keys(str(path))
    with pytest.raises(DeviceError, match="others may read it"):
        await KeyRing(SshSettings(default_keys=(path,))).keys(None)
    found = await KeyRing(SshSettings(default_keys=(path, other))).keys(None)

    assert (named.value.reason, len(found)) == (Reason.AUTHENTICATION, 1)
    assert "chmod 600" in named.value.hint


@pytest.mark.parametrize("content", [None, b"nonsense"])
async def test_key_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)

    with pytest.raises(DeviceError, match="cannot be read") as caught:
        await KeyRing(SshSettings()).keys(str(path))

    assert caught.value.reason == Reason.AUTHENTICATION


async def test_default_keys_serve_when_no_file_is_named(
    tmp_path: Path, key: asyncssh.SSHKey
) -> None:
    path = tmp_path / "id_ed25519"
    key.write_private_key(path)
    path.chmod(0o600)
    gone = str(tmp_path / "no-agent")
    ring = KeyRing(SshSettings(default_keys=(tmp_path / "none", path), agent_socket=gone))

    (found,) = await ring.keys(None)

    assert isinstance(found, asyncssh.SSHKey)
    assert line_of(found) == line_of(key)


async def test_no_key_at_all_is_told() -> None:
    with pytest.raises(DeviceError, match="no key to log in with") as caught:
        await KeyRing(SshSettings()).keys(None)

    assert caught.value.reason == Reason.AUTHENTICATION
