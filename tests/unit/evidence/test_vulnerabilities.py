"""Whether known vulnerabilities of an artifact's parts are excused, and by what alone."""

from __future__ import annotations

import pytest

from orchestrator.evidence.judge import judge, read_papers
from orchestrator.evidence.policy import Policy, Require
from orchestrator.evidence.snapshot import Snapshot, gather
from orchestrator.evidence.vulnerabilities import wanted_of
from tests.unit.evidence.papers import (
    FLASK,
    NOW,
    OPENSSL,
    SERIAL,
    SHA256,
    SUBJECT,
    TODAY,
    YESTERDAY,
    cyclonedx,
    data,
    openvex,
    osv,
    part,
    said,
    spdx,
)

CVE = "CVE-2024-0001"
RECORD = osv(
    "DEBIAN-CVE-2024-0001", "Debian:12", "openssl", ("introduced", "0"), ("fixed", "3.0.13"),
    upstream=[CVE],
)  # fmt: skip
BOUND = osv(
    "PYSEC-1", "PyPI", "flask", ("introduced", "0"), ("fixed", "2.2"), aliases=["CVE-2023-2"]
)
PLAIN = "pkg:deb/debian/libssl3@3.0.11-1~deb12u2"
MAVEN = "pkg:maven/org.acme/app@1.0"


def judged(sbom, *vexes, records=(RECORD,), own=(), exploited=(), more=()):
    policy = Policy(
        frozenset({Require.SBOM, Require.VULNERABILITIES}), snapshots=("s",), own=tuple(own)
    )
    problems = []
    files = {f"vex-{number}.json": data(each) for number, each in enumerate(vexes)}
    papers = read_papers({"sbom.json": data(sbom)}, files, problems)
    wanted = frozenset().union(*(wanted_of(each) for each in papers.sboms))
    known = [osv("OLD", "PyPI", "other"), *records]
    snapshots = [gather("s", "00", known, wanted), *more]
    snapshots.append(Snapshot("kev", "01", NOW, exploited=frozenset(exploited)))
    found = judge(policy, SUBJECT, papers, snapshots, now=NOW)
    return found, [*problems, *found.problems]


def codes(*given, **more):
    return [str(each.rule) for each in judged(*given, **more)[1]]


def only(**more):
    return cyclonedx(part("ssl", OPENSSL, **more))


@pytest.mark.parametrize("sbom", [only(), spdx(OPENSSL)])
def test_a_listed_vulnerability_without_a_statement_is_refused(sbom) -> None:
    assert codes(sbom) == ["E130"]


def test_a_fixed_version_and_another_release_are_not_listed() -> None:
    fixed = osv("X", "Debian:12", "openssl", ("introduced", "0"), ("fixed", "3.0.11-1~deb12u2"))
    other = osv("X", "Debian:11", "openssl", ("introduced", "0"))
    here = osv("Y", "Debian:12", "else", ("introduced", "0"))

    assert codes(only(), records=[fixed]) == []
    assert codes(only(), records=[other, here]) == []


def test_names_compare_without_upper_case() -> None:
    sbom = cyclonedx(part("semver", "pkg:golang/github.com/masterminds/semver@v1.0.0"))
    events = [("introduced", "0"), ("fixed", "1.2.0")]
    record = osv("GO-1", "Go", "github.com/Masterminds/semver", *events, type="SEMVER")

    assert codes(sbom, records=[record]) == ["E130"]


def test_a_release_that_no_record_knows_is_compared_with_all() -> None:
    assert codes(only(), records=[osv("X", "Debian:11", "openssl", ("introduced", "0"))]) == [
        "E130"
    ]


@pytest.mark.parametrize(
    "product",
    [
        PLAIN,
        "pkg:deb/debian/libssl3",
        {"@id": "x", "identifiers": {"purl": PLAIN}},
        {"@id": "app-2.0"},
        {"@id": "x", "hashes": {"sha-256": SHA256}},
        {"@id": "app-2.0", "subcomponents": [{"@id": PLAIN}]},
    ],
)
@pytest.mark.parametrize("status", ["not_affected", "fixed"])
def test_statements_about_the_part_or_the_artifact_excuse(product, status) -> None:
    words = {"status_notes": "patched in our build"} if status == "fixed" else {}

    found, problems = judged(only(), openvex(said(CVE, product, status=status, **words)))

    assert problems == []
    assert [(each.id, each.status) for each in found.excused] == [("DEBIAN-CVE-2024-0001", status)]


@pytest.mark.parametrize(
    "product",
    [
        "pkg:deb/debian/libssl3@3.0.12",
        "pkg:deb/debian/openssl@3.0.11-1~deb12u2",
        {"@id": "other-1.0"},
        {"@id": "x", "hashes": {"sha-256": "00" * 32}},
        {"@id": "app-2.0", "subcomponents": [{"@id": "pkg:deb/debian/curl"}]},
        {"@id": PLAIN, "subcomponents": [{"@id": "pkg:deb/debian/curl"}]},
    ],
)
def test_statements_about_something_else_excuse_nothing(product) -> None:
    assert codes(only(), openvex(said(CVE, product))) == ["E130"]


@pytest.mark.parametrize(
    ("about", "product", "expected"),
    [
        ({}, "pkg:generic/acme/app@2.0", []),
        ({}, {"@id": "pkg:generic/acme/app@2.0", "hashes": {"sha-256": SHA256}}, []),
        ({}, {"@id": "pkg:generic/acme/app@2.0", "hashes": {"sha-256": "b2" * 32}}, []),
        ({}, {"@id": "pkg:generic/acme/app@2.0", "hashes": {"sha-256": "00" * 32}}, ["E130"]),
        ({"hashes": "c3" * 32}, {"@id": PLAIN, "hashes": {"sha-256": "c3" * 32}}, []),
        ({"hashes": "c3" * 32}, {"@id": PLAIN, "hashes": {"sha-256": "00" * 32}}, ["E130"]),
    ],
)
def test_statements_about_another_build_excuse_nothing_whatever_they_call_it(
    about, product, expected
) -> None:
    """A package URL and a digest: both have to fit, for a rebuilt version keeps its name."""
    hashes = {key: [{"alg": "SHA-256", "content": text}] for key, text in about.items()}
    sbom = only(**hashes)
    sbom["metadata"]["component"]["purl"] = "pkg:generic/acme/app@2.0"

    assert codes(sbom, openvex(said(CVE, product))) == expected


HASH = {"SHA-512": "d4" * 64, "SHA3-256": "e5" * 32, "SHA-1": "f6" * 20, "MD5": "a7" * 16}
APP = "pkg:generic/acme/app@2.0"


@pytest.mark.parametrize(
    ("at", "ours", "product", "theirs", "expected"),
    [
        ("part", ["SHA-512"], PLAIN, {"sha-512": HASH["SHA-512"]}, []),
        ("part", ["SHA-512", "SHA-1"], PLAIN, {"sha-512": HASH["SHA-512"], "md5": "x"}, []),
        ("part", ["SHA3-256"], PLAIN, {"sha3-256": HASH["SHA3-256"].upper()}, []),
        ("part", ["SHA-512"], PLAIN, {"sha-512": "00" * 64}, ["E130"]),
        ("part", ["SHA-512"], PLAIN, {"sha-512": "d4"}, ["E132"]),
        ("part", ["SHA-512"], PLAIN, {"sha-384": "d4" * 48}, ["E132"]),
        ("part", [], PLAIN, {"sha-512": HASH["SHA-512"]}, ["E132"]),
        ("part", [], PLAIN, {"sha-256": "c3" * 32}, ["E132"]),
        ("part", ["SHA-1", "MD5"], PLAIN, {"sha1": HASH["SHA-1"], "md5": HASH["MD5"]}, ["E132"]),
        ("part", ["SHA-512"], PLAIN, {"sha-512": HASH["SHA-512"], "": ""}, []),
        ("whole", [], APP, {"sha-512": HASH["SHA-512"]}, ["E132"]),
        ("whole", ["SHA-512"], APP, {"sha-512": HASH["SHA-512"]}, []),
        ("whole", [], APP, {"sha-512": "00" * 64, "sha-256": SHA256}, []),
        ("whole", ["SHA-512"], APP, {"sha-512": HASH["SHA-512"], "sha-256": "00" * 32}, ["E130"]),
        ("whole", [], "app-2.0", {"sha-512": HASH["SHA-512"]}, ["E132"]),
        ("whole", [], "something else", {"sha-512": HASH["SHA-512"]}, ["E130"]),
    ],
)
def test_digests_of_any_algorithm_say_which_build_and_none_that_cannot_be_compared_excuses(
    at, ours, product, theirs, expected
) -> None:
    hashes = [{"alg": each, "content": HASH[each]} for each in ours]
    sbom = only(**({"hashes": hashes} if at == "part" else {}))
    sbom["metadata"]["component"] |= {"purl": APP} | ({"hashes": hashes} if at == "whole" else {})

    assert codes(sbom, openvex(said(CVE, {"@id": product, "hashes": theirs}))) == expected


def test_a_part_that_a_statement_names_by_digests_nobody_can_compare_is_in_doubt() -> None:
    product = {"@id": APP, "hashes": {"sha-256": SHA256}}
    ours = product | {"subcomponents": [{"@id": PLAIN, "hashes": {"sha-512": "d4" * 64}}]}

    assert codes(only(), openvex(said(CVE, ours | {"@id": "app-2.0"}))) == ["E132"]


def test_a_statement_in_doubt_counts_against_the_part_and_replaces_no_other() -> None:
    doubtful = {"@id": PLAIN, "hashes": {"sha-512": "d4" * 64}}
    against = said(CVE, doubtful, status="affected", timestamp=TODAY)
    sure = said(CVE, PLAIN, status="affected", timestamp=YESTERDAY)
    other = osv("Y", "Debian:12", "else", ("introduced", "0"))

    assert codes(only(), openvex(against), records=[other]) == ["E131"]
    assert codes(only(), openvex(sure, said(CVE, doubtful, timestamp=TODAY))) == ["E131"]
    assert codes(only(), openvex(said(CVE, PLAIN, timestamp=YESTERDAY), against)) == ["E131"]


def test_statements_about_another_vulnerability_excuse_nothing() -> None:
    assert codes(only(), openvex(said("CVE-2024-0002", PLAIN))) == ["E130"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (said(CVE, PLAIN, status="affected", action_statement="wait"), "E131"),
        (said(CVE, PLAIN, status="under_investigation"), "E131"),
        (said(CVE, PLAIN, justification=""), "E132"),
        (said(CVE, PLAIN, status="fixed"), "E132"),
        (said(CVE, PLAIN, status="fixed", status_notes="  "), "E132"),
        (said(CVE, PLAIN, status="no idea"), "E132"),
    ],
)
def test_what_never_counts_does_not_excuse(statement, expected) -> None:
    assert codes(only(), openvex(statement)) == [expected]


def test_an_unknown_justification_is_said_and_does_not_count() -> None:
    vex = openvex(said(CVE, PLAIN, justification="we are careful"))

    assert codes(only(), vex) == ["E103", "E132"]


def test_the_newest_statement_counts() -> None:
    good, bad = said(CVE, PLAIN), said(CVE, PLAIN, status="affected")

    assert codes(only(), openvex(bad, at=YESTERDAY), openvex(good, at=TODAY)) == []
    assert codes(only(), openvex(good, at=YESTERDAY), openvex(bad, at=TODAY)) == ["E131"]
    assert codes(only(), openvex(good, at=TODAY), openvex(bad, at=TODAY)) == ["E131"]
    assert codes(only(), openvex(good, {**bad, "timestamp": "2025-11-24T09:00:00+01:00"})) == [
        "E131"
    ]


def test_a_statement_from_the_future_excuses_nothing_and_hides_nothing() -> None:
    good, bad = said(CVE, PLAIN), said(CVE, PLAIN, status="affected")
    later = "2026-01-01T00:00:00Z"

    assert codes(only(), openvex(good, at=later)) == ["E130"]
    assert codes(only(), openvex(good, at=later), openvex(bad, at=TODAY)) == ["E131"]


def test_aliases_are_the_same_vulnerability() -> None:
    sbom = cyclonedx(part("flask", FLASK))

    assert codes(sbom, records=[BOUND]) == ["E130"]
    assert codes(sbom, openvex(said("CVE-2023-2", FLASK)), records=[BOUND]) == []
    assert codes(sbom, openvex(said("PYSEC-1", FLASK)), records=[BOUND]) == []


def test_an_advisory_is_excused_by_statements_about_all_that_it_gathers() -> None:
    record = {**RECORD, "upstream": [CVE, "CVE-2024-0009"]}
    one, both = said(CVE, PLAIN), [said(CVE, PLAIN), said("CVE-2024-0009", PLAIN)]

    assert codes(only(), openvex(one), records=[record]) == ["E130"]
    assert codes(only(), openvex(*both), records=[record]) == []


def test_what_a_supplier_says_against_the_artifact_counts_without_a_record() -> None:
    vex = openvex(said("CVE-2099-1", "app-2.0", status="under_investigation"))

    assert codes(only(), vex, records=[osv("X", "Debian", "else")]) == ["E131"]


def test_exploited_ones_are_named_so() -> None:
    _, problems = judged(only(), exploited=[CVE])

    assert "known to be exploited" in problems[0].message


@pytest.mark.parametrize(
    "odd",
    [
        part("blob"),
        part("blob", "pkg:generic/acme/blob@1"),
        part("curl", "pkg:deb/debian/curl"),
        part("left", "pkg:npm/left@1.0.0"),
        part("curl", "pkg:deb/raspbian/curl@1"),
    ],
)
def test_a_part_that_cannot_be_looked_up_is_refused_unless_it_is_the_operators_own(odd) -> None:
    assert codes(cyclonedx(odd)) == ["E123"]
    name = odd.get("purl", odd["name"]).partition("@")[0]
    assert codes(cyclonedx(odd), own=[name]) == []
    assert codes(cyclonedx(odd), own=[name[:-1]]) == ["E123"]


def test_what_begins_with_a_slashed_name_is_own() -> None:
    sbom = cyclonedx(part("blob", "pkg:generic/acme/blob@1"))

    assert codes(sbom, own=["pkg:generic/acme/"]) == []
    assert codes(sbom, own=["pkg:generic/acme"]) == ["E123"]


def test_an_own_part_that_is_listed_is_refused_all_the_same() -> None:
    assert codes(only(), own=["pkg:deb/debian/libssl3"]) == ["E130"]


def test_an_order_that_is_not_known_counts_as_listed() -> None:
    sbom = cyclonedx(part("mvn", MAVEN))
    record = osv("M-1", "Maven", "org.acme:app", ("introduced", "0"), ("fixed", "0.9"))

    assert codes(sbom, records=[record]) == ["E133"]
    assert codes(sbom, openvex(said("M-1", MAVEN)), records=[record]) == []
    assert codes(sbom, records=[osv("M-1", "Maven", "org.acme:app", versions=["0.9"])]) == []


def test_old_snapshots_are_refused_each() -> None:
    old = gather("older", "02", [osv("A", "npm", "p", modified="2025-11-01T00:00:00Z")], ())

    assert codes(only(), records=[osv("X", "Debian", "else")], more=[old]) == ["E134"]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    sbom = cyclonedx(part("ssl", OPENSSL), part("blob"), part("flask", FLASK))
    sbom["metadata"]["component"]["version"] = "9"
    vex = openvex(said("PYSEC-1", FLASK, status="affected"))

    assert sorted(codes(sbom, vex, records=[RECORD, BOUND])) == ["E121", "E123", "E130", "E131"]


def analysed(ref: str, state: str, **analysis):
    return {
        "id": CVE, "affects": [{"ref": ref}], "analysis": {"state": state, **analysis},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "analysis", "expected"),
    [
        ("not_affected", {"justification": "code_not_reachable"}, []),
        ("false_positive", {}, []),
        ("resolved", {"detail": "patched"}, []),
        ("resolved_with_pedigree", {"detail": "see pedigree"}, []),
        ("not_affected", {}, ["E132"]),
        ("not_affected", {"justification": "trust me"}, ["E132"]),
        ("resolved", {}, ["E132"]),
        ("exploitable", {"detail": "yes"}, ["E131"]),
        ("in_triage", {}, ["E131"]),
        ("", {}, ["E132"]),
    ],
)
def test_cyclonedx_analyses_count_as_openvex_does(state, analysis, expected) -> None:
    inside = cyclonedx(
        part("ssl", OPENSSL), vulnerabilities=[analysed("ref-ssl", state, **analysis)]
    )
    link = f"urn:cdx:{SERIAL}/1#ref-ssl"
    beside = cyclonedx(vulnerabilities=[analysed(link, state, **analysis)])

    assert codes(inside) == expected
    assert codes(only(), beside) == expected


def test_cyclonedx_about_the_whole_artifact_excuses_its_parts() -> None:
    good = analysed("ref-app", "not_affected", justification="code_not_present")

    assert codes(cyclonedx(part("ssl", OPENSSL), vulnerabilities=[good])) == []


def test_cyclonedx_about_other_documents_and_versions_excuses_nothing() -> None:
    good = {"justification": "code_not_present"}
    other = cyclonedx(
        vulnerabilities=[analysed(f"urn:cdx:{SERIAL}/2#ref-ssl", "not_affected", **good)]
    )
    older = analysed("ref-ssl", "not_affected", **good)
    older["affects"][0]["versions"] = [{"version": "3.0.0"}]

    assert codes(only(), other) == ["E132", "E130"]
    assert codes(cyclonedx(part("ssl", OPENSSL), vulnerabilities=[older])) == ["E130"]
