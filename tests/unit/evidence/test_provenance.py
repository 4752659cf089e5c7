"""Provenance of SLSA v1 and v0.2: subject, sources and their commits."""

from __future__ import annotations

import pytest

from orchestrator.evidence.provenance import builder_of, check_provenance
from orchestrator.evidence.statement import read_statement
from tests.unit.evidence.papers import SHA256, data, provenance, provenance_v02

REPO = "git+https://git.example.org/acme/app"
MAIN = f"{REPO}@refs/heads/main"
COMMIT = {"gitCommit": "c3" * 20}


def checked(document, allowed=(REPO,), sha256=SHA256):
    problems = []
    statement = read_statement(data(document), "p", problems)
    if statement is None:
        return None, [str(each.rule) for each in problems]
    builder = builder_of(statement)
    found = check_provenance(statement, sha256, allowed) if builder else None
    return found, [str(each.rule) for each in problems]


@pytest.mark.parametrize("document", [provenance(), provenance_v02()])
def test_both_versions_say_builder_and_source(document) -> None:
    found, problems = checked(document)

    assert problems == []
    assert found.builder == "https://builder.example.org/v1"
    assert {each.commit for each in found.sources} == {"c3" * 20}
    assert {each.uri.partition("@")[0] for each in found.sources} == {REPO}


def test_a_ref_that_the_policy_names_is_wanted() -> None:
    other = provenance(sources=[{"uri": f"{REPO}@refs/heads/evil", "digest": COMMIT}])

    assert checked(provenance(), [MAIN])[1] == []
    assert checked(other, [REPO])[1] == []
    assert checked(other, [MAIN])[1] == ["E144"]


@pytest.mark.parametrize(
    "sources",
    [
        [],
        [{"uri": "https://example.org/app.tar", "digest": {"sha256": "00" * 32}}],
        [{"uri": "git+https://git.example.org/acme/app2", "digest": COMMIT}],
        [{"uri": f"{REPO}/../evil", "digest": COMMIT}],
        [{"uri": MAIN, "digest": {}}],
        [{"uri": MAIN}],
        [{"uri": MAIN, "digest": {"gitCommit": "main"}}],
        [{"uri": MAIN, "digest": COMMIT}, {"uri": "git+https://evil.example/x", "digest": COMMIT}],
    ],
)
def test_sources_that_are_others_or_without_a_commit_are_refused(sources) -> None:
    assert checked(provenance(sources=sources))[1] == ["E144"]


def test_in_v02_every_source_counts_wherever_it_stands() -> None:
    evil = {"uri": "git+https://evil.example/x", "digest": {"sha1": "c3" * 20}}

    assert checked(provenance_v02(config=evil))[1] == ["E144"]
    assert checked(provenance_v02(materials=[evil]))[1] == ["E144"]


def test_provenance_of_another_artifact_is_refused() -> None:
    assert checked(provenance("00" * 32))[1] == ["E142"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"_type": "https://in-toto.io/Statement/v9"}, "E104"),
        ({"subject": 3}, "E103"),
        ({"subject": [{"name": "x"}]}, "E103"),
        ({"predicate": None}, "E103"),
        ({"predicateType": "https://slsa.dev/provenance/v9"}, "E145"),
        ({"predicate": {"runDetails": {"builder": {}}}}, "E103"),
    ],
)
def test_what_is_no_provenance_is_refused(changes, expected) -> None:
    found, problems = checked({**provenance(), **changes})

    assert found is None
    assert set(problems) == {expected}
