"""What people see of evidence: in a preview, when it is refused, and when it is bound."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from orchestrator.errors import ExitCode
from tests.in_process import run
from tests.unit.api.evidence_kit import Bench, make_bench
from tests.unit.evidence.papers import OPENSSL, openvex, osv, said

SCHEMAS = Path(__file__).parents[3] / "schemas"
LISTED = osv(
    "DEBIAN-CVE-2024-0001", "Debian:12", "openssl", ("introduced", "0"), aliases=["CVE-2024-0001"]
)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch) -> Bench:
    found = make_bench(tmp_path)
    (found.project / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
    (found.own / "user.toml").write_text('evidence_policy = "policy.toml"\n')
    monkeypatch.setenv("ROLLOUT_CONFIG", str(found.own / "user.toml"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(found.project)
    return found


def fits(document: str, name: str) -> dict:
    found = json.loads(document)
    jsonschema.validate(found, json.loads((SCHEMAS / name).read_text()))
    return found


def test_preview_shows_what_satisfied_the_policy(bench, capsys) -> None:
    bench.snapshot(LISTED)
    vex = bench.paper("v.json", openvex(said("CVE-2024-0001", OPENSSL)))
    bench.attach(vex=(vex,))

    code, out, err = run(capsys, "preview site.yml --offline")
    _, document, _ = run(capsys, "preview site.yml --offline --format json")

    assert code == 0
    assert "would refuse" not in err
    assert "Evidence" in out
    assert "1 sbom, 1 vex, 1 provenance, signed by 1 release key" in out
    assert "1 component looked up as known on " in out
    assert (
        "excused: DEBIAN-CVE-2024-0001 in pkg:deb/debian/libssl3@3.0.11-1~deb12u2: not_affected"
        in out
    )
    assert "built by https://builder.example.org/v1" in out
    assert fits(document, "preview.v1.json")["evidence"]["components_count"] == 1


def test_preview_says_all_that_apply_would_refuse(bench, capsys) -> None:
    bench.snapshot(LISTED)
    bench.attach(provenance=())

    code, out, err = run(capsys, "preview site.yml --offline")
    _, document, _ = run(capsys, "preview site.yml --offline --format json")

    assert code == 0
    assert "Evidence" not in out
    assert "`rollout apply` would refuse this, by the evidence for its artifact:" in err
    assert (
        "error[E130]: DEBIAN-CVE-2024-0001, CVE-2024-0001 (known to be exploited) is listed" in err
    )
    assert re.search(r"--> app\.sbom\.json:\d\d:4\n", err)
    assert "error[E140]" in err
    assert fits(document, "preview.v1.json")["evidence"] is None


def test_apply_refuses_before_it_asks_anybody(bench, capsys) -> None:
    bench.snapshot(LISTED)
    bench.attach()
    (bench.own / "user.toml").write_text("")
    assert run(capsys, "preview site.yml --offline --out ../own/site.plan")[0] == 0
    (bench.own / "user.toml").write_text('evidence_policy = "policy.toml"\n')

    code, _, err = run(capsys, "apply ../own/site.plan")

    assert code == ExitCode.REFUSED
    assert "error[E130]" in err
    assert not (bench.project / ".rollout").exists()


def test_apply_starts_what_the_policy_lets_pass(bench, capsys) -> None:
    bench.attach()
    assert run(capsys, "preview site.yml --offline --out ../own/site.plan")[0] == 0

    code, _, err = run(capsys, "apply ../own/site.plan --yes")

    assert code == ExitCode.WAITING, err


def test_attach_says_what_it_bound_and_who_must_sign_too(bench, capsys) -> None:
    bench.kit.root()
    bench.sbom()
    attach = "release attach app.mender --root ../own/root-1.txt"

    first = run(capsys, f"{attach} --key ../own/rel1.key --sbom ../own/app.cdx.json --format json")
    bench.kit.key("rel2")
    second = run(capsys, f"{attach} --key ../own/rel2.key")

    assert (first[0], second[0]) == (0, 0)
    facts = fits(first[1], "evidence.v1.json")
    assert (facts["needed_count"], len(facts["signed_by"])) == (2, 1)
    assert [each["name"] for each in facts["papers"]] == ["app.sbom.json"]
    assert "papers       sbom        app.sbom.json" in second[1]
    assert "signed by    2 release keys, 2 needed" in second[1]
    assert "next" not in second[2]


def test_create_binds_papers_beside_the_ticket(bench, capsys) -> None:
    bench.kit.root()
    bench.sbom()

    code, out, err = run(
        capsys,
        "release create app.mender --root ../own/root-1.txt --key ../own/rel1.key"
        " --sbom ../own/app.cdx.json --out app.ticket",
    )

    assert code == 0, err
    assert out.startswith("ticket       app.ticket\n")
    assert "bound to app-2.0 by app.evidence.json: app.sbom.json" in err
    assert "next: 1 more signature of release keys: rollout release attach" in err
    assert (bench.project / "app.evidence.json").exists()


def test_papers_without_a_key_are_refused_and_nothing_is_written(bench, capsys) -> None:
    bench.sbom()

    code, _, err = run(capsys, "release attach app.mender --sbom ../own/app.cdx.json")

    assert code == ExitCode.REFUSED
    assert "error[E112]" in err
    assert not (bench.project / "app.sbom.json").exists()


def test_the_policy_may_not_stand_in_the_projects_file(bench, capsys) -> None:
    (bench.project / "rollout.toml").write_text('evidence_policy = "../own/policy.toml"\n')

    code, _, err = run(capsys, "preview site.yml --offline")

    assert code == ExitCode.USAGE
    assert "C104" in err
