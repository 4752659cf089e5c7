from __future__ import annotations

import pytest

from orchestrator.source import PLAN_POLICY, MappingNode, ScalarNode, load_yaml
from orchestrator.source.suggest import closest, did_you_mean, quoted


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("cannary", "canary"),
        ("max-failures", "max_failures"),
        ("HOSTS", "hosts"),
        ("host", "hosts"),
    ],
)
def test_close_word_is_found(word: str, meant: str) -> None:
    assert closest(word, ["name", "hosts", "max_failures", "canary"]) == meant


def test_far_word_gives_no_text() -> None:
    assert did_you_mean("zzz", ["hosts", "vars"]) == ""
    assert did_you_mean("x" * 1000, ["hosts"]) == ""
    assert did_you_mean("hosts", []) == ""


def test_text_for_a_message() -> None:
    assert did_you_mean("hots", ["hosts"]) == "; did you mean `hosts`?"


@pytest.mark.parametrize(
    ("yaml", "written"), [("1.10", '"1.10"'), ("0755", '"0755"'), ('a"b', "'a\"b'")]
)
def test_quoted_form_reads_back_as_the_same_text(yaml: str, written: str) -> None:
    document = load_yaml(f"a: {yaml}\n".encode(), file="f", policy=PLAN_POLICY)
    assert isinstance(document.root, MappingNode)
    node = document.root.get("a")
    assert isinstance(node, ScalarNode)

    assert quoted(node) == written
    again = load_yaml(f"a: {written}\n".encode(), file="f", policy=PLAN_POLICY)
    assert isinstance(again.root, MappingNode)
    back = again.root.get("a")
    assert isinstance(back, ScalarNode)
    assert back.value == yaml
