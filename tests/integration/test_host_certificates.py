"""Enrolment places the certificate by which a host proves itself without a pin, and takes it away."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.api.admin_values import EnrollRequest, ReleaseRequest
from orchestrator.api.authorities import Vouching, ca_init
from orchestrator.api.enrolment import device_enroll, device_release
from orchestrator.api.trust_values import Unlock
from orchestrator.api.values import DeviceAnswer, Settings, Source
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.connect import Connector
from orchestrator.ssh.profile import SshSettings
from tests.integration.desk import Desk, desk
from tests.integration.real_host import OPERATOR, why_not

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}"),
]
CERTIFICATE = "/etc/rollout/host-cert.pub"
PLACED = [f"+ file {CERTIFICATE}", "+ file /etc/ssh/sshd_config.d/rollout.conf"]
DAY_S = 86_400


def of_certificates(answer: DeviceAnswer) -> list[str]:
    """What it says of the certificate and where the server reads of it."""
    return [one for one in answer.facts if "host-cert" in one or "sshd_config.d" in one]


async def proves_itself(at: Desk, authority: str) -> str:
    """Whether the host is believed without a pin, or why not."""
    connector = Connector(SshSettings(host_authorities=(authority,)))
    try:
        await at.host.until_up()  # sshd listens anew once it was told
        unpinned = replace(at.host.operator, host_keys=())
        connection = await connector.connect(unpinned, deadline_s=15, identity="edge-1")
        connection.close()
    except DeviceError as error:
        return error.message
    finally:
        await connector.close()
    return "yes"


def request_of(at: Desk, place: Path, ca: str, **more: object) -> EnrollRequest:
    host = {
        "ansible_host": "127.0.0.1",
        "ansible_port": at.host.port,
        "ansible_ssh_private_key_file": at.host.operator.key_file,
        "rollout_host_keys": at.host.host_key_line,
    }
    (place / "hosts.json").write_text(json.dumps({"all": {"hosts": {"edge-1": host}}}))
    (place / "release.pem").write_bytes(at.signing.public_pem)
    return EnrollRequest(
        "edge-1", Source((str(place / "hosts.json"),)), (place / "release.pem",),
        device_type="edge", login=OPERATOR, become="sudo",
        vouching=Vouching(place / ca, Unlock(), DAY_S), **more,
    )  # fmt: skip


async def test_enrolment_places_the_certificate_that_stands_for_the_pin(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, state=str(tmp_path / "state.db"))
    first_ca, other_ca = (ca_init(tmp_path / name, None) for name in ("ca", "other"))
    async with desk(tmp_path, config="/etc/ssh/sshd_config") as at:
        wanted = request_of(at, tmp_path, "ca")

        async def enrolled(request: EnrollRequest) -> DeviceAnswer:
            (answer,) = await device_enroll(settings, request, lambda _answer: None)
            assert answer.ok, answer
            return answer

        looked = await enrolled(replace(wanted, look_only=True))
        before = at.host.path(CERTIFICATE).exists()
        first = await enrolled(wanted)
        shown = await proves_itself(at, first_ca)
        again = await enrolled(wanted)
        kept = await enrolled(replace(wanted, vouching=None))
        other = await enrolled(request_of(at, tmp_path, "other"))
        by_other = await proves_itself(at, other_ca)
        release = ReleaseRequest("edge-1", wanted.source, login=OPERATOR, become="sudo")
        (released,) = await device_release(settings, release, lambda _answer: None)
        after = await proves_itself(at, other_ca)

    assert (of_certificates(looked), before) == (PLACED, False)
    assert of_certificates(first) == PLACED
    assert (shown, by_other) == ("yes", "yes")
    assert [again.reason, kept.reason] == [Reason.UNCHANGED] * 2
    assert of_certificates(other) == [f"~ file {CERTIFICATE}"]
    assert of_certificates(released) == [one.replace("+", "-") for one in PLACED]
    assert "shows no certificate" in after


async def test_server_that_reads_no_folder_is_left_without_a_certificate(tmp_path: Path) -> None:
    """And it is said so; the rest of the enrolment does not depend on it."""
    ca_init(tmp_path / "ca", None)
    async with desk(tmp_path) as at:
        at.host.path("/etc/ssh/sshd_config").write_text("UsePAM no\n")

        (answer,) = await device_enroll(
            Settings(root=tmp_path, state=str(tmp_path / "state.db")),
            request_of(at, tmp_path, "ca"),
            lambda _answer: None,
        )

        assert answer.ok
        assert "no host certificate was placed" in answer.detail
        assert not at.host.path(CERTIFICATE).exists()
        assert not at.host.path("/etc/ssh/sshd_config.d/rollout.conf").exists()
