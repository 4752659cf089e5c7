from __future__ import annotations

import pytest

from orchestrator.source import PLAN_POLICY, MappingNode, Node, SequenceNode, load_yaml, to_plain


def root_of(text: str) -> Node:
    document = load_yaml(text.encode(), file="f", policy=PLAN_POLICY)
    assert document.ok
    assert document.root is not None
    return document.root


def test_plain_keeps_order_and_nesting() -> None:
    plain = to_plain(root_of("b: [1, {x: ~}]\na: true\n"))

    assert plain == {"b": [1, {"x": None}], "a": True}
    assert list(plain) == ["b", "a"]


def test_get_gives_none_for_a_key_that_is_not_there() -> None:
    root = root_of("a: 1\n")

    assert isinstance(root, MappingNode)
    assert root.get("b") is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{}", "a mapping"),
        ("[]", "a list"),
        ("1", "the number 1"),
        ("2.5", "the number 2.5"),
        ("true", "the boolean true"),
        ("~", "nothing"),
        ("abc", 'the text "abc"'),
        ("'" + "x" * 60 + "'", 'the text "' + "x" * 37 + '..."'),
    ],
)
def test_kind_is_fit_for_a_message(text: str, kind: str) -> None:
    assert root_of(text).kind == kind


def test_collections_know_their_places() -> None:
    root = root_of("- a\n- [b]\n")

    assert isinstance(root, SequenceNode)
    assert (root.where.line, root.where.column) == (1, 1)
    assert str(root.items[1].where) == "f:2:3"
