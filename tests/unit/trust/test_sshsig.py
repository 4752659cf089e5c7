"""SSH signatures: ssh-keygen makes them and judges beside us; the strict rules are ours."""

import base64
import struct

import asyncssh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import TrustError
from orchestrator.trust.allowed import read_allowed_signers
from orchestrator.trust.errors import TrustRule
from orchestrator.trust.revoked import Revoked, read_revoked
from orchestrator.trust.sshsig import SIGNATURE_BYTES_MAX, read_signature, signer_of
from tests.unit.trust.ssh_keys import NAMESPACE, SshKeys, keygen, line

MESSAGE = b"rollout-approval 1\n"
NOW = 1_800_000_000.0
KINDS = [("ed25519",), ("ecdsa", "-b", "256"), ("ecdsa", "-b", "521"), ("rsa", "-b", "3072")]


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    made = SshKeys(tmp_path_factory.mktemp("keys"))
    for name in ("ann", "bob", "authority"):
        made.make(name)
    return made


@pytest.fixture(scope="module")
def signed(keys):
    return keys.sign("ann", MESSAGE)


def judge(keys, signature, *, allowed=None, message=MESSAGE, revoked=None, now=NOW, want=NAMESPACE):
    text = line("ann", keys.public("ann")) if allowed is None else allowed
    return signer_of(
        message,
        signature,
        want,
        allowed=read_allowed_signers(text.encode(), "allowed"),
        revoked=revoked or Revoked(),
        now=now,
    )


def refused(keys, signature, rule, **more):
    with pytest.raises(TrustError) as caught:
        judge(keys, signature, **more)
    assert caught.value.code == rule
    return caught.value.message


@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_signer_of_each_kind_of_key_is_found(tmp_path, kind, hash_name):
    keys = SshKeys(tmp_path)
    allowed = line("ann", keys.make("ann", *kind))

    found = judge(
        keys, keys.sign("ann", MESSAGE, NAMESPACE, "-O", f"hashalg={hash_name}"), allowed=allowed
    )

    assert found.principal == "ann"
    assert found.fingerprint.startswith("SHA256:")


def test_signature_for_something_else_is_none(keys):
    for namespace in ("git", "file", "rollout-plan@other"):
        said = refused(keys, keys.sign("ann", MESSAGE, namespace), TrustRule.SIGNATURE_NAMESPACE)
        assert f"`{namespace}`" in said


def test_namespace_that_the_signer_may_not_use_does_not_count(keys):
    signature = keys.sign("ann", MESSAGE, "git")
    allowed = line("ann", keys.public("ann"))

    refused(keys, signature, TrustRule.SIGNATURE_MISMATCH, allowed=allowed, want="git")


def test_other_text_and_other_people_are_refused(keys, signed):
    refused(keys, signed, TrustRule.SIGNATURE_MISMATCH, message=MESSAGE + b"x")
    bob = line("bob", keys.public("bob"))
    refused(keys, signed, TrustRule.SIGNATURE_MISMATCH, allowed=bob)


@pytest.mark.parametrize(
    ("option", "counts"),
    [
        ('valid-before="20270101Z"', False),
        ('valid-before="20270115080000Z"', False),  # this very second
        ('valid-before="20270115080001Z"', True),
        ('valid-after="20270115080000Z"', True),
        ('valid-after="20270115080001Z"', False),
        ('valid-after="202701150800Z",valid-before="20300101Z"', True),
    ],
)
def test_times_of_the_list_are_heeded(keys, signed, option, counts):
    allowed = line("ann", keys.public("ann"), f'namespaces="{NAMESPACE}",{option}')

    if counts:  # NOW is 2027-01-15T08:00:00Z
        assert judge(keys, signed, allowed=allowed).principal == "ann"
    else:
        refused(keys, signed, TrustRule.SIGNATURE_MISMATCH, allowed=allowed)


@pytest.mark.parametrize("form", ["krl", "krl of digests", "lines"])
def test_revoked_key_does_not_count(keys, signed, tmp_path, form):
    file = tmp_path / "revoked"
    public = str(keys.path("ann")) + ".pub"
    if form == "lines":
        file.write_text(f"# gone\n\n{keys.public('ann')} ann\n")
    elif form == "krl":
        keygen("-q", "-k", "-f", str(file), public)
    else:
        listed = tmp_path / "spec"
        listed.write_text(f"sha256: {keys.public('ann')}\n")
        keygen("-q", "-k", "-f", str(file), str(listed))

    revoked = read_revoked(file.read_bytes(), str(file))

    refused(keys, signed, TrustRule.SIGNER_REVOKED, revoked=revoked)
    bob = keys.sign("bob", MESSAGE)
    allowed = line("bob", keys.public("bob"))
    assert judge(keys, bob, allowed=allowed, revoked=revoked).principal == "bob"


def test_list_of_revoked_keys_that_cannot_be_read_in_full_refuses(tmp_path, keys):
    listed, file = tmp_path / "spec", tmp_path / "krl"
    listed.write_text("serial: 1-10\n")
    keygen("-q", "-k", "-s", str(keys.path("authority")) + ".pub", "-f", str(file), str(listed))
    whole = file.read_bytes()

    for data in (whole, whole[:-1], whole[:20], b"ssh-ed25519\n", b"ssh-ed25519 AAAA\n", b"x y z"):
        with pytest.raises(TrustError) as caught:
            read_revoked(data, "krl")
        assert caught.value.code == TrustRule.REVOKED_LIST


def certify(keys, name, principals, *more):
    keygen(
        "-q", "-s", str(keys.path("authority")), "-I", "x", "-n", principals, "-V", "+1h", *more,
        str(keys.path(name)) + ".pub",
    )  # fmt: skip


def by_certificate(keys, name):
    signature = keys.sign(f"{name}-cert.pub", MESSAGE)
    return signature, line(
        "*@corp", keys.public("authority"), f'cert-authority,namespaces="{NAMESPACE}"'
    )


def test_certificate_names_the_person(keys):
    keys.make("carl")
    certify(keys, "carl", "carl@corp")
    signature, allowed = by_certificate(keys, "carl")

    signer = judge(keys, signature, allowed=allowed)

    fingerprint = asyncssh.import_public_key(keys.public("carl")).get_fingerprint()
    assert (signer.principal, signer.fingerprint) == ("carl@corp", fingerprint)


@pytest.mark.parametrize("principals", ["carl@home", "carl@corp,dora@corp"])
def test_certificate_of_others_or_of_several_does_not_count(tmp_path, keys, principals):
    name = "dora" + str(len(principals))
    keys.make(name)
    certify(keys, name, principals)
    signature, allowed = by_certificate(keys, name)

    refused(keys, signature, TrustRule.SIGNATURE_MISMATCH, allowed=allowed)


def test_authority_or_key_of_a_certificate_can_be_revoked(keys):
    keys.make("emil")
    certify(keys, "emil", "emil@corp")
    signature, allowed = by_certificate(keys, "emil")

    for name in ("authority", "emil"):
        gone = read_revoked(keys.public(name).encode(), "revoked")
        with pytest.raises(TrustError):
            judge(keys, signature, allowed=allowed, revoked=gone)


def blob_of(signature):
    return base64.b64decode(b"".join(signature.split(b"\n")[1:-2]))


def armoured(blob):
    text = base64.b64encode(blob)
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    begin, end = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
    return b"\n".join([begin, *lines, end, b""])


def test_reserved_field_must_be_empty_though_ssh_keygen_takes_it(keys, signed):
    blob = blob_of(signed)
    key_length = struct.unpack(">I", blob[10:14])[0]
    at = 14 + key_length + 4 + len(NAMESPACE)
    assert blob[at : at + 4] == b"\0\0\0\0"
    other = armoured(blob[:at] + b"\0\0\0\1x" + blob[at + 4 :])

    assert keys.accepts(line("ann", keys.public("ann")), "ann", MESSAGE, other)
    assert "reserved" in refused(keys, other, TrustRule.SIGNATURE_FORM)


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"-----BEGIN SSH SIGNATURE-----\n", b"x" * (SIGNATURE_BYTES_MAX + 1),
        b"-----BEGIN SSH SIGNATURE-----\n!!!!\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\n\n-----END SSH SIGNATURE-----\n",
    ],
)  # fmt: skip
def test_what_is_no_signature_is_refused(broken):
    with pytest.raises(TrustError) as caught:
        read_signature(broken)
    assert caught.value.code == TrustRule.SIGNATURE_FORM


def test_text_around_a_signature_is_refused(signed):
    for other in (b"\n" + signed, signed + b"\n", signed + signed, signed.replace(b"\n", b"\r\n")):
        with pytest.raises(TrustError):
            read_signature(other)


def test_no_changed_bit_of_a_signature_counts(keys, signed):
    blob = blob_of(signed)

    for at in range(len(blob) * 8):
        changed = bytearray(blob)
        changed[at // 8] ^= 1 << (at % 8)
        with pytest.raises(TrustError):
            judge(keys, armoured(bytes(changed)))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400))
def test_anything_is_a_signature_or_a_trust_error(data):
    try:
        read_signature(armoured(b"SSHSIG\0\0\0\1" + data))
    except TrustError as error:
        assert error.code == TrustRule.SIGNATURE_FORM  # noqa: PT017


def test_ssh_keygen_agrees_about_good_and_bad(keys, signed):
    allowed = line("ann", keys.public("ann"))

    assert keys.accepts(allowed, "ann", MESSAGE, signed)
    assert not keys.accepts(allowed, "ann", MESSAGE + b"x", signed)
    assert not keys.accepts(allowed, "ann", MESSAGE, keys.sign("ann", MESSAGE, "git"))
