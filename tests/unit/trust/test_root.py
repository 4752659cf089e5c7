"""Roots and drafts survive being written, and a key stands in them once."""

import base64
import itertools
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import TrustError
from orchestrator.testing.tickets import CaseKeys, root_text
from orchestrator.trust.root import Role, RoleKey, Root, parse_draft, parse_root, write_root

KEYS = CaseKeys.make()
ALL = [*KEYS.root, *KEYS.release, KEYS.build, KEYS.rsa, KEYS.ed25519]
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@st.composite
def roots(draw) -> Root:
    chosen = draw(st.permutations(ALL))
    cuts = sorted(draw(st.tuples(*(st.integers(1, len(ALL) - 3),) * 2)))
    ends = [cuts[0], max(cuts[1], cuts[0] + 1), draw(st.integers(cuts[1] + 2, len(ALL)))]
    groups = [chosen[a:b] for a, b in itertools.pairwise([0, *ends])]
    root, release, build = (draw(st.integers(1, len(group))) for group in groups)
    keys = [
        RoleKey(role, key.verification)
        for role, group in zip(Role, groups, strict=True)
        for key in group
    ]
    return Root(
        "acme", draw(st.integers(1, 99)), draw(st.integers(0, 10**9)), root, release, build,
        tuple(sorted(keys, key=lambda each: each.value)),
    )  # fmt: skip


@given(roots())
def test_root_survives_its_text(root):
    assert parse_root(write_root(root)) == root


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_no_root(data):
    with pytest.raises(TrustError):
        parse_draft(data)


def test_draft_may_lack_keys_and_a_root_may_not():
    full = parse_root(root_text(KEYS))
    for draft in (replace(full, keys=()), replace(full, keys=full.keys[1:])):
        text = write_root(draft)

        assert parse_draft(text) == draft
        with pytest.raises(TrustError) as caught:
            parse_root(text)
        assert caught.value.code in {"T171", "T173"}


def test_keys_are_sorted_when_they_are_written():
    full = parse_root(root_text(KEYS))

    assert write_root(replace(full, keys=tuple(reversed(full.keys)))) == root_text(KEYS)


@pytest.mark.parametrize("role", Role)
def test_a_key_stands_in_a_root_once(role):
    full = parse_root(root_text(KEYS))
    again = RoleKey(role, KEYS.build.verification)

    with pytest.raises(TrustError) as caught:
        write_root(replace(full, keys=(*full.keys, again)))

    assert caught.value.code == "T174"


def test_keys_that_no_device_should_trust_are_refused():
    text = root_text(KEYS)
    own = base64.b64encode(KEYS.build.verification.spki)
    for private, kind in (
        (rsa.generate_private_key(65537, 2048), b"rsa"),
        (ec.generate_private_key(ec.SECP384R1()), b"ecdsa-p256"),
    ):
        der = private.public_key().public_bytes(serialization.Encoding.DER, SPKI)
        line = b"key build " + kind + b" " + base64.b64encode(der)
        changed = text.replace(b"key build ecdsa-p256 " + own, line)

        with pytest.raises(TrustError) as caught:
            parse_root(changed)
        assert caught.value.code == "T172"
        assert "cannot be used" in caught.value.message


def test_roles_and_thresholds_are_found_by_role():
    root = parse_root(root_text(KEYS))

    assert {key.fingerprint for key in root.of(Role.RELEASE)} == {
        key.fingerprint for key in KEYS.release
    }
    assert [root.threshold(role) for role in Role] == [2, 2, 1]
    assert replace(root, threshold_build=3).missing(Role.BUILD) == 2
    assert root.missing(Role.ROOT) == 0
