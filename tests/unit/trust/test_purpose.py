"""A text is signed for one purpose, in two forms; `ssh-keygen` is the oracle of the second one."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from orchestrator.errors import TrustError
from orchestrator.trust.keys import TICKET_KINDS, KeyKind, SigningKey, verification_key
from orchestrator.trust.purpose import Purpose
from orchestrator.trust.root import Role
from orchestrator.trust.signature_file import SSH_TAG, Signature
from orchestrator.trust.signing import matches, sign_bytes
from tests.unit.trust.made_keys import KEYS, OTHERS
from tests.unit.trust.ssh_keys import SshKeys

TEXT = b"fleet-release 1\n"
FLEET = "acme-prod"
RELEASE = Purpose.of(Role.RELEASE, FLEET, TEXT)
ALGORITHMS = {KeyKind.ECDSA_P256: "ecdsa-sha2-nistp256", KeyKind.RSA: "rsa-sha2-256",
              KeyKind.ED25519: "ssh-ed25519"}  # fmt: skip


class Signs:
    """A signer with a key at hand; `made` counts its signatures."""

    def __init__(self, key: SigningKey) -> None:
        self.private, self.made = key, 0

    @property
    def key(self):
        return self.private.verification

    def sign(self, data: bytes) -> bytes:
        self.made += 1
        return sign_bytes(data, self.private)


def strings(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def public_line(key: SigningKey) -> str:
    form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return key.verification.public.public_bytes(*form).decode()


def armoured(signature: Signature, key: SigningKey, namespace: str) -> bytes:
    """As `ssh-keygen` reads it: all that the file does not say is put around what the key made."""
    made = signature.data.removeprefix(SSH_TAG)
    if key.kind is KeyKind.ECDSA_P256:
        made = strings(*(b"\0" * (half[0] >> 7) + half for half in (made[:32], made[32:])))
    public = base64.b64decode(public_line(key).split()[1])
    inner = strings(ALGORITHMS[key.kind].encode(), made)
    blob = b"SSHSIG\0\0\0\1" + strings(public, namespace.encode(), b"", b"sha256", inner)
    begin, end = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
    return b"\n".join((begin, base64.b64encode(blob), end, b""))


def read_as_ours(text: bytes, key_id: str) -> Signature:
    """What `ssh-keygen` signed by Ed25519 or ECDSA, as it stands in our files."""
    blob = base64.b64decode(b"".join(text.splitlines()[1:-1]))
    parts, at = [], 10
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
        parts.append(blob[at + 4 : end])
        at = end
    inner, kind_bytes = parts[-1], 4 + int.from_bytes(parts[-1][:4], "big")
    made = inner[kind_bytes + 4 :]
    if len(made) != 64:
        half = 4 + int.from_bytes(made[:4], "big")
        made = b"".join(int.from_bytes(n).to_bytes(32) for n in (made[4:half], made[half + 4 :]))
    return Signature(key_id, SSH_TAG + made)


@pytest.mark.parametrize("kind", KeyKind)
def test_signatures_in_the_form_of_ssh_are_what_ssh_keygen_takes(tmp_path, kind):
    key, keys = KEYS[kind], (KEYS[kind].verification,)
    plain, signed = RELEASE.sign(Signs(key))
    by_digest = Purpose(Role.RELEASE, FLEET, RELEASE.sha256)

    assert RELEASE.signed_by([plain], keys) == by_digest.signed_by([signed], keys) == keys
    assert by_digest.signed_by([plain], keys) == ()
    for purpose, accepted in ((RELEASE, True), (Purpose.of(Role.ROOT, FLEET, TEXT), False)):
        name = purpose.namespace
        allowed = f'rollout namespaces="{name}" {public_line(key)}\n'
        text = armoured(signed, key, name)
        assert SshKeys(tmp_path).accepts(allowed, "rollout", TEXT, text, name) is accepted


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_what_ssh_keygen_signs_for_a_purpose_counts(tmp_path, kind):
    ssh = SshKeys(tmp_path)
    line = ssh.make("id", kind)
    public = serialization.load_ssh_public_key(line.encode())
    key = verification_key(public, None, TICKET_KINDS)

    made = ssh.sign("id", TEXT, RELEASE.namespace, "-O", "hashalg=sha256")

    assert RELEASE.signed_by([read_as_ours(made, key.fingerprint)], (key,)) == (key,)
    for other in ("rollout-root@acme-prod", "rollout-release@acme-test", "file"):
        made = ssh.sign("id", TEXT, other, "-O", "hashalg=sha256")
        assert RELEASE.signed_by([read_as_ours(made, key.fingerprint)], (key,)) == ()


@pytest.mark.parametrize("kind", KeyKind)
def test_a_signature_counts_for_its_purpose_alone(kind):
    key = KEYS[kind]
    signed = RELEASE.sign(Signs(key))

    for other in (
        Purpose.of(Role.ROOT, FLEET, TEXT),
        Purpose.of(Role.BUILD, FLEET, TEXT),
        Purpose.of(Role.RELEASE, "acme-test", TEXT),
        Purpose.of(Role.RELEASE, FLEET, TEXT + b"x"),
    ):
        assert other.ssh_signed_by(signed, (key.verification,)) == ()
    assert RELEASE.ssh_signed_by(signed, (OTHERS[kind].verification,)) == ()


def test_a_key_counts_once_whatever_forms_it_signed_in():
    one, two = KEYS[KeyKind.ECDSA_P256], OTHERS[KeyKind.ECDSA_P256]
    plain, ssh = RELEASE.sign(Signs(one))
    keys = (one.verification, two.verification)

    for there in ([plain, ssh], [ssh, plain], [ssh, ssh], [plain]):
        assert RELEASE.signed_by(there, keys) == (one.verification,)
    assert RELEASE.ssh_signed_by([plain], keys) == ()
    bad = Signature(two.fingerprint, ssh.data)
    assert RELEASE.signed_by([bad, *RELEASE.sign(Signs(two))[:1]], keys) == (two.verification,)


@pytest.mark.parametrize("kind", KeyKind)
def test_the_two_forms_do_not_stand_in_for_each_other(kind):
    key = KEYS[kind]
    plain, ssh = RELEASE.sign(Signs(key))
    swapped = [
        Signature(key.fingerprint, SSH_TAG + plain.data),
        Signature(key.fingerprint, ssh.data.removeprefix(SSH_TAG)),
        Signature(key.fingerprint, SSH_TAG),
        Signature(key.fingerprint, SSH_TAG + sign_bytes(TEXT, key)),
        Signature(key.fingerprint, ssh.data + b"\0"),
        Signature(key.fingerprint, ssh.data[:-1]),
        Signature(key.fingerprint, SSH_TAG + ssh.data),
    ]

    assert RELEASE.signed_by(swapped, (key.verification,)) == ()


@pytest.mark.parametrize("kind", KeyKind)
def test_verifiers_of_before_find_no_signature_in_the_form_of_ssh(kind):
    """They look at the length first, which that of ECDSA's DER says in its second byte."""
    key = KEYS[kind]
    plain, ssh = RELEASE.sign(Signs(key))

    if kind is KeyKind.ECDSA_P256:
        assert plain.data[1] + 2 == len(plain.data)
        assert ssh.data[1] + 2 != len(ssh.data)
    else:
        assert len(ssh.data) == len(plain.data) + 6
    assert not matches(TEXT, ssh.data, key.verification)


def test_numbers_of_ecdsa_are_in_range_and_as_the_key_made_them():
    key = KEYS[KeyKind.ECDSA_P256]
    r, s = decode_dss_signature(sign_bytes(RELEASE.ssh_text, key))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for one, two, is_good in ((r, s, True), (0, s, False), (r, 0, False), (r, s + 1, False)):
        data = SSH_TAG + one.to_bytes(32) + two.to_bytes(32)
        found = RELEASE.signed_by([Signature(key.fingerprint, data)], (key.verification,))
        assert bool(found) is is_good
    too_large = SSH_TAG + order.to_bytes(32) + s.to_bytes(32)
    assert RELEASE.signed_by([Signature(key.fingerprint, too_large)], (key.verification,)) == ()


def test_only_forms_that_are_missing_are_signed_again():
    signer = Signs(KEYS[KeyKind.ED25519])
    plain, ssh = RELEASE.sign(signer)

    assert signer.made == 2
    assert RELEASE.sign(signer, (plain, ssh)) == ()
    assert RELEASE.sign(signer, (plain,)) == (ssh,)
    assert RELEASE.sign(signer, (ssh,)) == (plain,)
    assert signer.made == 4


def test_of_a_digest_alone_no_plain_signature_is_made():
    (signed,) = Purpose(Role.BUILD, FLEET, bytes(32)).sign(Signs(KEYS[KeyKind.RSA]))

    assert signed.is_ssh


def test_a_signer_that_makes_another_signature_is_found():
    class Broken(Signs):
        def sign(self, data: bytes) -> bytes:
            return sign_bytes(data if data == TEXT else b"x", self.private)

    with pytest.raises(TrustError) as caught:
        RELEASE.sign(Broken(KEYS[KeyKind.ED25519]))

    assert caught.value.code == "T162"
