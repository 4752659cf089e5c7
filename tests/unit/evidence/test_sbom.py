"""Bills of materials: CycloneDX and SPDX say the same, and what is none is said with its place."""

from __future__ import annotations

import pytest

from orchestrator.evidence.judge import read_papers
from orchestrator.evidence.rules import diagnostics
from orchestrator.evidence.sbom import check_sbom
from tests.unit.evidence.papers import FLASK, OPENSSL, SHA256, SUBJECT, cyclonedx, data, part, spdx


def read(document):
    problems = []
    papers = read_papers({"app.json": data(document)}, {}, problems)
    return papers.sboms, [(str(each.rule), each.path) for each in problems]


def checked(document):
    (sbom,), problems = read(document)
    assert problems == []
    return [str(each.rule) for each in check_sbom(sbom, SUBJECT)]


def test_both_forms_give_the_same_parts() -> None:
    inner = part("inner", FLASK)
    (one,), first = read(
        cyclonedx(part("ssl", OPENSSL, components=[inner]), part("f", type="file"))
    )
    (other,), second = read(spdx(OPENSSL, FLASK))

    assert first == second == []
    assert [str(each) for each in one.components] == [str(each) for each in other.components]
    assert (one.form, other.form) == ("CycloneDX 1.6", "SPDX 2.3")
    assert one.subject.name == other.subject.name == "app"


def test_subject_is_the_artifact_by_name_or_digest() -> None:
    def about(**changes):
        document = cyclonedx(part("ssl", OPENSSL))
        document["metadata"]["component"] |= changes
        return checked(document)

    def hashed(sha256):
        return [{"alg": "SHA-256", "content": sha256.upper()}]

    assert about() == []
    assert about(name="app-2.0", version="") == []
    assert about(name="other", hashes=hashed(SHA256)) == []
    assert about(name="other", hashes=hashed(SUBJECT.payload_sha256s[0])) == []
    assert about(version="2.1") == ["E121"]
    assert about(hashes=hashed("00" * 32)) == ["E121"]


def test_an_sbom_without_parts_says_nothing() -> None:
    assert checked(cyclonedx()) == ["E122"]
    assert checked(spdx()) == ["E122"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], [("E104", ())]),
        ({"name": "x"}, [("E104", ())]),
        (cyclonedx(specVersion="1.4"), [("E104", ("specVersion",))]),
        (cyclonedx(bomFormat="Other"), [("E104", ("specVersion",))]),
        (cyclonedx(metadata={}), [("E103", ("metadata",))]),
        (cyclonedx(part("x", "curl")), [("E103", ("components", 0, "purl"))]),
        (cyclonedx(part("x"), part("x")), [("E103", ("components", 1))]),
        (cyclonedx(part("x", hashes="none")), [("E103", ("components", 0, "hashes"))]),
        (cyclonedx({"bom-ref": "r", "name": 7}), [("E103", ("components", 0, "name"))]),
        (cyclonedx(components={"a": 1}), [("E103", ("components",))]),
        (spdx(spdxVersion="SPDX-2.2"), [("E104", ("spdxVersion",))]),
        (spdx(SPDXID="SPDXRef-x"), [("E103", ("SPDXID",))]),
        (spdx(relationships=[]), [("E121", ())]),
        (spdx("pkg:nothing"), [("E103", ("packages", 1, "externalRefs", 0, "referenceLocator"))]),
    ],
)
def test_what_is_no_sbom_is_said_where_it_stands(document, expected) -> None:
    _, problems = read(document)

    assert [(rule, path) for rule, path in problems if rule != "E102"] == expected


def test_problems_have_file_line_and_column() -> None:
    problems = []
    text = b'{"bomFormat": "CycloneDX",\n "specVersion": "1.6",\n  "metadata": {"component": 3}}'
    read_papers({"app.json": text}, {}, problems)

    (found,) = diagnostics(problems)

    assert str(found.where) == "app.json:3:16"
    assert found.excerpt == '  "metadata": {"component": 3}}'
    assert found.code == "E103"
    assert found.message == "`component` is not an object"


def test_a_key_that_stands_twice_refuses_the_file() -> None:
    problems = []
    text = b'{"bomFormat": "CycloneDX", "specVersion": "1.6",\n "bomFormat": "CycloneDX"}'
    papers = read_papers({"app.json": text}, {}, problems)

    assert papers.sboms == ()
    assert [(each.code, str(each.where)) for each in diagnostics(problems)] == [
        ("E102", "app.json:2:2")
    ]
