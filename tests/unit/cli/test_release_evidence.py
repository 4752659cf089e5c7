"""`rollout release evidence`: one file for whoever audits, and what of it holds."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.errors import ExitCode
from orchestrator.evidence.bundle import read_bundle, write_bundle
from tests.in_process import run
from tests.schema_of import SCHEMAS
from tests.unit.api.evidence_kit import Bench, make_bench
from tests.unit.trust.ssh_keys import SshKeys, line

SCHEMA = json.loads((SCHEMAS / "bundle.v1.json").read_text())
CHECKED = (
    "files", "journal", "plan", "results", "policy", "checkpoints", "ticket", "evidence",
)  # fmt: skip
ROOTED = "--root ../own/root-1.txt"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch) -> Bench:
    """A rollout with ticket, root and evidence that has been started; it waits for its hour."""
    found = make_bench(tmp_path)
    (found.project / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
    root = found.kit.root()
    (found.own / "user.toml").write_text(
        f'evidence_policy = "policy.toml"\ntrust_root = "{root}"\n'
    )
    monkeypatch.setenv("ROLLOUT_CONFIG", str(found.own / "user.toml"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(found.project)
    return found


def start(bench: Bench, capsys) -> None:
    signers = tuple(bench.kit.signer(name) for name in ("rel1", "rel2"))
    bench.attach("rel1", "rel2", root=bench.kit.root())
    api.release_create(
        bench.kit.request(
            artifact=bench.artifact, out=bench.project / "app.ticket", sign_with=signers
        )
    )
    assert run(capsys, "preview site.yml --offline --out ../own/site.plan")[0] == 0
    assert run(capsys, "apply ../own/site.plan --yes")[0] == ExitCode.WAITING


def made(capsys, words: str = "--cra --out b.tar") -> tuple[int, dict]:
    code, out, err = run(capsys, f"release evidence {words} --format json")
    assert out, err
    document = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    return code, document


def judged(capsys, words: str = "--verify b.tar") -> tuple[int, dict[str, tuple[bool, str]]]:
    code, document = made(capsys, words)
    return code, {each["what"]: (each["holds"], each["code"]) for each in document["checks"]}


def rewritten(**changes: bytes | None) -> None:
    """The bundle again with other files, and an index that fits them."""
    files = {**read_bundle(Path("b.tar").read_bytes()), **changes}
    data = write_bundle({name: each for name, each in files.items() if each is not None})
    Path("b.tar").write_bytes(data)


def test_bundle_of_a_rollout_has_all_of_it_and_holds(bench, capsys) -> None:
    start(bench, capsys)

    code, facts = made(capsys)
    again = made(capsys, "--cra --out c.tar")[1]
    verified, checks = judged(capsys, f"--verify b.tar {ROOTED} --cra")

    assert (code, facts["missing"], facts["masked_count"]) == (0, [], 0)
    assert facts["sha256"] == again["sha256"]  # nothing in it says when it was made
    assert sorted(read_bundle(Path("b.tar").read_bytes())) == [
        "audit/checkpoints", "audit/journal.jsonl", "audit/signers", "bundle.json",
        "papers/app.provenance.json", "papers/app.sbom.json", "plan/plan.json", "policy/evidence.toml",
        "release/evidence.json", "release/release.ticket", "release/release.ticket.sig",
        "release/root.txt", "release/root.txt.sig", "results/devices.jsonl", "results/rollout.json",
    ]  # fmt: skip
    assert (verified, checks) == (
        0, dict.fromkeys(CHECKED, (True, "")),
    )  # fmt: skip


def test_bundle_can_be_checked_with_common_tools_alone(bench, capsys) -> None:
    start(bench, capsys)
    made(capsys)
    place = bench.own / "audit"
    place.mkdir()

    subprocess.run(["tar", "xf", "../../project/b.tar"], cwd=place, check=True)
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=place, check=True)

    plan = hashlib.sha256((place / "plan/plan.json").read_bytes()).hexdigest()
    about = json.loads((place / "bundle.json").read_text())
    jsonschema.validate(about, json.loads((SCHEMAS / "evidence-bundle.v1.json").read_text()))
    assert about["plan_sha256"] == plan
    device = json.loads((place / "results/devices.jsonl").read_text())
    assert (device["device"], device["wave"], device["state"]) == ("web1", "wave-1", "pending")


def test_what_was_changed_is_found(bench, capsys) -> None:
    start(bench, capsys)
    made(capsys)
    shutil.copy("b.tar", "good.tar")
    files = read_bundle(Path("b.tar").read_bytes())
    journal = files["audit/journal.jsonl"]

    def after(**changes: bytes | None) -> dict[str, tuple[bool, str]]:
        shutil.copy("good.tar", "b.tar")
        rewritten(**changes)
        code, checks = judged(capsys, f"--verify b.tar {ROOTED}")
        assert code == ExitCode.REFUSED
        return {what: (holds, code) for what, (holds, code) in checks.items() if not holds}

    assert after(**{"audit/checkpoints": None}) == {"checkpoints": (False, "E163")}
    assert after(**{"release/release.ticket": None}) == {"ticket": (False, "E162")}
    assert after(**{"release/evidence.json": None}) == {"evidence": (False, "E162")}
    results = files["results/devices.jsonl"].replace(b"pending", b"committed")
    assert after(**{"results/devices.jsonl": results}) == {"results": (False, "E162")}
    assert after(**{"results/devices.jsonl": b""}) == {"results": (False, "E162")}
    cut = b"".join(journal.splitlines(keepends=True)[:-1])
    assert after(**{"audit/journal.jsonl": cut}) == {"checkpoints": (False, "E163")}
    other = journal.replace(b"rollout_", b"rallout_", 1)
    assert after(**{"audit/journal.jsonl": other})["journal"] == (False, "E162")
    plan = files["plan/plan.json"].replace(b'"name":"site"', b'"name":"sole"')
    assert after(**{"plan/plan.json": plan}) == {"plan": (False, "E162")}
    ticket = files["release/release.ticket"].replace(b"serial 1\n", b"serial 2\n")
    assert after(**{"release/release.ticket": ticket}) == {"ticket": (False, "E162")}
    assert after(**{"papers/app.sbom.json": b"{}"}) == {"evidence": (False, "E162")}
    statement = files["release/evidence.json"].replace(b"payload", b"paylaod", 1)
    assert after(**{"release/evidence.json": statement}) == {"evidence": (False, "E162")}


def test_signatures_are_judged_by_the_readers_root(bench, capsys) -> None:
    start(bench, capsys)
    made(capsys)
    for name in ("mallory", "other"):
        bench.kit.key(name)
    add = (("root", "mallory"), ("release", "other"), ("build", "build"))
    request = api.RootRequest(
        bench.own / "evil.txt", tuple((role, bench.kit.public(name)) for role, name in add),
        sign_with=(bench.kit.signer("mallory"),),
    )  # fmt: skip
    api.root_init("acme-prod", request)

    code, checks = judged(capsys, "--verify b.tar --root ../own/evil.txt")

    assert code == ExitCode.REFUSED
    assert (checks["ticket"], checks["evidence"]) == ((False, "E163"), (False, "E163"))


def test_without_root_and_signers_of_the_reader_it_is_said_that_it_agrees_with_itself(
    bench, capsys
) -> None:
    start(bench, capsys)
    made(capsys)
    (bench.own / "user.toml").write_text("")

    code, out, _ = run(capsys, "release evidence --verify b.tar")

    assert code == 0
    assert out.count("by keys that the bundle itself brings") == 3


def test_what_is_missing_is_said_and_with_cra_refused(bench, capsys) -> None:
    (bench.own / "user.toml").write_text("")
    assert run(capsys, "preview site.yml --offline --out ../own/site.plan")[0] == 0
    assert run(capsys, "apply ../own/site.plan --yes")[0] == ExitCode.WAITING

    plain, _ = made(capsys, "--out a.tar")
    code, facts = made(capsys)
    verified, _ = judged(capsys)

    assert (plain, code, verified) == (0, ExitCode.REFUSED, 0)
    words = "\n".join(facts["missing"])
    for part in ("ticket", "trust root", "SBOM and provenance", "policy"):
        assert part in words


def test_secrets_are_masked_and_what_they_stood_in_proves_nothing(bench, capsys) -> None:
    """Whoever may write any words into an entry, because it is masked, could hide a device's end."""
    start(bench, capsys)
    assert run(capsys, "abort --reason token=s3cr3tvalue")[0] in (0, ExitCode.HALTED)

    _, facts = made(capsys)
    verified, checks = judged(capsys, f"--verify b.tar {ROOTED}")

    assert facts["masked_count"] > 0
    assert b"s3cr3tvalue" not in Path("b.tar").read_bytes()
    assert (checks["journal"], checks["checkpoints"]) == ((True, ""), (True, ""))
    assert (verified, checks["results"]) == (ExitCode.REFUSED, (False, "E164"))


def test_signed_approvals_are_judged_by_the_readers_signers(bench, capsys, tmp_path) -> None:
    keys = SshKeys(bench.own)
    keys.make("ann.ssh")
    plan = (bench.project / "site.yml").read_text()
    approval = "approval: {required: 1, from: [ops], not_author: false, expires: 1h}\n"
    (bench.project / "site.yml").write_text(plan + approval)
    signers = bench.own / "signers"
    namespaces = 'namespaces="rollout-plan@acme"'
    signers.write_text(line("ann@corp", keys.public("ann.ssh"), namespaces))
    more = f'fleet = "acme"\nallowed_signers = "{signers}"\npeople = ["ann@corp=ops"]\n'
    user = bench.own / "user.toml"
    user.write_text(user.read_text() + more)
    start(bench, capsys)
    code, _, err = run(capsys, "approve --key ../own/ann.ssh")
    assert code in (0, ExitCode.WAITING), err

    made(capsys)
    names = sorted(read_bundle(Path("b.tar").read_bytes()))
    good = judged(capsys, f"--verify b.tar {ROOTED}")
    keys.make("eve.ssh")
    signers.write_text(line("ann@corp", keys.public("eve.ssh"), namespaces))
    bad = judged(capsys, f"--verify b.tar {ROOTED}")

    assert [name.partition(".")[2] for name in names if name.startswith("approvals/")] == [
        "json", "sig", "statement",
    ]  # fmt: skip
    assert good == (0, dict.fromkeys((*CHECKED, "approvals"), (True, "")))
    assert (bad[0], bad[1]["approvals"]) == (ExitCode.REFUSED, (False, "E163"))


def test_bundle_of_a_release_needs_no_rollout(bench, capsys) -> None:
    bench.attach("rel1", "rel2", root=bench.kit.root())

    code, facts = made(capsys, "app.mender --out r.tar")
    verified, checks = judged(capsys, f"--verify r.tar {ROOTED}")

    assert (code, verified) == (0, 0)
    assert facts["about"] == "release of app-2.0"
    assert checks == {"files": (True, ""), "evidence": (True, "")}


@pytest.mark.parametrize(
    ("words", "expected", "code"),
    [
        ("gone.mender --out x.tar", ExitCode.REFUSED, "E160"),
        ("--verify site.yml", ExitCode.REFUSED, "E161"),
        ("--verify gone.tar", ExitCode.REFUSED, "E100"),
        ("--verify site.yml --out x.tar", ExitCode.USAGE, "alone"),
        ("app.mender", ExitCode.USAGE, "--out"),
        ("--out x.tar", ExitCode.REFUSED, "rollout"),
    ],
)
def test_what_cannot_be_done_is_said(bench, capsys, words, expected, code) -> None:
    found, _, err = run(capsys, f"release evidence {words}")

    assert found == expected
    assert code in err


def test_a_bundle_replaces_no_file(bench, capsys) -> None:
    code, _, err = run(capsys, "release evidence app.mender --out site.yml")

    assert code == ExitCode.REFUSED
    assert "T106" in err
