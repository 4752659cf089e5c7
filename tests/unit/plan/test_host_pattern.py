from __future__ import annotations

import pytest

from orchestrator.errors import PlanError, Severity
from orchestrator.plan.host_pattern import PATTERN_CHARS_MAX, split_pattern
from orchestrator.plan.parse import check_plan

PLAN = """\
schema: 1
name: gw
hosts: {hosts}
artifact: a.mender
waves: [{{size: 1, hosts: {own}}}, rest]
gates: [{{name: ok, check: svc, success_when: result.exit == 0}}]
"""


@pytest.mark.parametrize(
    ("pattern", "terms"),
    [
        ("all", ["all"]),
        ("a:b : &c:!d", ["a", "b", "&c", "!d"]),
        ("a,b,!c", ["a", "b", "!c"]),
        ("gw[0:9]:db", ["gw[0:9]", "db"]),
        ("::1", ["::1"]),
        ("fe80::1,&b", ["fe80::1", "&b"]),
    ],
)
def test_pattern_is_split_into_terms(pattern: str, terms: list[str]) -> None:
    assert split_pattern(pattern) == terms


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("", "I202"),
        (" ", "I202"),
        ("a:&", "I202"),
        ("x::y", "I202"),
        ("a,", "I202"),
        ("x" * (PATTERN_CHARS_MAX + 1), "I202"),
        ("a,b:c", "I203"),
        ("&!a", "I204"),
        ("gw[0-9]", "I204"),
        ("!gw[0-9]", "I204"),
        ("~", "I205"),
        ("~we[b", "I205"),
        ("~" + "a" * 201, "I205"),
        ("~(a+)+$", "I205"),
        ("~(a|a)*$", "I205"),
        ("~(a*){2,}", "I205"),
        ("~.*a.*b.*c.*d.*e", "I205"),
        (r"~(a*)\1", "I205"),
        ("~(?P<x>a*)(?P=x)", "I205"),
        ("@failed", "I206"),
    ],
)
def test_malformed_pattern_is_refused(pattern: str, code: str) -> None:
    with pytest.raises(PlanError) as refused:
        split_pattern(pattern)

    assert refused.value.code == code


def test_malformed_patterns_of_a_plan_are_found_without_an_inventory() -> None:
    found = check_plan(PLAN.format(hosts="'a:&'", own="'b,'").encode(), file="p.yml")

    assert [(each.code, str(each.where)) for each in found] == [
        ("I202", "p.yml:3:8"),
        ("I202", "p.yml:5:26"),
    ]


def test_pattern_with_variables_is_judged_once_they_are_in_place() -> None:
    (found,) = check_plan(PLAN.format(hosts="'{{ a }}:&'", own="b").encode(), file="p.yml")

    assert (found.code, found.severity, found.where.line) == ("P210", Severity.WARNING, 3)


@pytest.mark.parametrize(
    "pattern", ["~web.*", r"~gw-\d+\.lan$", "~(web|db)[0-9]+", "~[*+]{2}x", "!~web", r"~a\)+b"]
)
def test_regular_expression_with_an_end_is_a_pattern(pattern: str) -> None:
    assert split_pattern(pattern) == [pattern]
