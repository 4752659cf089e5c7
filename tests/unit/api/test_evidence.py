"""What speaks for an artifact, judged by the operator's policy when a rollout starts."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.errors import OrchestratorError, PlanError, StalePlanError, TrustError
from tests.unit.api.evidence_kit import POLICY, Bench, make_bench
from tests.unit.evidence.papers import OPENSSL, data, openvex, osv, part, provenance, said

PLAIN = OPENSSL.partition("?")[0]
LISTED = osv(
    "DEBIAN-CVE-2024-0001", "Debian:12", "openssl", ("introduced", "0"), ("fixed", "3.0.13"),
    upstream=["CVE-2024-0001"],
)  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path, monkeypatch) -> Bench:
    found = make_bench(tmp_path)
    monkeypatch.chdir(found.project)
    return found


def prepared(bench: Bench, **changes) -> api.Prepared:
    return asyncio.run(api.prepare(bench.settings(**changes), bench.request()))


def refused(bench: Bench, **changes) -> list[str]:
    found = prepared(bench, **changes)
    assert found.resolved.evidence is None
    error = found.unevidenced
    assert isinstance(error, OrchestratorError)
    with pytest.raises(type(error)):
        api.refuse_unevidenced(bench.settings(**changes), found)
    return [each.code for each in getattr(error, "diagnostics", ())] or [error.code]


def test_good_evidence_stands_in_the_plan_by_its_digests(bench) -> None:
    bench.attach()

    found = prepared(bench)

    evidence = found.resolved.evidence
    assert found.unevidenced is None
    assert [each.kind for each in evidence.documents] == ["sbom", "provenance"]
    assert [each.name for each in evidence.documents] == ["app.sbom.json", "app.provenance.json"]
    assert evidence.signed_by == (bench.kit.key_id("rel1"),)
    assert [each.name for each in evidence.snapshots] == ["osv.zip", "kev.json"]
    assert evidence.components_count == 1
    assert evidence.builders == ("https://builder.example.org/v1",)
    api.refuse_unevidenced(bench.settings(), found)


def test_without_a_policy_nothing_is_judged(bench) -> None:
    found = prepared(bench, evidence_policy=None)

    assert (found.resolved.evidence, found.unevidenced) == (None, None)


def test_nothing_beside_the_artifact_is_refused(bench) -> None:
    assert refused(bench) == ["E110"]


def test_a_listed_vulnerability_is_refused_until_a_statement_excuses_it(bench) -> None:
    bench.snapshot(LISTED)
    bench.attach()
    listed = refused(bench)
    vex = bench.paper("app.vex.json", openvex(said("CVE-2024-0001", PLAIN)))
    bench.attach(vex=(vex,))

    found = prepared(bench)

    assert listed == ["E130"]
    assert found.resolved.evidence.excused == (
        f"DEBIAN-CVE-2024-0001 in {PLAIN}: not_affected, vulnerable_code_not_in_execute_path",
    )


@pytest.mark.parametrize("name", ["app.sbom.json", "app.provenance.json"])
def test_a_paper_that_was_changed_after_it_was_signed_for_is_refused(bench, name) -> None:
    bench.attach()
    (bench.project / name).write_bytes((bench.project / name).read_bytes() + b"\n")
    changed = refused(bench)
    (bench.project / name).unlink()

    assert "E114" in changed
    assert "E114" in refused(bench)


def test_evidence_of_another_artifact_is_refused(bench) -> None:
    bench.attach()
    bench.artifact.unlink()
    (bench.own / "tree/more").write_text("else")
    bench.kit.artifact().rename(bench.artifact)

    assert refused(bench) == ["E113"]


def test_a_signature_of_somebody_else_does_not_count(bench) -> None:
    bench.attach("stranger")

    assert refused(bench) == ["E112"]


def test_with_a_root_its_release_keys_count_to_its_threshold(bench) -> None:
    root = bench.kit.root()  # two of three
    bench.attach("rel1", "build")
    one = refused(bench, trust_root=root)
    again = api.AttachRequest(bench.artifact, root=root, sign_with=(bench.kit.signer("rel2"),))
    facts = api.release_attach(again)

    assert one == ["E112"]
    assert len(facts.signed_by) == 3
    assert len(prepared(bench, trust_root=root).resolved.evidence.signed_by) == 2


def test_without_a_root_and_release_keys_nobody_counts(bench) -> None:
    bench.write_policy(keys="")
    bench.attach()

    assert refused(bench) == ["E152"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"key": "stranger"}, ["E141", "E140"]),
        ({"statement": "other builder"}, ["E143"]),
        ({"statement": "other source"}, ["E144"]),
    ],
)
def test_provenance_is_by_the_builders_own_key_out_of_the_named_sources(
    bench, changes, expected
) -> None:
    evil = [{"uri": "git+https://evil.example/x", "digest": {"gitCommit": "c3" * 20}}]
    statements = {
        "other builder": provenance(bench.sha256, builder="https://elsewhere.example/v1"),
        "other source": provenance(bench.sha256, sources=evil),
    }
    given = {**changes, "statement": statements.get(changes.get("statement"))}
    bench.attach(provenance=(bench.built(**given),))

    assert refused(bench) == expected


def test_a_key_of_one_builder_does_not_speak_for_another(bench) -> None:
    other = '"https://elsewhere.example/v1" = ["stranger.key.pub"]\n'
    bench.kit.key("stranger")
    bench.write_policy(POLICY + other)
    statement = provenance(bench.sha256, builder="https://elsewhere.example/v1")
    bench.attach(provenance=(bench.built(statement=statement),))

    assert refused(bench) == ["E143"]


def test_missing_papers_are_all_said_at_once(bench) -> None:
    vex = bench.paper("app.vex.json", openvex())
    bench.attach(sbom=None, provenance=(), vex=(vex,))

    assert refused(bench) == ["E120", "E140"]


def test_old_broken_and_missing_snapshots_are_refused(bench) -> None:
    bench.attach()
    bench.snapshot(ago_s=8 * 86_400.0)
    old = refused(bench)
    (bench.own / "osv.zip").write_bytes(b"PK\x05\x06" + b"\0" * 18)
    empty = refused(bench)
    (bench.own / "osv.zip").write_bytes(b"no zip")
    broken = refused(bench)
    (bench.own / "osv.zip").unlink()

    assert old == ["E134"]
    assert empty == ["E134", "E123"]
    assert broken == ["E135", "E123"]
    assert refused(bench) == ["E135", "E123"]


def test_a_policy_in_the_project_is_refused_and_so_are_its_keys(bench) -> None:
    bench.attach()
    inside = bench.project / "policy.toml"
    inside.write_bytes(bench.policy.read_bytes())
    (bench.project / "rel1.key.pub").write_bytes((bench.own / "rel1.key.pub").read_bytes())

    policy = refused(bench, evidence_policy=inside)
    bench.write_policy(keys='release_keys = ["../project/rel1.key.pub"]')

    assert (policy, refused(bench)) == (["E151"], ["E151"])


def test_a_policy_that_is_none_or_gone_refuses(bench) -> None:
    bench.policy.write_text("require = []\n")
    none = refused(bench)
    bench.policy.unlink()

    assert (none, refused(bench)) == (["E150"], ["E100"])


async def test_a_saved_plan_is_judged_again_by_todays_policy_and_evidence(bench) -> None:
    bench.attach()
    found = await api.prepare(bench.settings(), bench.request())
    saved = replace(found, saved=True)
    api.refuse_unevidenced(bench.settings(), saved)
    bench.snapshot(LISTED)
    with pytest.raises(PlanError, match="not good enough"):
        api.refuse_unevidenced(bench.settings(), saved)
    bench.snapshot()
    bench.attach("rel2", "rel1")

    with pytest.raises(StalePlanError) as caught:
        api.refuse_unevidenced(bench.settings(), saved)

    assert caught.value.code == "P318"


async def test_a_rollout_that_was_made_without_a_policy_does_not_begin_under_one(bench) -> None:
    found = await api.prepare(bench.settings(evidence_policy=None), bench.request())
    free = bench.settings(evidence_policy=None)
    stop = asyncio.Event()
    finished = await api.apply(free, found, observer=_Nobody(), drain=stop, stay=api.Stay.NOTHING)
    bench.attach()

    with pytest.raises(StalePlanError) as caught:
        await api.run(
            bench.settings(), finished.status.rollout_id, observer=_Nobody(), drain=stop,
            stay=api.Stay.NOTHING,
        )  # fmt: skip

    assert caught.value.code == "P318"


def test_nobody_signs_for_papers_that_would_be_refused(bench) -> None:
    odd = bench.paper("odd.json", {"name": "x"})
    other = bench.built(statement=provenance("00" * 32))

    with pytest.raises(PlanError) as caught:
        bench.attach(sbom=odd, provenance=(other,))

    assert [each.code for each in caught.value.diagnostics] == ["E104", "E142"]
    assert not (bench.project / "app.evidence.json").exists()
    assert not (bench.project / "app.sbom.json").exists()


def test_evidence_wants_a_signature_of_a_release_key(bench) -> None:
    request = api.AttachRequest(bench.artifact, bench.sbom())
    with pytest.raises(PlanError) as unsigned:
        api.release_attach(request)
    by = (bench.kit.signer("build"),)
    with pytest.raises(TrustError) as stranger:
        api.release_attach(replace(request, root=bench.kit.root(), sign_with=by))
    with pytest.raises(PlanError) as nothing:
        api.release_attach(api.AttachRequest(bench.artifact, sign_with=by))

    assert [each.value.code for each in (unsigned, stranger, nothing)] == ["E112", "T163", "E110"]


def test_the_same_papers_make_the_same_statement(bench) -> None:
    built = (bench.built(),)
    bench.attach(provenance=built)
    first = json.loads((bench.project / "app.evidence.json").read_bytes())["payload"]
    bench.attach("rel2", provenance=built)
    second = json.loads((bench.project / "app.evidence.json").read_bytes())

    assert second["payload"] == first
    assert len(second["signatures"]) == 2


def test_new_papers_drop_the_signatures_of_the_old(bench) -> None:
    bench.attach()
    bench.attach("rel2", sbom=bench.sbom(part("ssl", OPENSSL), part("more", OPENSSL)))

    document = json.loads((bench.project / "app.evidence.json").read_bytes())

    assert [each["keyid"] for each in document["signatures"]] == [bench.kit.key_id("rel2")]


def test_an_envelope_of_something_else_binds_nothing(bench) -> None:
    bench.attach()
    (bench.project / "app.evidence.json").write_bytes(data({"payloadType": "x"}))

    assert set(refused(bench)) == {"E103"}


class _Nobody:
    def started(self, run) -> None: ...
    def journal(self, entries) -> None: ...
    def waits(self, found: object) -> None: ...

    def working(self, device, step, sent_bytes, total_bytes) -> None: ...
    def tick(self, now) -> None: ...
