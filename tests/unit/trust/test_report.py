"""Reports that devices sign."""

import asyncssh
import pytest

from orchestrator.errors import TrustError
from orchestrator.trust.report import NAMESPACE, read_report, signed_report

TEXT = (
    b"device-report 1\ndevice gw-1\nnonce abc\ntime 1764115200\ncomponent main\n"
    b"state committed\nartifact app-1\nmanifest " + b"0" * 64 + b"\nactive yes\nboot-id b\n"
)
KEY, OTHER = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))


def line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


def signed(key: asyncssh.SSHKey, text: bytes = TEXT, namespace: str = NAMESPACE) -> bytes:
    return asyncssh.create_sshsig(key, text, namespace=namespace)


def test_report_of_a_trusted_host_key_counts() -> None:
    report = signed_report(TEXT, [signed(OTHER), signed(KEY)], [line(KEY)], 0.0)

    assert report.signed_by == line(KEY)
    assert report.values["artifact"] == "app-1"
    assert report.values["nonce"] == "abc"


@pytest.mark.parametrize(
    "signatures",
    [
        [],
        [signed(OTHER)],
        [signed(KEY, TEXT.replace(b"app-1", b"app-2"))],
        [signed(KEY, namespace="git")],
        [b"nonsense"],
    ],
)
def test_report_that_nobody_trusted_signed_is_none(signatures: list[bytes]) -> None:
    with pytest.raises(TrustError):
        signed_report(TEXT, signatures, [line(KEY)], 0.0)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        TEXT[:-1],
        TEXT + b"more x\n",
        TEXT.replace(b"nonce abc\n", b""),
        TEXT.replace(b"abc", b"a c"),
        TEXT.replace(b"abc", b""),
        TEXT.replace(b"abc", b"\x1b[2J"),
        TEXT.replace(b"report 1", b"report 2"),
    ],
)
def test_report_of_another_form_is_none(text: bytes) -> None:
    with pytest.raises(TrustError) as caught:
        read_report(text)

    assert caught.value.code == "T191"
