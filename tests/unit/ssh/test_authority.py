"""An authority of ours, with `ssh-keygen` as the judge of what it makes."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import asyncssh
import pytest

from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, TrustError
from orchestrator.ssh.authority import (
    ShortLived,
    load_authority,
    make_authority,
    renewed_host,
    sign_host,
    sign_user,
)
from orchestrator.ssh.identity import KeyRing
from orchestrator.ssh.profile import SshSettings
from orchestrator.trust.certificate import check_host, check_user, read_certificate


def nobody() -> bytes:
    raise AssertionError("nobody is asked")


@pytest.fixture
def authority(tmp_path: Path) -> asyncssh.SSHKey:
    make_authority(tmp_path / "ca", None)
    return load_authority(tmp_path / "ca", nobody)


@pytest.fixture
def key(tmp_path: Path) -> asyncssh.SSHKey:
    made = asyncssh.generate_private_key("ssh-ed25519", comment="me")
    made.write_private_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o600)
    return made


def line(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")
def test_certificates_say_to_ssh_keygen_what_they_are_for(
    tmp_path: Path, authority: asyncssh.SSHKey, key: asyncssh.SSHKey
) -> None:
    now_s = int(time.time())
    made = {
        "host": sign_host(authority, line(key), "gw-1", now_s=now_s, valid_s=3600),
        "user": sign_user(
            authority, line(key), "r-7f3a", now_s=now_s, valid_s=60, sources=["192.0.2.0/24"]
        ),
    }
    told = {}
    for name, data in made.items():
        (tmp_path / f"{name}-cert.pub").write_bytes(data)
        shown = subprocess.run(
            ["ssh-keygen", "-L", "-f", tmp_path / f"{name}-cert.pub"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        told[name] = re.sub(r"\s+", " ", shown.stdout)

    assert "ssh-ed25519-cert-v01@openssh.com host certificate" in told["host"]
    assert "Principals: gw-1 Critical Options: (none) Extensions: (none)" in told["host"]
    assert 'Key ID: "r-7f3a"' in told["user"]
    assert (
        "Principals: rollout Critical Options: force-command /usr/lib/rollout/launch"
        in (told["user"])
    )
    assert "source-address 192.0.2.0/24 Extensions: (none)" in told["user"]
    for name, check, principal in (("host", check_host, "gw-1"), ("user", check_user, "rollout")):
        blob = asyncssh.read_certificate(tmp_path / f"{name}-cert.pub").public_data
        check(read_certificate(blob), principal, now_s)


def test_authority_is_never_replaced_and_may_be_encrypted(tmp_path: Path) -> None:
    public = make_authority(tmp_path / "ca", b"hush")

    with pytest.raises(TrustError, match="exists already"):
        make_authority(tmp_path / "ca", None)
    with pytest.raises(TrustError, match="cannot be used"):
        load_authority(tmp_path / "ca", lambda: b"push")
    unlocked = load_authority(tmp_path / "ca", lambda: b"hush")
    assert line(unlocked).split()[:2] == public.split()[:2]
    assert (tmp_path / "ca").stat().st_mode & 0o777 == 0o600


def test_weak_authorities_and_odd_values_vouch_for_nobody(
    tmp_path: Path, authority: asyncssh.SSHKey, key: asyncssh.SSHKey
) -> None:
    weak = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    weak.write_private_key(tmp_path / "weak")
    (tmp_path / "weak").chmod(0o600)

    with pytest.raises(TrustError, match="of the kind `ssh-rsa`"):
        load_authority(tmp_path / "weak", nobody)
    (tmp_path / "ca").chmod(0o640)
    with pytest.raises(TrustError, match="others may read it"):
        load_authority(tmp_path / "ca", nobody)
    with pytest.raises(TrustError, match="of the kind `ssh-rsa`"):
        sign_host(authority, line(weak), "gw-1", now_s=0, valid_s=1)
    with pytest.raises(TrustError, match="cannot be made"):
        sign_user(authority, line(key), "id", now_s=0, valid_s=1, sources=["nowhere"])


def test_short_lived_certificates_are_made_anew_at_half_their_life(
    authority: asyncssh.SSHKey,
) -> None:
    short = ShortLived(authority, "r-1 me@here", valid_s=100)

    first, same, later = short.pair(1000.0), short.pair(1049.0), short.pair(1050.0)
    certificate = read_certificate(later[1].public_data)

    assert first is same
    assert first[0] != later[0]
    assert (certificate.valid_before, certificate.key_id) == (1150, "r-1 me@here")


async def test_certificate_beside_a_key_goes_before_it(
    tmp_path: Path, authority: asyncssh.SSHKey, key: asyncssh.SSHKey
) -> None:
    beside = tmp_path / "key-cert.pub"
    now_s = int(time.time())
    other = authority.generate_user_certificate(key, "me", principals=["me"])
    other.write_certificate(beside)
    (alone,) = await KeyRing(SshSettings()).keys(str(tmp_path / "key"))

    beside.write_bytes(sign_user(authority, line(key), "id", now_s=now_s, valid_s=60))
    short = ShortLived(authority, "id", valid_s=60)
    own, certified, plain = await KeyRing(SshSettings(short_lived=short)).keys(
        str(tmp_path / "key")
    )
    beside.write_bytes(sign_user(authority, line(key), "id", now_s=now_s - 100, valid_s=60))
    with pytest.raises(DeviceError, match="not valid any more") as caught:
        await KeyRing(SshSettings()).keys(str(tmp_path / "key"))

    assert (alone, plain) == (key, key)
    assert isinstance(certified, tuple)
    assert isinstance(own, tuple)
    assert certified[0] == key
    assert caught.value.reason == Reason.AUTHENTICATION


def test_host_certificate_is_kept_while_it_is_as_wanted(
    authority: asyncssh.SSHKey, key: asyncssh.SSHKey
) -> None:
    now_s = int(time.time())
    host, other = line(key), asyncssh.generate_private_key("ssh-ed25519")

    def renewed(held: str, **changed: object) -> str:
        given = {"authority": authority, "host_key": host, "device": "gw-1", "now_s": now_s}
        made = renewed_host(**(given | {"held": held, "valid_s": 1000} | changed))  # type: ignore[arg-type]
        return made.decode().strip()

    held = renewed("")
    checked = read_certificate(asyncssh.import_certificate(held).public_data)

    check_host(checked, "gw-1", now_s)
    assert len(held.split()) == 2
    assert renewed(held) == held
    assert renewed(held, now_s=now_s + 400) == held
    for changed in (
        {"now_s": now_s + 600},  # good for less than half as long
        {"device": "gw-2"},
        {"host_key": line(other)},
        {"authority": other},
    ):
        assert renewed(held, **changed) != held, changed
    assert renewed(held[:-8]) != held[:-8]
    assert renewed("nonsense") != "nonsense"


def test_host_key_that_nobody_vouches_for_is_told_of(authority: asyncssh.SSHKey) -> None:
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048)

    with pytest.raises(TrustError, match="of the kind `ssh-rsa`"):
        renewed_host(authority, line(rsa), "gw-1", "", now_s=0, valid_s=60)
