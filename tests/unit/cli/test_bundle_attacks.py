"""Bundles that were changed in a consistent way, index included: what holds them against what."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from orchestrator.api.signing import signers_that_count
from orchestrator.errors import ExitCode
from orchestrator.evidence.bundle import read_bundle
from orchestrator.evidence.dsse import IN_TOTO, EnvelopeSignature, pae, write_envelope
from orchestrator.trust.signers import sign_with
from tests.in_process import run
from tests.unit.cli.test_release_evidence import ROOTED, bench, judged, made, rewritten, start

__all__ = ["bench"]  # a fixture


def edited(data: bytes, **changes: object) -> bytes:
    """A document with other values, or without what is None."""
    document = {**json.loads(data), **changes}
    return json.dumps({key: each for key, each in document.items() if each is not None}).encode()


def masked_entry(journal: bytes) -> bytes:
    *lines, last = journal.splitlines(keepends=True)
    document = json.loads(last)
    document["entry"][5] = "{}"
    return b"".join(lines) + edited(json.dumps(document).encode(), masked=True) + b"\n"


def up_to_the_first_checkpoint(files: dict[str, bytes]) -> bytes:
    lines = files["audit/checkpoints"].decode().splitlines()
    seqs = [int(each.removeprefix("seq ")) for each in lines if each.startswith("seq ")]
    assert min(seqs) < max(seqs)
    return b"".join(files["audit/journal.jsonl"].splitlines(keepends=True)[: min(seqs) + 1])


def one_device(files: dict[str, bytes], **changes: object) -> bytes:
    return edited(files["results/devices.jsonl"], **changes) + b"\n"


def head(files: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    return {"bundle.json": edited(files["bundle.json"], **changes)}


def results(files: dict[str, bytes], old: bytes, new: bytes) -> dict[str, bytes]:
    return {"results/rollout.json": files["results/rollout.json"].replace(old, new)}


CONSISTENT = {
    "rollout": (lambda it: results(it, b'"aborted"', b'"succeeded"'), "results", "E162"),
    "wave": (lambda it: results(it, b'"state": "cancelled"', b'"state": "passed"'), "results", "E162"),
    "wave's name": (lambda it: results(it, b'"wave-1"', b'"canary"'), "results", "E162"),
    "wave's counts": (lambda it: results(it, b'"cancelled": 1', b'"committed": 1'), "results", "E162"),
    "no results": (lambda it: {"results/rollout.json": None}, "results", "E162"),
    "reason": (lambda it: {"results/devices.jsonl": one_device(it, reason="ok")}, "results", "E162"),
    "attempt": (lambda it: {"results/devices.jsonl": one_device(it, attempt=7)}, "results", "E162"),
    "device's wave": (
        lambda it: {"results/devices.jsonl": one_device(it, wave="wave-2")}, "results", "E162",
    ),
    "device twice": (
        lambda it: {
            "results/devices.jsonl": one_device(it, state="committed") + it["results/devices.jsonl"]
        },
        "results", "E162",
    ),
    "device of nobody": (
        lambda it: {
            "results/devices.jsonl": it["results/devices.jsonl"]
            + one_device(it, device="ghost", state="pending")
        },
        "results", "E162",
    ),
    "state": (lambda it: head(it, state="succeeded"), "results", "E162"),
    "artifact": (lambda it: head(it, artifact="app-3.0"), "plan", "E162"),
    "digest of the plan": (lambda it: head(it, plan_sha256="0" * 64), "plan", "E162"),
    "plan said to be masked": (
        lambda it: head(it, masked=[{"file": "plan/plan.json", "count": 1}])
        | {"plan/plan.json": it["plan/plan.json"].replace(b'"name":"site"', b'"name":"sole"')},
        "plan", "E164",
    ),
    "entry said to be masked": (
        lambda it: {"audit/journal.jsonl": masked_entry(it["audit/journal.jsonl"])},
        "results", "E164",
    ),
    "cut at a checkpoint": (
        lambda it: {"audit/journal.jsonl": up_to_the_first_checkpoint(it)}, "checkpoints", "E163",
    ),
    "policy": (lambda it: {"policy/evidence.toml": b"require = []"}, "policy", "E162"),
    "root": (lambda it: {"release/root.txt": b"another"}, "root", "E163"),
    "paper of nobody": (lambda it: {"papers/test.json": b"all is well"}, "files", "E162"),
    "approval of nobody": (lambda it: {"approvals/000009.json": b"{}"}, "approvals", "E162"),
    "release alone": (lambda it: head(it, rollout=None), "files", "E162"),
}  # fmt: skip


def test_what_was_changed_in_a_consistent_way_is_found(bench, capsys) -> None:
    start(bench, capsys)
    run(capsys, "abort --reason no")
    made(capsys)
    good = Path("b.tar").read_bytes()
    files = read_bundle(good)

    for case, (change, what, expected) in CONSISTENT.items():
        Path("b.tar").write_bytes(good)
        rewritten(**change(files))
        code, checks = judged(capsys, f"--verify b.tar {ROOTED}")
        assert (code, checks[what]) == (ExitCode.REFUSED, (False, expected)), case


def test_what_the_bundle_does_not_say_to_be_missing_is_missing_all_the_same(bench, capsys) -> None:
    start(bench, capsys)
    made(capsys)
    rewritten(**{"policy/evidence.toml": None})

    code, facts = made(capsys, f"--verify b.tar {ROOTED} --cra")

    assert (code, facts["missing"]) == (
        ExitCode.REFUSED, ["`policy/evidence.toml` is not in it"],
    )  # fmt: skip


def test_release_of_another_artifact_is_found(bench, capsys) -> None:
    """Its ticket and evidence are signed as they must be, but not for what the bundle says."""
    start(bench, capsys)
    made(capsys, "app.mender --out b.tar")
    files = read_bundle(Path("b.tar").read_bytes())
    rewritten(**head(files, artifact="app-3.0"))

    code, checks = judged(capsys, f"--verify b.tar {ROOTED}")

    assert code == ExitCode.REFUSED
    assert (checks["ticket"], checks["evidence"]) == ((False, "E162"), (False, "E162"))


def test_statement_that_binds_nothing_is_no_evidence(bench, capsys) -> None:
    """A release key signed it, and it is about the artifact: an attestation of another kind."""
    start(bench, capsys)
    made(capsys, "app.mender --out b.tar")
    files = read_bundle(Path("b.tar").read_bytes())
    payload = base64.b64decode(json.loads(files["release/evidence.json"])["payload"])
    other = payload.replace(b"attestation/reference", b"attestation/test-result")
    signers = signers_that_count(tuple(map(bench.kit.signer, ("rel1", "rel2"))), None, "")
    made_by = [sign_with(signer, pae(IN_TOTO, other)) for signer in signers]
    signed = [EnvelopeSignature(each.key_id, each.data) for each in made_by]
    rewritten(**{"release/evidence.json": write_envelope(IN_TOTO, other, signed)})

    assert judged(capsys, f"--verify b.tar {ROOTED}")[1]["evidence"] == (False, "E162")
