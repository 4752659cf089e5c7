"""Whose signatures count, and files that survive being written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import TrustError
from orchestrator.trust import generate_key
from orchestrator.trust.signature_file import (
    Signature,
    add_signature,
    parse_signatures,
    signed_by,
    write_signatures,
)
from orchestrator.trust.signing import sign_bytes

ONE, TWO = generate_key(), generate_key()
KEYS = (ONE.verification, TWO.verification)
TEXT = b"text\n"
SIGNATURES = st.builds(
    Signature, st.from_regex(r"[0-9a-f]{64}", fullmatch=True), st.binary(min_size=1, max_size=72)
)


def by(key, text=TEXT):
    return Signature(key.fingerprint, sign_bytes(text, key))


@given(st.lists(SIGNATURES, min_size=1, max_size=32))
def test_signatures_survive_their_file(signatures):
    assert parse_signatures(write_signatures(signatures)) == tuple(signatures)


@given(st.lists(SIGNATURES, max_size=8))
def test_signatures_of_others_are_skipped(others):
    found = signed_by(TEXT, [*others, by(ONE), *others], KEYS)

    assert found == (ONE.verification,)


@pytest.mark.parametrize("count", [0, 33])
def test_a_file_has_1_to_32_signatures(count):
    with pytest.raises(TrustError):
        write_signatures([by(ONE)] * count)


def test_each_key_counts_once_and_only_for_this_text():
    assert signed_by(TEXT, [by(ONE), by(ONE), by(TWO, b"other\n")], KEYS) == (ONE.verification,)
    assert signed_by(TEXT, [by(TWO, b"other\n"), by(TWO)], KEYS) == (TWO.verification,)
    assert signed_by(TEXT, [by(ONE), by(TWO)], KEYS[1:]) == (TWO.verification,)
    swapped = Signature(ONE.fingerprint, by(TWO).data)
    assert signed_by(TEXT, [swapped], KEYS) == ()


def test_signing_again_replaces_what_the_same_key_signed():
    old = Signature(ONE.fingerprint, b"old")

    assert [each.key_id for each in add_signature([old, by(TWO)], by(ONE))] == [
        TWO.fingerprint,
        ONE.fingerprint,
    ]
