import json

import pytest

from orchestrator.strict_json import KeyTwiceError, loads


def test_json_is_read_as_usual() -> None:
    assert loads('{"a": [1, 2.5, null, {"a": "a"}]}') == {"a": [1, 2.5, None, {"a": "a"}]}


def test_numbers_are_made_by_the_caller() -> None:
    assert loads("[1, 2.5]", parse_int=lambda text: f"i{text}", parse_float=float) == ["i1", 2.5]


def test_first_key_that_stands_twice_is_named() -> None:
    with pytest.raises(KeyTwiceError, match="key 'b' stands twice") as caught:
        loads('[{"a": 1, "b": 2, "b": 2, "a": 1}]')
    assert caught.value.key == "b"


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(word) -> None:
    with pytest.raises(ValueError, match=f"{word} is no JSON"):
        loads(f'{{"a": {word}}}')


def test_what_is_too_deep_is_refused() -> None:
    with pytest.raises(ValueError, match="too deep"):
        loads("[" * 100_000)


def test_place_of_what_is_no_json_is_told() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        loads('{\n "a"; 1}')
    assert (caught.value.lineno, caught.value.colno) == (2, 5)
