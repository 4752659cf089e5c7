"""Which keys are made, loaded and refused."""

import hashlib
import stat
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from orchestrator.errors import ExitCode, TrustError
from orchestrator.trust import (
    ARTIFACT_KINDS,
    TICKET_KINDS,
    KeyKind,
    TrustRule,
    generate_key,
    load_private_key,
    load_public_key,
    parse_public_key,
    parse_spki,
    save_private_key,
    save_public_key,
)

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@pytest.fixture(scope="module")
def keys():
    return {kind: generate_key(kind) for kind in KeyKind}


@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
def test_key_survives_its_file(tmp_path, keys, kind, passphrase):
    path = tmp_path / "k.key"

    save_private_key(keys[kind], path, passphrase=passphrase)

    loaded = load_private_key(path, passphrase=passphrase, kinds=TICKET_KINDS)
    assert (loaded, loaded.kind) == (keys[kind], kind)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("kind", "begin"),
    [
        (KeyKind.RSA, "-----BEGIN RSA PRIVATE KEY-----"),
        (KeyKind.ECDSA_P256, "-----BEGIN EC PRIVATE KEY-----"),
    ],
)
def test_plain_key_has_the_form_old_mender_artifact_reads(tmp_path, keys, kind, begin):
    save_private_key(keys[kind], tmp_path / "plain")
    save_private_key(keys[kind], tmp_path / "locked", passphrase=b"x" * 8)

    assert (tmp_path / "plain").read_text().startswith(begin)
    assert "BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / "locked").read_text()


@pytest.mark.parametrize("kind", sorted(ARTIFACT_KINDS))
@pytest.mark.parametrize("form", [PKCS8, TRADITIONAL])
def test_private_keys_of_other_tools_are_loaded(tmp_path, keys, kind, form):
    path = tmp_path / "k"
    path.touch(mode=0o600)
    path.write_bytes(keys[kind].private.private_bytes(PEM, form, PLAIN))

    assert load_private_key(path).fingerprint == keys[kind].fingerprint


@pytest.mark.parametrize("kind", KeyKind)
def test_fingerprint_is_that_of_the_public_key(tmp_path, keys, kind):
    save_public_key(keys[kind].verification, tmp_path / "k.pub")
    der = keys[kind].verification.public.public_bytes(serialization.Encoding.DER, SPKI)

    loaded = load_public_key(tmp_path / "k.pub", kinds=TICKET_KINDS)

    assert loaded.fingerprint == hashlib.sha256(der).hexdigest() == keys[kind].fingerprint
    assert loaded.kind is kind
    assert loaded.spki == der
    assert parse_spki(der) == parse_public_key(loaded.pem, kinds=TICKET_KINDS) == loaded


def test_a_key_has_one_encoding():
    public = generate_key(KeyKind.ECDSA_P256).verification.public
    form = serialization.PublicFormat
    point = public.public_bytes(serialization.Encoding.X962, form.CompressedPoint)
    # The same key with its point compressed, which libraries load as well.
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")

    with pytest.raises(TrustError) as caught:
        parse_spki(head + point)

    assert serialization.load_der_public_key(head + point) == public
    assert caught.value.code == TrustRule.KEY_FORM


@pytest.mark.parametrize("der", [b"", b"0", b"\x30\x80", bytes(44)])
def test_what_is_no_key_is_refused(der):
    with pytest.raises(TrustError) as caught:
        parse_spki(der)

    assert caught.value.code == TrustRule.KEY_FORM


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o644])
@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
def test_private_key_that_others_may_use_is_refused(tmp_path, keys, mode, passphrase):
    path = tmp_path / "k.key"
    save_private_key(keys[KeyKind.ED25519], path, passphrase=passphrase)
    path.chmod(mode)

    with pytest.raises(TrustError) as caught:
        load_private_key(path, passphrase=passphrase, kinds=TICKET_KINDS)

    assert caught.value.code == TrustRule.KEY_OPEN
    assert f"chmod 600 {path}" in caught.value.hint


def test_private_key_is_not_shown(keys):
    assert "private" not in repr(keys[KeyKind.ECDSA_P256])


def test_existing_file_is_never_replaced(tmp_path, keys):
    path = tmp_path / "k"
    path.write_text("mine")

    for save in (
        lambda: save_private_key(keys[KeyKind.RSA], path),
        lambda: save_public_key(keys[KeyKind.RSA].verification, path),
    ):
        with pytest.raises(TrustError) as caught:
            save()
        assert caught.value.code == TrustRule.FILE_EXISTS
    assert path.read_text() == "mine"


def foreign_keys():
    curve = ec.generate_private_key
    return {
        "ed25519": (ed25519.Ed25519PrivateKey.generate(), TrustRule.KEY_TYPE),
        "dsa": (dsa.generate_private_key(2048), TrustRule.KEY_TYPE),
        "p384": (curve(ec.SECP384R1()), TrustRule.KEY_CURVE),
        "k256": (curve(ec.SECP256K1()), TrustRule.KEY_CURVE),
        "rsa2048": (rsa.generate_private_key(65537, 2048), TrustRule.KEY_SIZE),
        "exponent3": (rsa.generate_private_key(3, 3072), TrustRule.KEY_TYPE),
    }


def test_key_with_its_curve_before_it_is_loaded(tmp_path):
    path = tmp_path / "k"
    command = f"openssl ecparam -genkey -name prime256v1 -out {path}"
    subprocess.run(command.split(), check=True, capture_output=True)

    key = load_private_key(path)

    assert "BEGIN EC PARAMETERS" in path.read_text()
    assert key.kind is KeyKind.ECDSA_P256


def test_other_kinds_are_refused(tmp_path):
    for name, (key, rule) in foreign_keys().items():
        private, public = tmp_path / name, tmp_path / f"{name}.pub"
        private.touch(mode=0o600)
        private.write_bytes(key.private_bytes(PEM, PKCS8, PLAIN))
        public.write_bytes(key.public_key().public_bytes(PEM, SPKI))
        for load, path in ((load_private_key, private), (load_public_key, public)):
            with pytest.raises(TrustError) as caught:
                load(path)
            assert (name, caught.value.code) == (name, rule)
            assert caught.value.exit_code is ExitCode.REFUSED
            assert str(caught.value.where) == str(path)


def test_short_rsa_key_is_refused(tmp_path):  # A46; made by openssl: the library makes none
    key, public = tmp_path / "k", tmp_path / "k.pub"
    subprocess.run(["openssl", "genrsa", "-out", key, "1024"], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True
    )

    for load, path in ((load_private_key, key), (load_public_key, public)):
        with pytest.raises(TrustError) as caught:
            load(path)
        assert caught.value.code == TrustRule.KEY_SIZE


@pytest.mark.parametrize("bits", [0, 1024, 2048, 3071, 8193, 16384])
def test_rsa_size_is_bounded_when_made(bits):
    with pytest.raises(TrustError) as caught:
        generate_key(KeyKind.RSA, rsa_bits=bits)

    assert caught.value.code == TrustRule.KEY_SIZE


def test_public_key_must_be_one_spki_block(tmp_path, keys):
    key = keys[KeyKind.RSA]
    spki = key.verification.pem
    pkcs1 = key.verification.public.public_bytes(PEM, serialization.PublicFormat.PKCS1)
    private = key.private.private_bytes(PEM, PKCS8, PLAIN)
    cut = spki[:100] + spki[-30:]

    for data in (b"", b"text", pkcs1, private, spki + spki, cut, spki[:100]):
        with pytest.raises(TrustError) as caught:
            parse_public_key(data)
        assert caught.value.code == TrustRule.KEY_FORM


def test_public_key_is_no_private_key(tmp_path, keys):
    path = tmp_path / "k"
    path.write_bytes(keys[KeyKind.RSA].verification.pem)

    with pytest.raises(TrustError) as caught:
        load_private_key(path)

    assert caught.value.code == TrustRule.KEY_FORM


def test_passphrase_must_fit(tmp_path, keys):
    plain, locked = tmp_path / "plain", tmp_path / "locked"
    save_private_key(keys[KeyKind.ECDSA_P256], plain)
    save_private_key(keys[KeyKind.ECDSA_P256], locked, passphrase=b"right one")

    for path, passphrase in ((plain, b"x"), (locked, None), (locked, b"wrong one")):
        with pytest.raises(TrustError) as caught:
            load_private_key(path, passphrase=passphrase)
        assert caught.value.code == TrustRule.KEY_PASSPHRASE
    for passphrase in (b"", b"x" * 1024):
        with pytest.raises(TrustError) as caught:
            save_private_key(keys[KeyKind.ECDSA_P256], tmp_path / "new", passphrase=passphrase)
        assert caught.value.code == TrustRule.KEY_PASSPHRASE
        assert not (tmp_path / "new").exists()


def test_unreadable_files_are_refused(tmp_path, keys):
    (tmp_path / "big").write_bytes(b" " * 70_000)

    for action, rule in (
        (lambda: load_public_key(tmp_path / "none"), TrustRule.FILE_UNREADABLE),
        (lambda: load_private_key(tmp_path), TrustRule.FILE_UNREADABLE),
        (lambda: load_public_key(tmp_path / "big"), TrustRule.KEY_FORM),
        (
            lambda: save_private_key(keys[KeyKind.RSA], tmp_path / "none" / "k"),
            TrustRule.FILE_UNREADABLE,
        ),
    ):
        with pytest.raises(TrustError) as caught:
            action()
        assert caught.value.code == rule
