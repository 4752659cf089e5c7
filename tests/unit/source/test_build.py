from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from orchestrator.source.build import TreeBuilder
from orchestrator.source.frame import Event, LimitReachedError
from orchestrator.source.node import MappingNode, SequenceNode, to_plain
from orchestrator.source.policy import INVENTORY_POLICY, PLAN_POLICY
from orchestrator.source.text import Findings, SourceText


def builder_for(policy: object = PLAN_POLICY) -> tuple[TreeBuilder, Findings]:
    findings = Findings(SourceText("f", ""))
    chosen = PLAN_POLICY if policy is PLAN_POLICY else INVENTORY_POLICY
    return TreeBuilder(chosen, findings), findings


def events_of(text: str) -> Iterator[Event]:
    """Events of PyYAML's own parser in Python, which is used where libyaml is not there."""
    yield from yaml.parse(text, Loader=yaml.SafeLoader)


def test_parser_in_python_gives_the_same_tree() -> None:
    builder, findings = builder_for()

    builder.consume(events_of("a: [1, {b: ~}]\nc: 'x'\n"))

    assert builder.root is not None
    assert to_plain(builder.root) == {"a": [1, {"b": None}], "c": "x"}
    assert findings.result() == ()


def test_quotes_are_known_from_both_parsers() -> None:
    builder, _ = builder_for()

    builder.consume(events_of("[a, 'b', \"c\", |\n d\n]"[:14] + "]"))

    assert isinstance(builder.root, SequenceNode)
    assert [getattr(item, "quoted", None) for item in builder.root.items] == [False, True, True]


def test_shared_nodes_are_shared() -> None:
    builder, _ = builder_for(INVENTORY_POLICY)

    builder.consume(events_of("a: &a {x: 1}\nb: *a\n"))

    assert isinstance(builder.root, MappingNode)
    assert builder.root.get("a") is builder.root.get("b")


def test_anchor_may_be_used_again() -> None:
    builder, findings = builder_for(INVENTORY_POLICY)

    builder.consume(events_of("a: &a 1\nb: &a 2\nc: *a\n"))

    assert builder.root is not None
    assert to_plain(builder.root) == {"a": 1, "b": 2, "c": 2}
    assert findings.result() == ()


def test_limit_ends_the_reading_with_its_finding() -> None:
    builder, findings = builder_for()

    with pytest.raises(LimitReachedError):
        builder.consume(events_of("a: 1\n---\nb: 2\n"))

    assert [found.code for found in findings.result()] == ["Y110"]
