"""What a proof's signature is worth."""

from __future__ import annotations

import base64

import asyncssh
import pytest

from orchestrator.api.reports import HostReports
from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.device.protocol import Reply
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, TrustError
from orchestrator.trust.report import NAMESPACE

KEY, OTHER = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
SAID = {
    "nonce": "n1", "state": "probation", "artifact": "app-1", "manifest": "0" * 64,
    "active": "yes", "boot-id": "b",
}  # fmt: skip


def line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


def proof(*signers: asyncssh.SSHKey, device: str = "gw-1", **signed: str) -> Reply:
    """A reply, and what was signed beside it, which says `signed` instead."""
    values = {
        "device": device, "nonce": "n1", "time": "1764115200", "component": "main",
        **{key: SAID[key] for key in ("state", "artifact", "manifest", "active", "boot-id")},
    } | {key.replace("_", "-"): value for key, value in signed.items()}  # fmt: skip
    text = (
        "device-report 1\n" + "".join(f"{key} {value}\n" for key, value in values.items())
    ).encode()
    lines = [("report", base64.b64encode(text).decode())]
    for key in signers:
        made = asyncssh.create_sshsig(key, text, namespace=NAMESPACE)
        lines.append(("signature", base64.b64encode(made).decode()))
    return Reply(0, (*SAID.items(), *lines))


def judged(said: Reply, *, pinned: tuple[str, ...] = (), required: bool = False) -> tuple[str, str]:
    device = Device(DeviceId("gw-1"), Address("127.0.0.1", host_keys=pinned))
    found = HostReports(required=required).judge(device, said, line(KEY))
    return found.key, found.why


def test_signature_of_the_proven_host_key_names_that_key() -> None:
    assert judged(proof(OTHER, KEY), required=True) == (KEY.get_fingerprint("sha256"), "")


def test_signature_of_a_pinned_key_counts_as_well() -> None:
    found, _why = judged(proof(OTHER), pinned=(line(OTHER),))

    assert found == OTHER.get_fingerprint("sha256")


@pytest.mark.parametrize(
    "said",
    [proof(OTHER), proof(KEY, nonce="n0"), proof(KEY, device="gw-2")],
    ids=["of another key", "of another time", "of another device"],
)
def test_signature_that_does_not_hold_is_a_matter_of_trust(said: Reply) -> None:
    with pytest.raises(TrustError) as caught:
        judged(said)

    assert caught.value.code in ("T112", "T133", "T191")


@pytest.mark.parametrize("changed", [{"manifest": "1" * 64}, {"active": "no"}, {"boot_id": "c"}])
def test_reply_that_says_something_else_than_was_signed_is_no_proof(changed) -> None:
    with pytest.raises(DeviceError) as caught:
        judged(proof(KEY, **changed))

    assert caught.value.reason == Reason.PROTOCOL


@pytest.mark.parametrize(
    ("lines", "why"), [((("unsigned", "no_host_key"),), "no_host_key"), ((), "no_report")]
)
def test_missing_signature_is_told_and_refused_where_there_has_to_be_one(lines, why) -> None:
    said = Reply(0, (*SAID.items(), *lines))

    assert judged(said) == ("", why)
    with pytest.raises(TrustError, match=f"did not sign its report: {why}"):
        judged(said, required=True)


def test_report_without_any_signature_is_unsigned() -> None:
    assert judged(proof()) == ("", "no_report")


def test_report_that_is_no_base64_is_no_proof() -> None:
    said = Reply(0, (*SAID.items(), ("report", "%"), ("signature", "%")))

    with pytest.raises(DeviceError, match="not base64"):
        judged(said)
