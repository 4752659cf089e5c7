"""JSON that every reader understands the same way, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.artifact import ArtifactError, Rule
from orchestrator.artifact.strict_json import DEPTH_MAX, format_object, parse_object

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES))
def test_what_is_formatted_is_parsed_back(value):
    assert parse_object(format_object(value, "x"), "x") == value


@given(TEXTS)
def test_brackets_in_strings_do_not_count_as_depth(text):
    value = {"a": "[{" * 40 + text}

    assert parse_object(json.dumps(value).encode(), "x") == value


def test_depth_is_limited():
    def nested(depth):
        return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)

    assert parse_object(nested(DEPTH_MAX), "x")
    with pytest.raises(ArtifactError) as caught:
        parse_object(nested(DEPTH_MAX + 1), "x")
    assert caught.value.rule is Rule.HEADER_JSON


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'{"a":1,"a":1}',
        b'{"a":Infinity}',
        b"{'a':1}",
        b'{"a"',
        b'{"a":"\\u0000"}',
        b'{"a":[{"\\u0000":1}]}',
        b'{"a":1e100}',
        b'{"a":' + b"1" * 65 + b"}",
    ],
)
def test_what_is_not_strict_is_refused(data):
    with pytest.raises(ArtifactError) as caught:
        parse_object(data, "x")

    assert caught.value.rule is Rule.HEADER_JSON


def test_text_with_a_nul_is_not_written():
    with pytest.raises(ArtifactError):
        format_object({"a": ["\0"]}, "x")


def test_numbers_of_two_digit_exponents_are_taken():
    assert parse_object(b'{"a":-1.5e+99,"b":' + b"1" * 64 + b"}", "x")["a"] == -1.5e99
