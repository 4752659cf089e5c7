"""Signatures: what verifies, and that nothing else does."""

import contextlib
import itertools
import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.artifact import (
    Artifact,
    ArtifactError,
    ArtifactSpec,
    Compression,
    ReadOptions,
    Rule,
    read_artifact,
    sign_artifact,
    single_file_payload,
    write_artifact,
)
from orchestrator.errors import TrustError
from orchestrator.trust import (
    ARTIFACT_KINDS,
    KeyKind,
    TrustRule,
    open_verified,
    sign_manifest,
    signer,
    verify_artifact,
    verify_manifest,
)
from tests.unit.artifact.crafting import PACKERS, Craft
from tests.unit.trust.made_keys import KEYS, OTHERS

MANIFEST = b"some manifest\n"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
EC_KEY, RSA_KEY = KEYS[KeyKind.ECDSA_P256], KEYS[KeyKind.RSA]
OTHER_KEY = OTHERS[KeyKind.ECDSA_P256]


def fails(signature, keys, manifest=MANIFEST):
    with pytest.raises(TrustError) as caught:
        verify_manifest(manifest, signature, [key.verification for key in keys])
    return caught.value.code


@pytest.mark.parametrize("kind", sorted(ARTIFACT_KINDS))
def test_signature_verifies_with_its_key_among_others(kind):
    key = KEYS[kind]
    others = [OTHER_KEY.verification, *(k.verification for k in KEYS.values())]

    found = verify_manifest(MANIFEST, sign_manifest(MANIFEST, key), others)

    assert found == key.verification


def test_signature_has_the_length_of_its_form():
    assert len(sign_manifest(MANIFEST, EC_KEY)) == 64
    assert len(sign_manifest(MANIFEST, RSA_KEY)) == 384


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_raw_and_der_form_verify(manifest):  # A45
    raw = sign_manifest(manifest, EC_KEY)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    for signature in (raw, der):
        key = verify_manifest(manifest, signature, [EC_KEY.verification])
        assert key.fingerprint == EC_KEY.fingerprint


@pytest.mark.parametrize("kind", sorted(ARTIFACT_KINDS))
def test_every_changed_bit_of_a_signature_is_refused(kind):
    signature = sign_manifest(MANIFEST, KEYS[kind])

    for at in range(len(signature)):
        changed = bytearray(signature)
        changed[at] ^= 1 << at % 8
        assert fails(bytes(changed), [KEYS[kind]]) == TrustRule.SIGNATURE_MISMATCH


@pytest.mark.parametrize("kind", sorted(ARTIFACT_KINDS))
def test_other_manifest_or_key_is_refused(kind):  # A44, A62
    signature = sign_manifest(MANIFEST, KEYS[kind])

    assert fails(signature, [KEYS[kind]], MANIFEST + b" ") == TrustRule.SIGNATURE_MISMATCH
    assert fails(signature, [OTHER_KEY]) == TrustRule.SIGNATURE_MISMATCH


def test_nothing_is_good_without_key_or_signature():  # A42, A43
    good = sign_manifest(MANIFEST, EC_KEY)

    assert fails(good, []) == TrustRule.NO_KEY
    assert fails(None, []) == TrustRule.NO_KEY
    assert fails(None, [EC_KEY]) == TrustRule.UNSIGNED
    assert fails(b"", [EC_KEY, RSA_KEY]) == TrustRule.UNSIGNED


@pytest.mark.parametrize("r", [0, 1, ORDER, ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, ORDER, 2**256 - 1])
def test_numbers_out_of_range_are_refused(r, s):  # A47
    raw = r.to_bytes(32) + s.to_bytes(32)

    assert fails(raw, [EC_KEY]) == TrustRule.SIGNATURE_MISMATCH
    assert fails(utils.encode_dss_signature(r, s), [EC_KEY]) == TrustRule.SIGNATURE_MISMATCH


def test_numbers_that_differ_by_the_order_are_refused():
    raw = sign_manifest(MANIFEST, EC_KEY)
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])

    der = utils.encode_dss_signature(r + ORDER, s)

    assert fails(der, [EC_KEY]) == TrustRule.SIGNATURE_MISMATCH


@pytest.mark.parametrize("length", [1, 32, 63, 65, 72, 383, 384, 385, 10_000])
def test_signatures_of_any_length_are_refused(length):
    assert fails(os.urandom(length), [EC_KEY, RSA_KEY]) == TrustRule.SIGNATURE_MISMATCH


def test_long_form_of_der_is_refused():
    raw = sign_manifest(MANIFEST, EC_KEY)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    assert fails(der + b"\0", [EC_KEY]) == TrustRule.SIGNATURE_MISMATCH
    assert fails(b"\x30\x81" + der[1:], [EC_KEY]) == TrustRule.SIGNATURE_MISMATCH


def test_other_hash_is_refused():
    der = EC_KEY.private.sign(MANIFEST, ec.ECDSA(hashes.SHA384()))

    assert fails(der, [EC_KEY]) == TrustRule.SIGNATURE_MISMATCH


def test_file_is_verified_with_the_key_that_signed(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft(sign=signer(EC_KEY)).build())

    verified = verify_artifact(path, [RSA_KEY.verification, EC_KEY.verification])

    assert verified.key == EC_KEY.verification
    assert verified == verify_artifact(verified.artifact, [EC_KEY.verification])


def test_unsigned_file_is_refused_with_its_name(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft().build())

    with pytest.raises(TrustError) as caught:
        verify_artifact(path, [EC_KEY.verification])

    assert caught.value.code == TrustRule.UNSIGNED
    assert str(caught.value.where) == str(path)


def test_broken_file_is_refused_although_its_manifest_is_signed(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft(sign=signer(EC_KEY), type="../../x").build())

    with pytest.raises(ArtifactError) as caught:
        verify_artifact(path, [EC_KEY.verification])

    assert caught.value.rule is Rule.PAYLOAD_TYPE


def test_delivery_reads_nothing_that_is_not_signed(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft(sign=signer(OTHER_KEY), payload_packed=b"bomb").build())

    with pytest.raises(TrustError) as caught:
        open_verified(path, [EC_KEY.verification])

    assert caught.value.code == TrustRule.SIGNATURE_MISMATCH
    assert str(caught.value.where) == str(path)


def test_what_is_delivered_is_what_was_verified(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft(sign=signer(EC_KEY)).build())

    source, verified = open_verified(path, [EC_KEY.verification])
    path.write_bytes(Craft(sign=signer(OTHER_KEY), files=[("app", b"evil")]).build())

    with source:
        delivered = {frame.name: b"".join(frame.chunks(0)) for frame in source.frames}
    assert delivered["manifest"] == verified.artifact.manifest
    assert delivered["data/0000/app"] == b"hello\n"


def test_other_judge_is_asked_after_the_signature(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft(sign=signer(EC_KEY)).build())
    seen = []
    options = ReadOptions(accept=lambda manifest, signature: seen.append(manifest))

    with pytest.raises(TrustError):
        verify_artifact(path, [OTHER_KEY.verification], options=options)
    assert seen == []
    verified = verify_artifact(path, [EC_KEY.verification], options=options)

    assert seen == [verified.artifact.manifest]


def essence(artifact: Artifact) -> tuple[object, ...]:
    """All that is used of an artifact: without size and hash of the file itself."""
    return (artifact.manifest, artifact.signature, artifact.payload, artifact.name)


def accepted(path, data, key, bits):
    """The (byte, bit) pairs with which an artifact still verifies, and what was found in it."""
    keys = [key.verification]
    found = {}
    with path.open("wb", buffering=0) as file:
        file.write(data)
        for at, bit in bits:
            os.pwrite(file.fileno(), bytes([data[at] ^ 1 << bit]), at)
            with contextlib.suppress(ArtifactError, TrustError):
                found[at, bit] = verify_artifact(path, keys).artifact
            os.pwrite(file.fileno(), data[at : at + 1], at)
        assert verify_artifact(path, keys)
    return found


def one_bit_of_each_byte(data):
    """Of zeros, most of which fill blocks, each fifth; at night there are no exceptions."""
    return [(at, (at * 5 + 3) % 8) for at in range(len(data)) if data[at] or at % 5 == 0]


def every_bit(data):
    return list(itertools.product(range(len(data)), range(8)))


def our_artifact(tmp_path, compression, key):
    path = tmp_path / "ours.mender"
    (tmp_path / "app.conf").write_bytes(b"a=1\n" * 100)
    payload = single_file_payload(tmp_path / "app.conf", dest_dir="/etc", permissions="644")
    spec = ArtifactSpec("r1", ("dt",), payload, compression=compression)
    write_artifact(spec, path, sign=signer(key))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("compression", "kind"),
    [*((one, KeyKind.ECDSA_P256) for one in Compression), (Compression.GZIP, KeyKind.RSA)],
)
def test_no_flipped_bit_of_what_we_wrote_verifies(tmp_path, compression, kind):
    data = our_artifact(tmp_path, compression, KEYS[kind])

    assert not accepted(tmp_path / "a", data, KEYS[kind], one_bit_of_each_byte(data))


def test_no_flipped_bit_of_the_packed_payload_that_we_wrote_verifies(tmp_path):
    """gzip alone has bits without meaning: its time, and which of two equal runs is copied."""
    data = our_artifact(tmp_path, Compression.GZIP, EC_KEY)
    comment = data.index(b" comment=sha256:") - 2
    packed = data.index(b"data/0000.tar", comment) + 512
    places = [*range(comment, comment + 90), *range(packed, len(data.rstrip(b"\0")))]

    bits = list(itertools.product(places, range(8)))

    assert not accepted(tmp_path / "a", data, EC_KEY, bits)


@pytest.mark.night
@pytest.mark.parametrize("kind", sorted(ARTIFACT_KINDS))
@pytest.mark.parametrize("compression", Compression)
def test_no_bit_at_all_of_what_we_wrote_verifies_when_flipped(tmp_path, compression, kind):
    data = our_artifact(tmp_path, compression, KEYS[kind])

    assert not accepted(tmp_path / "a", data, KEYS[kind], every_bit(data))


def test_no_flipped_bit_of_what_we_signed_verifies(tmp_path):
    (tmp_path / "foreign").write_bytes(Craft().build())
    sign_artifact(tmp_path / "foreign", tmp_path / "signed", sign=signer(EC_KEY))
    data = (tmp_path / "signed").read_bytes()

    assert not accepted(tmp_path / "a", data, EC_KEY, one_bit_of_each_byte(data))


def free_of_a_foreign_file(data):
    """The bytes that docs/reference/artifact.md calls free: of a gzip payload, without its sums."""
    member = data.index(b"data/0000.tar")
    packed = member + 512
    end = packed + int(data[member + 124 : member + 135], 8)
    return range(packed + 4, end - 8)


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize(
    "choose", [one_bit_of_each_byte, pytest.param(every_bit, marks=pytest.mark.night)]
)
def test_flipped_bits_of_a_foreign_artifact_are_refused_or_mean_nothing(tmp_path, suffix, choose):
    """Where no signature reaches, what is delivered must be the same to the last byte."""
    data = Craft(suffix=suffix, sign=signer(EC_KEY)).build()
    path = tmp_path / "a.mender"
    path.write_bytes(data)
    good = essence(verify_artifact(path, [EC_KEY.verification]).artifact)

    found = accepted(path, data, EC_KEY, choose(data))

    assert all(essence(artifact) == good for artifact in found.values())
    places = {at for at, _ in found}
    assert places <= set(free_of_a_foreign_file(data) if suffix == ".gz" else [])


def test_reading_does_not_judge_the_signature(tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(Craft(signature=b"QUJD").build())

    assert read_artifact(path).signature == b"ABC"


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["replace", "insert", "delete", "repeat"]),
        st.integers(0, 12_000),
        st.integers(1, 600),
        st.binary(min_size=1, max_size=600),
    ),
    min_size=1,
    max_size=4,
)


def edited(data, edits):
    for how, at, size, new in edits:
        start = at % (len(data) + 1)
        piece = data[start : start + size]
        middle = {"replace": new, "insert": new + piece, "delete": b"", "repeat": piece * 2}[how]
        data = data[:start] + middle + data[start + len(piece) :]
    return data


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS, suffix=st.sampled_from(sorted(PACKERS)))
def test_edited_artifact_is_refused_or_the_same(tmp_path, edits, suffix):
    data = Craft(suffix=suffix, sign=signer(EC_KEY)).build()
    path = tmp_path / "a.mender"
    path.write_bytes(data)
    good = essence(verify_artifact(path, [EC_KEY.verification]).artifact)
    path.write_bytes(edited(data, edits))

    try:
        found = verify_artifact(path, [EC_KEY.verification]).artifact
    except (ArtifactError, TrustError):
        return

    assert essence(found) == good
