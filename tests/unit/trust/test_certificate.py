"""Certificates that `ssh-keygen` made, and what counts of them."""

import base64
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.trust.certificate import (
    CertificateError,
    Holder,
    check_host,
    check_user,
    read_certificate,
)

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")
USER = ("-n", "rollout", "-V", "-1m:+1h", "-O", "clear")
HOST = ("-h", "-n", "gw-1", "-V", "-1m:+52w")


class Keygen:
    """An authority and the keys that it vouches for."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.key("ca")
        self.key("key")

    def key(self, name: str, *words: str) -> None:
        given_ = words or ("-t", "ed25519")
        self._run("-q", *given_, "-N", "", "-f", self.place / name)

    def sign(self, *words: str, ca: str = "ca", key: str = "key") -> bytes:
        self._run("-q", "-s", self.place / ca, "-I", "id", *words, self.place / f"{key}.pub")
        return base64.b64decode((self.place / f"{key}-cert.pub").read_text().split()[1])

    def _run(self, *words: object) -> None:
        subprocess.run(["ssh-keygen", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def keygen(tmp_path_factory: pytest.TempPathFactory) -> Keygen:
    return Keygen(tmp_path_factory.mktemp("keys"))


def test_certificate_says_what_was_put_into_it(keygen: Keygen) -> None:
    found = read_certificate(keygen.sign("-z", "7", "-O", "source-address=192.0.2.0/24", *USER))

    assert (found.holder, found.serial, found.key_id) == (Holder.USER, 7, "id")
    assert (found.principals, found.authority) == (("rollout",), "ssh-ed25519")
    assert found.extensions == ()


def test_good_certificates_count(keygen: Keygen) -> None:
    keygen.key("p256", "-t", "ecdsa", "-b", "256")
    now_s = time.time()

    check_host(read_certificate(keygen.sign(*HOST)), "gw-1", now_s)
    check_host(read_certificate(keygen.sign(*HOST, ca="p256", key="p256")), "gw-1", now_s)
    check_user(read_certificate(keygen.sign(*USER, "-O", "force-command=/bin/x")), "rollout", now_s)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-h", "-n", "gw-2", "-V", "+1h"), "for `gw-2`"),
        (("-h", "-V", "+1h"), "for nobody by name"),
        (("-h", "-n", "gw-1,gw-11", "-V", "-2h:-1h"), "not valid any more"),
        (("-h", "-n", "gw-1", "-V", "+1h:+2h"), "not valid yet"),
        (("-h", "-n", "gw-1"), "no end"),
        (("-h", "-n", "gw-1", "-V", "+2000w"), "no end"),
        (("-n", "gw-1", "-V", "+1h"), "of a user"),
        (("-h", "-n", "gw-1", "-V", "+1h", "-O", "critical:x@y=1"), "has options"),
        (("-h", "-n", "gw-1", "-V", "+1h", "-O", "extension:x@y"), "has options"),
    ],
)
def test_certificate_of_a_host_is_held_against_the_device(
    keygen: Keygen, words: tuple[str, ...], why: str
) -> None:
    certificate = read_certificate(keygen.sign(*words))

    with pytest.raises(CertificateError, match=why):
        check_host(certificate, "gw-1", time.time())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (HOST, "of a host"),
        (("-V", "+1h", "-O", "clear"), "nobody by name"),
        ((*USER, "-O", "permit-pty"), "more than a command: `permit-pty`"),
        ((*USER, "-O", "critical:verify-required"), "unknown critical option"),
        (("-n", "rollout", "-O", "clear"), "no end"),
    ],
)
def test_certificate_to_log_in_allows_one_command_only(
    keygen: Keygen, words: tuple[str, ...], why: str
) -> None:
    certificate = read_certificate(keygen.sign(*words))

    with pytest.raises(CertificateError, match=why):
        check_user(certificate, "rollout", time.time())


def test_weak_kinds_of_keys_are_refused(keygen: Keygen) -> None:
    keygen.key("rsa", "-t", "rsa", "-b", "2048")

    with pytest.raises(CertificateError, match="authority is a key of the kind `ssh-rsa`"):
        read_certificate(keygen.sign(*HOST, ca="rsa"))
    with pytest.raises(CertificateError, match="not for an Ed25519"):
        read_certificate(keygen.sign(*HOST, key="rsa"))


@given(data=st.data())
def test_damaged_certificates_are_read_or_refused(keygen: Keygen, data: st.DataObject) -> None:
    path = keygen.place / "whole-cert.pub"
    if not path.exists():
        path.write_bytes(keygen.sign(*HOST))
    blob = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(blob)))

    for text in (bytes(blob), bytes(blob[:cut]), bytes(blob) + b"x"):
        try:
            read_certificate(text)
        except CertificateError:
            continue
        assert len(text) == len(path.read_bytes())
