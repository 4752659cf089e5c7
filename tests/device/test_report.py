"""What a device says of itself, and signs."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import asyncssh

from orchestrator.trust.report import read_report, signed_report
from tests.device.kit import Device, directory
from tests.device.test_prove import prove
from tests.device.tickets import hide, wrapped


def test_report_says_what_runs_and_is_signed_by_the_host(device: Device, tmp_path: Path):
    """Where there is ssh-keygen; a device of busybox alone says that it cannot. No openssl is needed."""
    device.release(1, directory("r1"))
    (device.root / "etc/rollout/device_id").write_text("dev-1\n")
    key = host_key(device)
    able = shutil.which("ssh-keygen", path=device.shell.path) is not None

    said = device.ask("attest nonce=abc")
    text = base64.b64decode(said.fields["report"])
    signatures = [base64.b64decode(one) for one in said.all("signature")]
    hide(device, tmp_path / "tools", ("openssl",))
    wrapped(tmp_path / "tools", "base64", "[ $# -eq 0 ] || exit 1", "")  # as in busybox before 1.33
    without = device.ask("attest nonce=abc")
    key.unlink()
    keyless = device.ask("attest nonce=abc")

    values = read_report(text)
    told = {key: values[key] for key in ("device", "nonce", "artifact", "active", "state")}
    assert told == {
        "device": "dev-1", "nonce": "abc", "artifact": "r1", "active": "yes",
        "state": device.fields()["state"],
    }  # fmt: skip
    if able:
        public = key.with_name(f"{key.name}.pub").read_text()
        assert signed_report(text, signatures, [" ".join(public.split()[:2])], 0.0).values == values
        assert keyless.fields["unsigned"] == "no_host_key"
        text = base64.b64decode(without.fields["report"])
        signatures = [base64.b64decode(one) for one in without.all("signature")]
        assert signed_report(text, signatures, [" ".join(public.split()[:2])], 0.0)
    else:
        assert said.fields["unsigned"] == keyless.fields["unsigned"] == "no_ssh_keygen"
        assert signatures == []


def test_proof_brings_a_signed_report_of_itself_before_it_waits(device: Device):
    """What the controller decides by is signed, and by the one key that it knows."""
    (device.root / "etc/rollout/device_id").write_text("dev-1\n")
    public = host_key(device).with_suffix(".pub").read_text().split()[:2]
    assert device.deliver(1, directory("r1").frames(device.key)).rc == 0
    able = shutil.which("ssh-keygen", path=device.shell.path) is not None

    facts = device.ask("facts")
    said, reply = prove(device, "commit", more=" report=ed25519")

    assert facts.all("signs") == ((f"dev-1 {' '.join(public)}",) if able else ())
    assert (said.fields["active"], reply.rc) == ("yes", 0)
    text = base64.b64decode(said.fields["report"])
    own = {key: read_report(text)[key] for key in ("nonce", "artifact", "manifest", "active")}
    assert own == {key: said.fields[key] for key in own}
    if able:
        (signature,) = said.all("signature")
        assert signed_report(text, [base64.b64decode(signature)], [" ".join(public)], 0.0)
    else:
        assert said.fields["unsigned"] == "no_ssh_keygen"


def test_proof_holds_without_the_program_that_reports(device: Device):
    assert device.deliver(1, directory("r1").frames(device.key)).rc == 0
    (device.root / "usr/lib/rollout/report.sh").unlink()

    said, _reply = prove(device, "", more=" report=ecdsa")

    assert (said.fields["active"], said.fields["unsigned"]) == ("yes", "no_report")
    assert device.ask("facts").all("signs") == ()
    assert device.ask("health nonce=n1 report=rsa").rc == 64


def host_key(device: Device) -> Path:
    key = device.root / "etc/ssh/ssh_host_ed25519_key"
    key.parent.mkdir(parents=True)
    private = asyncssh.generate_private_key("ssh-ed25519")
    private.write_private_key(key, "openssh")
    key.chmod(0o600)
    private.write_public_key(key.with_name(f"{key.name}.pub"))
    return key


def test_report_wants_a_nonce(device: Device):
    assert device.ask("attest").rc == 64
    assert device.hook("core", "report").returncode == 64
