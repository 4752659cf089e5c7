"""What JSON is refused, and where in the file something stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Where
from orchestrator.evidence.strict_json import DEPTH_MAX, StrictJsonError, parse, places

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


def refused(data: bytes, size: int = 10_000) -> StrictJsonError:
    with pytest.raises(StrictJsonError) as caught:
        parse(data, "f.json", size_bytes_max=size)
    return caught.value


def paths_of(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths_of(item, (*path, key))
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from paths_of(item, (*path, number))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": Infinity}', "Infinity is no JSON"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), "nested more than"),
        (b"[" * 200_000, "nested more than"),
        (b"{}" + b" " * 10_000, "more than 10000 bytes"),
    ],
)
def test_what_is_no_strict_json_is_refused(data, words) -> None:
    found = refused(data, 500_000 if words != "more than 10000 bytes" else 10_000)

    assert words in found.message


def test_a_key_that_stands_twice_is_named_with_its_place() -> None:
    found = refused(b'{"a": {"b": 1},\n "c": [{"d": 1, "e": "d",\n   "d": 2}]}')

    assert found.is_twice
    assert "`d`" in found.message
    assert found.where == Where("f.json", 3, 4)


def test_brackets_in_texts_are_no_nesting() -> None:
    text = json.dumps({"a": "[{" * 200, "b": '"[' * 100})

    assert parse(text.encode(), "f", size_bytes_max=10_000).value == json.loads(text)


def test_places_are_those_of_keys_and_items() -> None:
    document = parse(b'{"a": [1,\n  {"x": [], "y": "},"},\n 3],\n"b": 2}', "f", size_bytes_max=99)

    found = places(document, [("a", 1, "y"), ("a", 2), ("b",), ("a", 1, "gone"), ("a", 1)])

    assert [str(where) for where in found.values()] == [
        "f:2:13",
        "f:3:2",
        "f:4:1",
        "f:2:3",
        "f:2:3",
    ]


@given(VALUES, st.sampled_from([None, 1]))
def test_every_value_has_a_place_that_begins_with_it_or_its_key(value, indent) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    document = parse(text.encode("utf-8", "replace"), "f", size_bytes_max=10**6)
    lines = document.text.split("\n")

    for path, where in places(document, list(paths_of(document.value))).items():
        if path:
            rest = lines[where.line - 1][where.column - 1 :]
            key = path[-1]
            wanted = json.dumps(key, ensure_ascii=False) if isinstance(key, str) else rest
            assert rest.startswith(wanted)
