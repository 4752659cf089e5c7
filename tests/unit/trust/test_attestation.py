"""Whose signatures stand in an envelope; `openssl` is the oracle."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.evidence.dsse import IN_TOTO, pae, read_envelope
from orchestrator.trust.attestation import signers_of
from orchestrator.trust.keys import KeyKind, generate_key, load_public_key
from orchestrator.trust.signing import sign_bytes
from tests.unit.evidence.papers import data, envelope, provenance, raw_envelope

KINDS = {
    KeyKind.ECDSA_P256: ("EC", "ec_paramgen_curve:P-256"),
    KeyKind.RSA: ("RSA", "rsa_keygen_bits:3072"),
}


def opened(text: bytes):
    problems = []
    found = read_envelope(text, "e", problems)
    assert problems == []
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_openssl_signed_counts_and_what_we_sign_openssl_verifies(kind, tmp_path: Path) -> None:
    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)

    name, option = KINDS[kind]
    openssl("genpkey", "-algorithm", name, "-pkeyopt", option, "-out", "key")
    openssl("pkey", "-in", "key", "-pubout", "-out", "pub")
    payload = data(provenance())
    (tmp_path / "pae").write_bytes(pae(IN_TOTO, payload))
    openssl("dgst", "-sha256", "-sign", "key", "-out", "sig", "pae")
    theirs = raw_envelope(payload, (tmp_path / "sig").read_bytes())
    own = generate_key(kind)
    ours = opened(envelope(provenance(), lambda one: sign_bytes(one, own)))
    (tmp_path / "own").write_bytes(own.verification.pem)
    (tmp_path / "own.sig").write_bytes(ours.signatures[0].data)
    (tmp_path / "own.pae").write_bytes(ours.signed_bytes)

    key = load_public_key(tmp_path / "pub")

    assert signers_of(opened(theirs), [key, own.verification]) == (key,)
    openssl("dgst", "-sha256", "-verify", "own", "-signature", "own.sig", "own.pae")


def test_a_key_counts_once_whatever_ids_the_envelope_says() -> None:
    first, second = generate_key(), generate_key(KeyKind.ED25519)
    payload = data(provenance())
    text = pae(IN_TOTO, payload)
    signed = raw_envelope(payload, sign_bytes(text, first), sign_bytes(text, first))
    named = envelope(provenance(), lambda one: sign_bytes(one, second), key_id=first.fingerprint)

    assert signers_of(opened(signed), [first.verification] * 2) == (first.verification,)
    assert signers_of(opened(named), [first.verification]) == ()
    assert signers_of(opened(named), [second.verification]) == (second.verification,)


def test_a_signature_over_the_payload_alone_or_another_type_does_not_count() -> None:
    key = generate_key()
    payload = data(provenance())
    alone = raw_envelope(payload, sign_bytes(payload, key))
    other = raw_envelope(payload, sign_bytes(pae("text/plain", payload), key))
    moved = raw_envelope(payload, sign_bytes(pae(IN_TOTO, payload), key), kind="text/plain")

    for text in (alone, other, moved):
        assert signers_of(opened(text), [key.verification]) == ()
