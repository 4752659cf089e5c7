from __future__ import annotations

import pytest

from orchestrator.source.characters import (
    bad_key_character,
    bad_value_character,
    decode,
    describe,
    mixed_scripts,
)
from orchestrator.source.policy import INVENTORY_POLICY, PLAN_POLICY
from tests.cost import spending


def test_byte_order_mark_is_removed_at_the_start_only() -> None:
    source, findings = decode("\ufeffa: \ufeff".encode(), "f", PLAN_POLICY)

    assert source.text == "a: \ufeff"
    assert [found.code for found in findings.result()] == ["Y106"]


def test_flood_of_bad_characters_ends() -> None:
    _, findings = decode("\u202e".encode() * 1_000_000, "f", PLAN_POLICY)

    assert len(findings.result()) == 201
    assert findings.result()[-1].code == "Y199"


def test_places_of_several_bad_characters() -> None:
    _, findings = decode("a\u202eb\u202e\nc\n\n\u200bd\x07".encode(), "f", PLAN_POLICY)

    places = [(found.code, found.where.line, found.where.column) for found in findings.result()]
    assert places == [("Y106", 1, 2), ("Y106", 1, 4), ("Y106", 4, 1), ("Y104", 4, 3)]


def test_large_file_of_invisible_characters_is_read_fast() -> None:
    """Places are found in one pass: this took minutes when each was counted from the start."""
    data = "x\u200b\n".encode() * 2_000_000

    with spending() as cost:
        decode(data, "f", INVENTORY_POLICY)

    assert cost.cpu_s < 3


def test_many_warnings_do_not_hide_an_error() -> None:
    text = "\u200b\n" * 5_000 + "\u2028"
    _, findings = decode(text.encode(), "f", INVENTORY_POLICY)

    assert findings.has_errors()


@pytest.mark.parametrize(
    ("word", "scripts"),
    [
        ("gateway", ()),
        ("g\u0430teway", ("Latin", "Cyrillic")),
        ("\u0442\u0435\u0441\u0442", ()),
        ("\u03b1beta", ("Latin", "Greek")),
        ("gr\u00f6\u00dfe", ()),
        ("na\u00efve-7", ()),
    ],
)
def test_mixed_scripts(word: str, scripts: tuple[str, ...]) -> None:
    assert mixed_scripts(word) == scripts


def test_characters_of_keys_and_values() -> None:
    assert bad_key_character("a b") == ""
    assert bad_key_character("a\u00a0b") == "\u00a0"
    assert bad_key_character("a\tb") == "\t"
    assert bad_value_character("a\tb\n\u00a0") == ""
    assert bad_value_character("a\u2066b") == "\u2066"


@pytest.mark.parametrize(
    ("char", "code"),
    [("\r", "Y105"), ("\x85", "Y105"), ("\u200b", "Y106"), ("\u00a0", "Y106"), ("\x1b", "Y104"),
     ("\ue000", "Y104"), ("\t", "Y106")],
)  # fmt: skip
def test_each_character_has_a_code_and_a_message(char: str, code: str) -> None:
    found, message, hint = describe(char)

    assert found == code
    assert message.isprintable()
    assert hint
