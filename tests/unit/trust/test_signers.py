"""Where private keys are: files, agents, and what is elsewhere."""

import importlib
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, Signature
from securesystemslib.signer import Signer as TheirSigner

from orchestrator.errors import TrustError
from orchestrator.trust import (
    TICKET_KINDS,
    KeyKind,
    generate_key,
    save_private_key,
    save_public_key,
)
from orchestrator.trust.passphrase import Passphrases
from orchestrator.trust.signers import (
    SignerRequest,
    load_any_public_key,
    open_signer,
    sign_with,
)
from orchestrator.trust.signing import matches, sign_bytes
from tests.unit.trust.made_keys import KEYS

TEXT = b"fleet-release 1\n"
ONE = KEYS[KeyKind.ECDSA_P256]


def refusal(*given, **more):
    with pytest.raises(TrustError) as caught:
        sign_with(open_signer(SignerRequest(*given, **more)), TEXT)
    return caught.value


def answers(text):
    """Passphrases typed by somebody; what was asked for is kept."""
    asked = []

    def ask(what):
        asked.append(what)
        return text

    return Passphrases(ask=ask), asked


@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize("prefix", ["", "file:"])
def test_file_signs_without_asking_when_it_is_not_encrypted(tmp_path, kind, prefix):
    save_private_key(KEYS[kind], tmp_path / "k")
    passphrases, asked = answers("never")

    signer = open_signer(SignerRequest(f"{prefix}{tmp_path}/k", passphrases))
    made = sign_with(signer, TEXT)

    assert matches(TEXT, made.data, KEYS[kind].verification)
    assert made.key_id == signer.key.fingerprint == KEYS[kind].fingerprint
    assert asked == []


def test_encrypted_file_asks_once_and_says_for_what(tmp_path):
    save_private_key(ONE, tmp_path / "k", passphrase=b"open sesame")
    passphrases, asked = answers("open sesame")

    assert open_signer(SignerRequest(f"{tmp_path}/k", passphrases)).key == ONE.verification
    assert asked == [f"passphrase of {tmp_path}/k"]


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\nmore\n"])
def test_passphrase_is_the_first_line_of_its_file(tmp_path, ending):
    save_private_key(ONE, tmp_path / "k", passphrase=b"open sesame")
    (tmp_path / "secret").write_bytes(b"open sesame" + ending)

    request = SignerRequest(f"{tmp_path}/k", Passphrases(tmp_path / "secret"))

    assert open_signer(request).key == ONE.verification


def test_passphrases_that_are_missing_or_wrong_are_refused_and_never_shown(tmp_path):
    save_private_key(ONE, tmp_path / "k", passphrase=b"open sesame")
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "long").write_bytes(b"x" * 2000)

    for passphrases in (
        Passphrases(),
        Passphrases(tmp_path / "empty"),
        Passphrases(tmp_path / "long"),
        answers("")[0],
        answers("wr0ng one")[0],
    ):
        error = refusal(f"{tmp_path}/k", passphrases)
        assert error.code == "T105"
        assert "wr0ng" not in f"{error.message}{error.hint}{passphrases!r}"


def test_unknown_signers_are_refused_with_the_known_ones(tmp_path):
    error = refusal("gopher:key")

    assert error.code == "T160"
    assert "`agent:`" in error.hint
    assert refusal(f"{tmp_path}/none").code == "T100"


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    """A real agent with a key of each kind, and one that cannot sign tickets."""
    where = tmp_path_factory.mktemp("agent")
    path = f"{where}/s"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    process.stdout.readline()  # it listens
    for name, options in {
        "ed25519": "-t ed25519",
        "ecdsa": "-t ecdsa -b 256",
        "rsa": "-t rsa -b 3072",
        "p384": "-t ecdsa -b 384",
    }.items():
        file = str(where / name)
        subprocess.run(["ssh-keygen", "-q", "-N", "", *options.split(), "-f", file], check=True)
        add = ["ssh-add", "-q", file]
        subprocess.run(add, check=True, env={**os.environ, "SSH_AUTH_SOCK": path})
    yield where, path
    process.terminate()
    process.wait()
    process.stdout.close()


def fingerprint_of(file):
    shown = subprocess.run(["ssh-keygen", "-lf", file], check=True, capture_output=True, text=True)
    return shown.stdout.split()[1]


@pytest.mark.parametrize("name", ["ed25519", "ecdsa", "rsa"])
def test_agent_signs_what_a_device_verifies(agent, name):
    where, path = agent
    public = load_any_public_key(where / f"{name}.pub")

    for _ in range(8):  # ECDSA numbers with and without leading zeros
        signer = open_signer(
            SignerRequest(f"agent:{fingerprint_of(where / name)}", agent_socket=path)
        )
        made = sign_with(signer, TEXT)
        assert signer.key == public
        assert matches(TEXT, made.data, public)


def test_agent_key_is_found_by_the_fingerprint_of_roots_too(agent):
    where, path = agent
    public = load_any_public_key(where / "ed25519.pub")

    signer = open_signer(SignerRequest(f"agent:{public.fingerprint}", agent_socket=path))

    assert signer.key == public


def test_agent_without_the_key_names_those_it_has(agent):
    where, path = agent

    error = refusal("agent:SHA256:nothing", agent_socket=path)

    assert error.code == "T160"
    assert all(fingerprint_of(where / name) in error.hint for name in ("ed25519", "ecdsa", "rsa"))
    assert fingerprint_of(where / "p384") not in error.hint


def test_agent_that_is_not_there(tmp_path):
    assert refusal("agent:SHA256:x").code == "T160"
    assert refusal("agent:SHA256:x", agent_socket=f"{tmp_path}/none").code == "T162"


def test_agent_that_is_locked(agent):
    where, path = agent
    environment = {**os.environ, "SSH_AUTH_SOCK": path, "SSH_ASKPASS_REQUIRE": "force"}
    (where / "ask").write_text("#!/bin/sh\necho word\n")
    (where / "ask").chmod(0o700)
    environment["SSH_ASKPASS"] = str(where / "ask")
    signer = open_signer(SignerRequest(f"agent:{fingerprint_of(where / 'rsa')}", agent_socket=path))
    subprocess.run(["ssh-add", "-x"], check=True, env=environment, capture_output=True)

    with pytest.raises(TrustError) as caught:
        sign_with(signer, TEXT)

    subprocess.run(["ssh-add", "-X"], check=True, env=environment, capture_output=True)
    assert caught.value.code == "T162"


class Elsewhere(TheirSigner):
    """A service as `securesystemslib` wants one: here it has the key in memory."""

    signs_with = ONE
    raises = None

    def __init__(self, public_key):
        self.known = public_key

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri, public_key, secrets_handler=None):
        if priv_key_uri.endswith("pin"):
            secrets_handler("PIN")
        return cls(public_key)

    @property
    def public_key(self):
        return self.known

    def sign(self, payload):
        if self.raises is not None:
            raise self.raises
        return Signature(self.known.keyid, sign_bytes(payload, self.signs_with).hex())


@pytest.fixture
def elsewhere(monkeypatch):
    for scheme in ("awskms", "hsm"):
        monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, scheme, Elsewhere)
    return monkeypatch


@pytest.mark.parametrize("kind", KeyKind)
def test_key_elsewhere_signs_what_a_device_verifies(elsewhere, kind):
    elsewhere.setattr(Elsewhere, "signs_with", KEYS[kind])
    public = KEYS[kind].verification

    made = sign_with(open_signer(SignerRequest("awskms:one", public=public)), TEXT)

    assert matches(TEXT, made.data, public)


def test_key_elsewhere_that_is_another_one_is_found_out(elsewhere):
    other = generate_key().verification

    error = refusal("awskms:one", public=other)

    assert error.code == "T162"
    assert "does not verify" in error.message


def test_whatever_goes_wrong_elsewhere_is_a_refusal(elsewhere):
    for raised, code in (
        (RuntimeError("no network"), "T162"),
        (UnsupportedLibraryError("no client"), "T161"),
    ):
        elsewhere.setattr(Elsewhere, "raises", raised)
        assert refusal("awskms:one", public=ONE.verification).code == code
    assert refusal("awskms:one").code == "T160"  # without its public part
    assert refusal("hsm:pin", public=ONE.verification).code == "T105"  # nobody can be asked


def test_token_without_its_package_says_which_one(monkeypatch):
    their_signer = importlib.import_module("securesystemslib.signer._hsm_signer")
    monkeypatch.setattr(their_signer, "PKCS11_IMPORT_ERROR", "no python-pkcs11")

    error = refusal("hsm:2", answers("1234")[0], public=ONE.verification)

    assert error.code == "T161"
    assert "securesystemslib[hsm]" in error.hint


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "securesystemslib.signer", None)

    error = refusal("gcpkms:one", public=ONE.verification)

    assert error.code == "T161"
    assert "rollout-orchestrator[signers]" in error.hint


@pytest.mark.parametrize("kind", KeyKind)
def test_public_keys_in_both_forms(tmp_path, kind):
    key = KEYS[kind].verification
    save_public_key(key, tmp_path / "pem")
    line = key.public.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    (tmp_path / "ssh").write_bytes(line + b" somebody@somewhere\n")

    assert key.kind in TICKET_KINDS
    assert load_any_public_key(tmp_path / "pem") == load_any_public_key(tmp_path / "ssh") == key


@pytest.mark.parametrize(
    "data",
    [
        b"ssh-ed25519",
        b"ssh-ed25519 AAAA",
        b"ssh-ed25519 !",
        b"ssh-dss AAAA x",
        b"ssh-rsa A\nssh-rsa B",
    ],
)
def test_what_is_no_public_key(tmp_path, data):
    (tmp_path / "k").write_bytes(data)

    with pytest.raises(TrustError) as caught:
        load_any_public_key(tmp_path / "k")

    assert caught.value.code == "T101"
