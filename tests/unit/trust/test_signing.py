"""Signatures of each kind, with openssl as the oracle: what a device's tools make and take."""

import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.trust import KeyKind, save_private_key, save_public_key
from orchestrator.trust.signing import matches, sign_bytes
from tests.unit.trust.made_keys import KEYS, OTHERS

TEXT = b"fleet-release 1\n"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# What stands in docs/reference/release.md, too.
VERIFY = {
    KeyKind.ECDSA_P256: "openssl dgst -sha256 -verify k.pub -signature s f",
    KeyKind.RSA: "openssl dgst -sha256 -verify k.pub -signature s f",
    KeyKind.ED25519: "openssl pkeyutl -verify -rawin -pubin -inkey k.pub -in f -sigfile s",
}
SIGN = {
    KeyKind.ECDSA_P256: "openssl dgst -sha256 -sign k -out s f",
    KeyKind.RSA: "openssl dgst -sha256 -sign k -out s f",
    KeyKind.ED25519: "openssl pkeyutl -sign -rawin -inkey k -in f -out s",
}


@pytest.fixture(params=KeyKind)
def kind(request, tmp_path):
    save_private_key(KEYS[request.param], tmp_path / "k")
    save_public_key(KEYS[request.param].verification, tmp_path / "k.pub")
    (tmp_path / "f").write_bytes(TEXT)
    return request.param


def openssl(command, directory):
    return (
        subprocess.run(command.split(), cwd=directory, capture_output=True, check=False).returncode
        == 0
    )


def test_openssl_takes_what_we_sign_and_nothing_else(kind, tmp_path):
    for text, taken in ((TEXT, True), (TEXT + b"x", False)):
        (tmp_path / "s").write_bytes(sign_bytes(text, KEYS[kind]))

        assert openssl(VERIFY[kind], tmp_path) is taken


def test_we_take_what_openssl_signs(kind, tmp_path):
    assert openssl(SIGN[kind], tmp_path)
    signature = (tmp_path / "s").read_bytes()

    assert matches(TEXT, signature, KEYS[kind].verification)
    assert not matches(TEXT + b"x", signature, KEYS[kind].verification)
    assert not matches(TEXT, signature, OTHERS[kind].verification)


def test_openssl_and_we_refuse_the_same_signatures(kind, tmp_path):
    """Bytes of one changed, cut off, or put before it."""
    good = sign_bytes(TEXT, KEYS[kind])
    step = max(1, len(good) // 24)  # a few dozen calls of openssl are enough
    variants = [b"", good[:-1], b"\0" + good]
    for at in range(0, len(good), step):
        variants.append(good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :])

    for signature in variants:
        (tmp_path / "s").write_bytes(signature)
        assert not matches(TEXT, signature, KEYS[kind].verification)
        assert not openssl(VERIFY[kind], tmp_path)


def test_bytes_behind_a_signature_do_not_count(kind):
    """`openssl dgst` reads no further than the longest signature of the key: a device must look."""
    good = sign_bytes(TEXT, KEYS[kind])

    for more in (b"\0", b"\n", good):
        assert not matches(TEXT, good + more, KEYS[kind].verification)


def test_raw_numbers_and_other_paddings_do_not_count():
    ecdsa, rsa_key = KEYS[KeyKind.ECDSA_P256], KEYS[KeyKind.RSA]
    r, s = utils.decode_dss_signature(sign_bytes(TEXT, ecdsa))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)

    assert not matches(TEXT, raw, ecdsa.verification)
    assert not matches(TEXT, rsa_key.private.sign(TEXT, pss, hashes.SHA256()), rsa_key.verification)
    sha1 = rsa_key.private.sign(TEXT, padding.PKCS1v15(), hashes.SHA1())
    assert not matches(TEXT, sha1, rsa_key.verification)


@pytest.mark.parametrize(("r", "s"), [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, ORDER), (1, 1)])
def test_numbers_out_of_range_do_not_count(r, s):
    signature = utils.encode_dss_signature(r, s)

    assert not matches(TEXT, signature, KEYS[KeyKind.ECDSA_P256].verification)


def test_longer_der_of_a_good_signature_does_not_count():
    key = KEYS[KeyKind.ECDSA_P256]
    good = sign_bytes(TEXT, key)
    first = good[4 : 4 + good[3]]
    longer = bytes((0x30, good[1] + 1, 2, len(first) + 1)) + b"\0" + good[4:]

    assert matches(TEXT, good, key.verification)
    assert not matches(TEXT, longer, key.verification)


@given(data=st.binary(max_size=80), signature=st.binary(max_size=600))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_arbitrary_bytes_are_no_signature(data, signature):
    assert not any(matches(data, signature, key.verification) for key in KEYS.values())


@given(text=st.binary(max_size=200))
def test_every_text_can_be_signed(text):
    for kind in (KeyKind.ECDSA_P256, KeyKind.ED25519):
        assert matches(text, sign_bytes(text, KEYS[kind]), KEYS[kind].verification)
