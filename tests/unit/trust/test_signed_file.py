"""A text and the signatures beside it."""

import pytest

from orchestrator.errors import TrustError
from orchestrator.trust import generate_key
from orchestrator.trust.errors import TrustRule
from orchestrator.trust.signature_file import Signature
from orchestrator.trust.signed_file import read_signed, write_signed
from orchestrator.trust.signing import sign_bytes

TEXT = b"fleet-release 1\n"
ONE, TWO = generate_key(), generate_key()


def signature(key, text=TEXT):
    return Signature(key.fingerprint, sign_bytes(text, key))


def test_what_is_written_is_read(tmp_path):
    written = write_signed(tmp_path / "t", TEXT, (signature(ONE),))

    found = read_signed(tmp_path / "t")

    assert found == written
    assert found.signatures == written.signatures
    assert found.evidence(TrustRule.SIGNATURES) == (tmp_path / "t.sig").read_bytes()


def test_text_that_nobody_signed_has_no_evidence(tmp_path):
    file = write_signed(tmp_path / "t", TEXT, ())

    with pytest.raises(TrustError) as caught:
        file.evidence(TrustRule.SIGNATURES)

    assert caught.value.code == "T141"
    assert not (tmp_path / "t.sig").exists()


def test_signatures_that_others_added_in_the_meantime_are_kept(tmp_path):
    mine = write_signed(tmp_path / "t", TEXT, ())
    read_signed(tmp_path / "t").with_signatures((signature(ONE),))

    mine.with_signatures((signature(TWO),))

    found = [each.key_id for each in read_signed(tmp_path / "t").signatures]
    assert found == [ONE.fingerprint, TWO.fingerprint]


@pytest.mark.parametrize("there", ["t", "t.sig"])
def test_nothing_that_is_there_is_replaced(tmp_path, there):
    (tmp_path / there).write_bytes(b"mine")

    with pytest.raises(TrustError) as caught:
        write_signed(tmp_path / "t", TEXT, (signature(ONE),))

    assert caught.value.code == "T106"
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_bytes() == b"mine"


def test_one_wrong_line_beside_refuses_the_file_and_says_which(tmp_path):
    write_signed(tmp_path / "t", TEXT, ())
    (tmp_path / "t.sig").write_bytes(b"sig x\n")

    with pytest.raises(TrustError) as caught:
        read_signed(tmp_path / "t")

    assert str(caught.value.where) == str(tmp_path / "t.sig")
