"""Snapshots: dated by their own words, and never half read."""

from __future__ import annotations

import json

import pytest

from orchestrator.evidence.snapshot import SnapshotError, gather, read_list
from tests.unit.evidence.papers import NOW, TODAY, YESTERDAY, osv

DAY_S = 86_400.0
WANTED = {("Debian", "openssl")}
KEV = {
    "catalogVersion": "2025.11.23", "dateReleased": "2025-11-23T10:00:00.0000Z",
    "vulnerabilities": [{"cveID": "CVE-2024-1"}],
}  # fmt: skip


def test_records_are_dated_by_the_newest_and_kept_for_what_was_asked() -> None:
    records = [
        osv("A", "Debian:12", "openssl", ("introduced", "0"), modified=YESTERDAY),
        osv("B", "Debian:11", "curl", ("introduced", "0"), modified=TODAY),
        osv("C", "npm", "left", ("introduced", "0"), modified=YESTERDAY),
        osv("D", "Debian:12", "openssl", ("introduced", "0"), withdrawn=TODAY, modified=YESTERDAY),
    ]

    found = gather("s", "00", records, WANTED)

    assert [record.id for record, _ in found.found["Debian", "openssl"]] == ["A"]
    assert found.coverage == {"Debian": {"11", "12"}, "npm": set()}
    assert found.why_not(now=NOW, max_age_s=DAY_S) == ""
    assert (
        found.why_not(now=NOW + DAY_S, max_age_s=DAY_S) == "snapshot `s` is 1d8h old, and may be 1d"
    )


def test_a_snapshot_from_the_future_or_without_a_date_says_nothing() -> None:
    later = gather("s", "00", [osv("A", "npm", "p", modified="2025-11-25T00:00:00Z")], ())

    assert "from the future" in later.why_not(now=NOW, max_age_s=DAY_S)
    assert (
        gather("s", "00", [], ()).why_not(now=NOW, max_age_s=DAY_S) == "snapshot `s` says no date"
    )


@pytest.mark.parametrize("bad", [None, {"id": "X", "modified": "yesterday"}, {"modified": TODAY}])
def test_one_record_that_cannot_be_read_refuses_all(bad) -> None:
    with pytest.raises(SnapshotError, match="record 2"):
        gather("s", "00", [osv("A", "npm", "p"), bad], ())


def test_lists_are_those_of_osv_and_the_catalogue_of_exploits() -> None:
    vulns = {"vulns": [osv("A", "Debian", "openssl", ("introduced", "0"))]}

    listed = read_list("s", "00", json.dumps(vulns).encode(), WANTED)
    exploited = read_list("s", "00", json.dumps(KEV).encode(), WANTED)

    assert list(listed.found) == [("Debian", "openssl")]
    assert exploited.exploited == {"CVE-2024-1"}
    assert exploited.why_not(now=NOW, max_age_s=2 * DAY_S) == ""


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"vulns": 1}', '{"vulns": [], "vulns": []}', "{" * 100_000,
        json.dumps({**KEV, "vulnerabilities": []}), json.dumps({**KEV, "vulnerabilities": [{}]}),
        json.dumps({**KEV, "vulnerabilities": 3}),
    ],
)  # fmt: skip
def test_anything_else_is_no_snapshot(text) -> None:
    with pytest.raises(SnapshotError):
        read_list("s", "00", text.encode(), ())
