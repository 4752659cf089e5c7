"""What a device says of itself, and signs."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import asyncssh

from orchestrator.trust.report import read_report, signed_report
from tests.device.kit import Device, directory


def test_report_says_what_runs_and_is_signed_by_the_host(device: Device):
    """Where there is ssh-keygen; a device of busybox alone says that it cannot."""
    device.release(1, directory("r1"))
    (device.root / "etc/rollout/device_id").write_text("dev-1\n")
    key = host_key(device)
    able = shutil.which("ssh-keygen", path=device.shell.path) is not None

    said = device.ask("attest nonce=abc")
    text = base64.b64decode(said.fields["report"])
    signatures = [base64.b64decode(one) for one in said.all("signature")]
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
    else:
        assert said.fields["unsigned"] == keyless.fields["unsigned"] == "no_ssh_keygen"
        assert signatures == []


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
