from __future__ import annotations

from fractions import Fraction

import pytest

from orchestrator.plan.language import RETRIES
from orchestrator.plan.reader import Reader
from orchestrator.source import PLAN_POLICY, Node, load_yaml


def read(value: str) -> tuple[Reader, Node]:
    document = load_yaml(f"key: {value}\n".encode(), file="p.yml", policy=PLAN_POLICY)
    assert document.root is not None
    node = document.root.get("key")  # type: ignore[union-attr]  # a mapping by construction
    assert node is not None
    return Reader(document), node


def test_absent_values_are_none_without_a_finding() -> None:
    reader, _ = read("1")

    values = [
        reader.text(None, "key"),
        reader.template(None, "key"),
        reader.name(None, "key"),
        reader.choice(None, "key", ["a"]),
        reader.boolean(None, "key"),
        reader.integer(None, "key"),
        reader.number(None, "key", least=0, most=1),
        reader.share(None, "key"),
        reader.duration(None, "key"),
        reader.sequence(None, "key", "[]"),
    ]

    assert values == [None] * len(values)
    assert reader.findings == []


@pytest.mark.parametrize(
    ("written", "share"),
    [
        ("29", Fraction(29, 100)),
        ("0.1", Fraction(1, 1000)),
        ("33.33", Fraction(3333, 10_000)),
        ("100", Fraction(1)),
        (".5", Fraction(1, 200)),
    ],
)
def test_share_is_exactly_what_is_written(written: str, share: Fraction) -> None:
    reader, node = read(written)

    assert reader.share(node, "key") == share


@pytest.mark.parametrize(
    ("written", "column"),
    [("abc", 6), ('"abc"', 7), ("'abc'", 7), ('"a\\u0062c"', None), ("|-\n  abc", None)],
)
def test_text_knows_where_its_characters_stand(written: str, column: int | None) -> None:
    reader, node = read(written)

    text = reader.text(node, "key")

    assert text is not None
    assert text.text == "abc"
    assert (text.inner.column if text.inner else None) == column


def test_mapping_reports_every_key_at_once() -> None:
    reader, node = read("{count: 1, cuont: 2, delay: , xyzzy: 3}")

    fields = reader.mapping(node, RETRIES)

    assert fields is not None
    assert fields.refused
    assert set(fields.values) == {"count"}
    assert [found.code for found in reader.findings] == ["P107", "P103", "P107"]


def test_key_outside_the_table_is_a_bug() -> None:
    reader, node = read("{}")
    fields = reader.mapping(node, RETRIES)
    assert fields is not None

    with pytest.raises(AssertionError):
        fields.get("cuont")


def test_errors_are_told_from_warnings() -> None:
    reader, node = read("1")

    reader.warn(node.where, "P911", "a warning")
    only_warning = reader.has_errors()
    reader.error(node.where, "P101", "an error")

    assert not only_warning
    assert reader.has_errors()
    assert not reader.has_errors(since=2)
