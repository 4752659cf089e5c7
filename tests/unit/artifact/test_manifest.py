"""Lines of the manifest and the text of its signature."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.artifact import ArtifactError, Rule
from orchestrator.artifact.manifest import (
    check_file_name,
    check_sum,
    decode_signature,
    format_manifest,
    parse_manifest,
)

SUM = "0123456789abcdef" * 4
LINES = [("data/0000/b", SUM), ("data/0000/a", SUM), ("header.tar", SUM), ("version", SUM)]


def test_lines_are_read_back_in_their_order():
    assert list(parse_manifest(format_manifest(LINES), "header.tar").items()) == LINES


@given(st.binary(max_size=300))
def test_other_bytes_are_refused(data):
    with pytest.raises(ArtifactError):
        parse_manifest(data, "header.tar")


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_changed_lines_are_refused_or_read_to_the_last_byte(at, new):
    good = format_manifest(LINES)
    start = at % len(good)
    data = good[:start] + new + good[start + len(new) :]

    try:
        found = parse_manifest(data, "header.tar")
    except ArtifactError:
        return

    assert format_manifest(list(found.items())) == data


def test_header_of_another_compression_is_missing():
    with pytest.raises(ArtifactError) as caught:
        parse_manifest(format_manifest(LINES), "header.tar.gz")

    assert caught.value.rule is Rule.MANIFEST_MISSING


def test_sum_must_be_listed_and_equal():
    sums = dict(LINES)

    check_sum(sums, "version", SUM)
    for name, digest, rule in (
        ("version", SUM[::-1], Rule.CHECKSUM),
        ("other", SUM, Rule.MANIFEST_MISSING),
    ):
        with pytest.raises(ArtifactError) as caught:
            check_sum(sums, name, digest)
        assert caught.value.rule is rule


@pytest.mark.parametrize("name", ["a", ".hidden", "A-b_c.d,e", "x" * 90])
def test_plain_file_names_are_taken(name):
    check_file_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a..b", "-a", "a b", "a/b", "é", "a\n", "x" * 91])
def test_other_file_names_are_refused(name):
    with pytest.raises(ArtifactError) as caught:
        check_file_name(name)

    assert caught.value.rule is Rule.FILE_NAME


@given(st.binary(min_size=1, max_size=600))
def test_signature_is_decoded_in_one_line_or_wrapped(signature):
    assert decode_signature(base64.b64encode(signature)) == signature
    assert decode_signature(base64.encodebytes(signature)) == signature


@given(st.binary(max_size=300))
def test_signature_has_one_text_only(data):
    try:
        found = decode_signature(data)
    except ArtifactError:
        return

    assert base64.b64encode(found) == data.replace(b"\n", b"")
