from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Severity
from orchestrator.source.policy import INVENTORY_POLICY, PLAN_POLICY
from orchestrator.source.scalars import resolver

core = resolver(PLAN_POLICY)
compat = resolver(INVENTORY_POLICY)
NUMERIC_ALPHABET = "0123456789.:+-_eExob~"


@given(st.text(alphabet=NUMERIC_ALPHABET, min_size=1, max_size=12))
def test_inventories_read_what_pyyaml_reads(text: str) -> None:
    """PyYAML's own loader is the oracle: Ansible is built on it."""
    try:
        theirs = yaml.safe_load(f"v: {text}")["v"]
    except (yaml.YAMLError, ValueError, TypeError, KeyError, OverflowError):
        return
    value, problem = compat(text)
    if problem is not None and problem.severity is Severity.ERROR:
        return
    if hasattr(theirs, "isoformat"):
        theirs = theirs.isoformat()
    assert type(value) is type(theirs)
    assert value == theirs


@given(st.text(alphabet=NUMERIC_ALPHABET, min_size=1, max_size=12))
def test_plans_never_read_a_number_that_yaml_1_1_reads_as_another(text: str) -> None:
    value, problem = core(text)
    if problem is not None or isinstance(value, str):
        return
    other, doubt = compat(text)
    if isinstance(other, str) and text.startswith("0o"):
        return  # the one notation of YAML 1.2 that plans offer in place of `0755`
    assert doubt is None
    assert value == other or isinstance(other, str)


@pytest.mark.parametrize(
    "text", ["1.2.3", "10%", "30m", "-", "+", ".", "0x", "v1", "1-2", "e3", "1e"]
)
def test_words_that_only_look_like_numbers_are_text(text: str) -> None:
    assert core(text) == (text, None)


@pytest.mark.parametrize("text", ["1:" * 30_000 + "1", "1:" * 400 + "1", "1:" * 300 + "1.5"])
def test_endless_base_60_number_is_read_or_refused_cleanly(text: str) -> None:
    assert core(text)[1] is not None
    value, problem = compat(text)
    assert problem is not None
    assert isinstance(value, int) or problem.severity is Severity.ERROR


def test_problem_of_an_unreadable_number() -> None:
    value, problem = compat("1__:2.5._")
    assert value == "1__:2.5._"
    assert problem is None or problem.code == "Y120"
