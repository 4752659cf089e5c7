"""Whatever stands in a field: papers are read or refused with a place, and nothing else is raised."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Diagnostic
from orchestrator.evidence.judge import judge, read_papers
from orchestrator.evidence.osv import read_record
from orchestrator.evidence.policy import Policy, Require
from orchestrator.evidence.provenance import builder_of, check_provenance
from orchestrator.evidence.references import read_references, write_references
from orchestrator.evidence.rules import diagnostics
from orchestrator.evidence.snapshot import gather
from orchestrator.evidence.statement import read_statement
from orchestrator.evidence.vulnerabilities import wanted_of
from tests.unit.evidence.papers import (
    FLASK,
    NOW,
    OPENSSL,
    SHA256,
    SUBJECT,
    cyclonedx,
    data,
    openvex,
    osv,
    part,
    provenance,
    provenance_v02,
    said,
    spdx,
)

CVE = "CVE-2024-0001"
RECORD = osv("X-1", "Debian:12", "openssl", ("introduced", "0"), ("fixed", "4"), aliases=[CVE])
ANALYSIS = {"state": "not_affected", "justification": "code_not_present"}
PARTS = (
    part("ssl", OPENSSL, components=[part("flask", FLASK)]),
    part("own", hashes=[{"alg": "SHA-256", "content": SHA256}]),
)
SBOMS = [
    cyclonedx(
        *PARTS, vulnerabilities=[{"id": CVE, "affects": [{"ref": "ref-ssl"}], "analysis": ANALYSIS}]
    ),
    spdx(OPENSSL, FLASK),
]
PURL = {
    "@id": "x",
    "identifiers": {"purl": OPENSSL},
    "hashes": {"sha-256": SHA256},
    "subcomponents": [{"@id": FLASK}],
}
VEXES = [openvex(said(CVE, PURL), said(CVE, OPENSSL, status="affected")), SBOMS[0]]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "0", "pkg:", "pkg:deb/@", "not_affected", "2025-11-24T08:00:00+99:99", "\x00", "é" * 50]),
    st.text(max_size=8), st.lists(st.none() | st.text(max_size=3), max_size=3), st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)  # fmt: skip


def places(value: Any, path: tuple = ()) -> list[tuple]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(found for key, item in items for found in places(item, (*path, key)))]


@st.composite
def spoiled(draw, documents: list[Any]) -> Any:
    """One of the documents with up to three fields replaced or removed."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document)))
        if not path:
            continue
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            holder[path[-1]] = draw(VALUES)
        else:
            del holder[path[-1]]
    return document


def placed(problems) -> tuple[Diagnostic, ...]:
    found = diagnostics(problems)
    assert all(each.code and each.message and each.where.file for each in found)
    return found


@given(spoiled(SBOMS), spoiled(VEXES))
def test_spoiled_papers_are_read_or_refused(sbom, vex) -> None:
    problems: list = []
    policy = Policy(frozenset({Require.SBOM, Require.VULNERABILITIES}), snapshots=("s",))

    papers = read_papers({"sbom": data(sbom)}, {"vex": data(vex)}, problems)
    wanted = frozenset().union(*(wanted_of(each) for each in papers.sboms))
    found = judge(policy, SUBJECT, papers, [gather("s", "0", [RECORD], wanted)], now=NOW)

    placed([*problems, *found.problems])
    if not papers.sboms:
        assert problems
        assert found.problems


@given(spoiled([provenance(), provenance_v02()]))
def test_spoiled_provenance_is_read_or_refused(document) -> None:
    problems: list = []

    statement = read_statement(data(document), "p", problems)
    if statement is None:
        assert problems
    elif builder_of(statement):
        check_provenance(statement, SHA256, ["git+https://git.example.org/acme/app"])

    placed(problems)


@given(st.data())
def test_spoiled_statements_are_read_or_refused(draw) -> None:
    import json

    good = json.loads(write_references(SUBJECT, []))
    good["predicate"]["references"] = [
        {
            "name": "a.json",
            "digest": {"sha256": SHA256},
            "mediaType": "x",
            "annotations": {"kind": "sbom"},
        }
    ]
    problems: list = []

    statement = read_statement(data(draw.draw(spoiled([good]))), "s", problems)
    if statement is not None:
        read_references(statement)

    placed(problems)


@given(spoiled([RECORD]))
def test_spoiled_records_are_read_or_refused(record) -> None:
    found = read_record(record)

    if found is not None:
        for each in found.affected:
            each.lists("3.0")
