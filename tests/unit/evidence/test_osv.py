"""Which versions a record of OSV lists: yes, no, or nobody can say."""

from __future__ import annotations

import pytest

from orchestrator.evidence.osv import Listed, read_record
from tests.unit.evidence.papers import osv

YES, NO, DOUBT = Listed.YES, Listed.NO, Listed.DOUBT


def listed(version: str, *events, ecosystem: str = "Debian:12", **more) -> Listed:
    record = read_record(osv("X-1", ecosystem, "p", *events, **more))
    assert record is not None
    (affected,) = record.affected
    return affected.lists(version)


@pytest.mark.parametrize(
    ("version", "events", "expected"),
    [
        ("1.0", [("introduced", "0")], YES),
        ("1.0-1", [("introduced", "0"), ("fixed", "1.0-2")], YES),
        ("1.0-2", [("introduced", "0"), ("fixed", "1.0-2")], NO),
        ("1.0-2~rc1", [("introduced", "0"), ("fixed", "1.0-2")], YES),
        ("0.9", [("introduced", "1.0"), ("fixed", "2.0")], NO),
        ("1.0", [("introduced", "1.0"), ("last_affected", "1.0")], YES),
        ("1.1", [("introduced", "1.0"), ("last_affected", "1.0")], NO),
        ("3", [("fixed", "2"), ("introduced", "1"), ("introduced", "3"), ("fixed", "4")], YES),
        ("2.5", [("fixed", "2"), ("introduced", "1"), ("introduced", "3"), ("fixed", "4")], NO),
        ("1.0", [("introduced", "0"), ("fixed", "0")], NO),  # Debian: never was affected
        ("1.0", [("introduced", "0"), ("limit", "1.0")], NO),
        ("0.9", [("introduced", "0"), ("limit", "1.0")], YES),
        ("9.0", [("introduced", "0"), ("limit", "1.0"), ("limit", "*")], YES),
    ],
)
def test_ranges_hold_what_their_events_say(version, events, expected) -> None:
    assert listed(version, *events) is expected


def test_a_version_that_is_named_is_listed_in_any_ecosystem() -> None:
    fixed = [("introduced", "0"), ("fixed", "1.0")]

    assert listed("1.5", *fixed, versions=["1.5"]) is YES
    assert listed("1.5", versions=["1.4"], ecosystem="Maven") is NO
    assert listed("v1.5", versions=["1.5"], ecosystem="Go") is YES


@pytest.mark.parametrize(
    ("version", "events", "more"),
    [
        ("1.0", [("introduced", "0"), ("fixed", "2.0")], {"ecosystem": "Maven"}),
        ("1.0", [("introduced", "0"), ("fixed", "2.0")], {"ecosystem": "Alpine:v3.18"}),
        ("not a version", [("introduced", "0"), ("fixed", "2.0")], {}),
        ("1.0", [("introduced", "0"), ("fixed", "what?")], {}),
        ("", [("introduced", "0"), ("fixed", "2.0")], {}),
        ("1.0", [("introduced", "0"), ("fixed", "c0ffee")], {"type": "GIT"}),
        ("1.0", [], {}),
    ],
)
def test_what_nobody_can_say_is_in_doubt(version, events, more) -> None:
    assert listed(version, *events, **more) is DOUBT


def test_an_unknown_order_is_no_doubt_where_all_versions_are_affected() -> None:
    assert listed("1.0", ("introduced", "0"), ecosystem="Maven") is YES


def test_ranges_of_semantic_versions_are_known_in_every_ecosystem() -> None:
    events = [("introduced", "1.0.0"), ("fixed", "1.2.0")]

    assert listed("1.1.9", *events, ecosystem="Whatever", type="SEMVER") is YES
    assert listed("1.2.0-rc.1", *events, ecosystem="npm", type="SEMVER") is YES
    assert listed("1.2.0", *events, ecosystem="npm", type="SEMVER") is NO


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"id": "X"}, {"id": 1, "modified": "x"}, {"id": "X", "modified": "t", "affected": 1},
        {"id": "X", "modified": "t", "affected": [{"package": {"ecosystem": "npm"}}]},
        {"id": "X", "modified": "t", "affected": [{"package": {"ecosystem": "npm", "name": "p"}, "versions": [1]}]},
        {"id": "X", "modified": "t", "aliases": "CVE-1"},
    ],
)  # fmt: skip
def test_what_has_another_form_is_no_record(value) -> None:
    assert read_record(value) is None
