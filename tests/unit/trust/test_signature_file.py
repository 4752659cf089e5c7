"""Files of signatures survive being written, and have room for those that all devices read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import TrustError
from orchestrator.trust import generate_key
from orchestrator.trust.signature_file import (
    SSH_TAG,
    Signature,
    add_signatures,
    parse_signatures,
    write_signatures,
)
from orchestrator.trust.signing import sign_bytes

ONE, TWO = generate_key(), generate_key()
TEXT = b"text\n"
SIGNATURES = st.builds(
    Signature, st.from_regex(r"[0-9a-f]{64}", fullmatch=True), st.binary(min_size=1, max_size=72)
)


def by(key, text=TEXT):
    return Signature(key.fingerprint, sign_bytes(text, key))


def in_ssh_form(number, size_bytes=64):
    return Signature(f"{number:064x}", SSH_TAG + bytes(size_bytes))


def plain(number, size_bytes=70):
    return Signature(f"{number:064x}", b"\x30" * size_bytes)


@given(st.lists(SIGNATURES, min_size=1, max_size=32))
def test_signatures_survive_their_file(signatures):
    assert parse_signatures(write_signatures(signatures)) == tuple(signatures)


@pytest.mark.parametrize("count", [0, 33])
def test_a_file_has_1_to_32_signatures(count):
    with pytest.raises(TrustError):
        write_signatures([by(ONE)] * count)


def test_signing_again_replaces_what_the_same_key_signed_in_that_form():
    old = Signature(ONE.fingerprint, b"old")
    ssh = Signature(ONE.fingerprint, SSH_TAG + b"old")
    new = Signature(ONE.fingerprint, SSH_TAG + b"new")

    again, others = by(ONE), by(TWO)
    assert add_signatures([old, ssh, others], (again,)) == (ssh, others, again)
    assert add_signatures([old, ssh], (new,)) == (old, new)


@pytest.mark.parametrize(
    ("there", "size_bytes"), [(16, 64), (10, 512)], ids=["of lines", "of bytes"]
)
def test_where_there_is_no_room_the_form_of_ssh_is_left_out(there, size_bytes):
    both = tuple(
        each for n in range(there) for each in (plain(n, size_bytes), in_ssh_form(n, size_bytes))
    )

    found = add_signatures(both, (plain(99, size_bytes), in_ssh_form(99, size_bytes)))

    if there == 16:  # there is none for a plain one either: the file says so when it is written
        assert found == (*both, plain(99, size_bytes))
    else:
        assert parse_signatures(write_signatures(found)) == (*both, plain(99, size_bytes))


def test_what_a_key_signed_in_the_form_of_ssh_alone_is_never_left_out():
    """As a build key beside a ticket: its signer would hear that all went well, and nobody signed."""
    full = tuple(each for n in range(16) for each in (plain(n), in_ssh_form(n)))

    found = add_signatures(full, (in_ssh_form(99),))

    assert found == (*full, in_ssh_form(99))
    with pytest.raises(TrustError, match="one `sig` line too many"):
        write_signatures(found)
    assert add_signatures((*full[:-1], plain(99)), (in_ssh_form(99),)) == (*full[:-1], plain(99))
