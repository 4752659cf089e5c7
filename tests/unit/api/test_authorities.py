"""Authorities of the operator's configuration, as connections use them."""

from pathlib import Path

import pytest

from orchestrator.api.authorities import (
    Vouching,
    ca_init,
    ca_sign_host,
    host_authorities,
    user_authority,
)
from orchestrator.api.connections import open_transport, ssh_settings
from orchestrator.api.placing import Expected, identified
from orchestrator.api.trust_values import Unlock
from orchestrator.api.values import Settings
from orchestrator.device.model import Address, DeviceId
from orchestrator.errors import PlanError, TrustError
from orchestrator.trust.certificate import check_user, read_certificate


def test_several_authorities_may_vouch_for_hosts(tmp_path: Path) -> None:
    lines = [ca_init(tmp_path / name, None) for name in ("a", "b")]
    path = tmp_path / "host-ca"
    gone = ca_init(tmp_path / "c", None)  # in a comment, for everybody who reads the file
    path.write_text(f"# gone:\u2028{gone}\n# ours\n{lines[0]}\n\n{lines[1]}\n")

    found = host_authorities(path)
    path.write_text("# nobody\n")
    with pytest.raises(PlanError) as empty:
        host_authorities(path)
    path.write_text("nonsense\n")
    with pytest.raises(TrustError) as odd:
        host_authorities(path)

    assert found == tuple(" ".join(line.split()[:2]) for line in lines)
    assert host_authorities(None) == ()
    assert (empty.value.code, odd.value.code) == ("D119", "T190")


@pytest.mark.parametrize("name", ["", "*", "gw-*", "a,b", "gw 1", "a\nb", "!gw"])
def test_nothing_but_a_device_is_vouched_for(tmp_path: Path, name: str) -> None:
    """OpenSSH takes patterns in hosts' certificates, and one for nobody as one for everybody."""
    line = ca_init(tmp_path / "host-ca", None)
    (tmp_path / "host.pub").write_text(line)

    with pytest.raises(TrustError, match="there is no such device") as caught:
        ca_sign_host(Vouching(tmp_path / "host-ca", Unlock(), 3600), tmp_path / "host.pub", name)

    assert caught.value.code == "T190"
    assert not (tmp_path / "host-cert.pub").exists()


def test_commands_log_in_with_a_certificate_that_says_why(tmp_path: Path) -> None:
    line = ca_init(tmp_path / "user-ca", None)
    settings = Settings(root=tmp_path, state="", user_ca=tmp_path / "user-ca")

    short = ssh_settings(settings, "r-7f3a").short_lived
    assert short is not None
    certificate = read_certificate(short.pair(1000.0)[1].public_data)

    check_user(certificate, "rollout", 1000.0)
    assert certificate.key_id.startswith("r-7f3a ")
    assert certificate.valid_before == 4600
    assert user_authority(settings.user_ca) == " ".join(line.split()[:2])


def test_encrypted_authority_is_not_asked_for_at_work(tmp_path: Path) -> None:
    ca_init(tmp_path / "user-ca", b"hush")
    settings = Settings(root=tmp_path, state="", user_ca=tmp_path / "user-ca")

    with pytest.raises(TrustError, match="encrypted") as caught:
        ssh_settings(settings)

    assert caught.value.code == "T190"


async def test_nobody_is_asked_for_a_host_key_where_a_certificate_shows_it(tmp_path: Path) -> None:
    def accept(_device: str, _fingerprint: str) -> bool:
        raise AssertionError

    address = Address("192.0.2.1")
    expected = Expected(None, None, accept, certified=True)
    async with open_transport(Settings(root=tmp_path, state="")) as transport:
        found = await identified(transport, DeviceId("gw-1"), address, expected)

    assert found == address
