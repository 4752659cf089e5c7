"""One file with all that shows how a release came to devices, for whoever audits it.

Laws:
1. The same state and the same files give the same bytes: nothing in a bundle says when it was made.
2. What is not there is said in the bundle and by the exit code; nothing is made up for it.
3. Papers, tickets and signatures go in as they are; of what people and devices wrote, what looks like
   a secret is masked, and where is said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import __version__
from orchestrator.api.auditing import checkpoints_file, signers_of_checkpoints
from orchestrator.api.evidence_files import (
    DOCUMENT_BYTES_MAX,
    STATEMENT_SUFFIX,
    read_bounded,
    statement_path,
)
from orchestrator.api.plan_artifacts import artifact_path
from orchestrator.api.stored import load_stored, plan_of, restored
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.ticket_drafts import TICKET_SUFFIX
from orchestrator.api.values import Settings
from orchestrator.errors import OrchestratorError, PlanError, Where
from orchestrator.render.bundle import BundleFacts

if TYPE_CHECKING:
    from orchestrator.engine.ports import Stored
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.journal_proof import Proof

_SIGNATURE_SUFFIX = ".sig"
_ARTIFACT_SUFFIX = ".mender"


@dataclass(slots=True)
class _Contents:
    """What goes in, by name; and what an auditor would miss."""

    files: dict[str, bytes] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    masked: list[dict[str, object]] = field(default_factory=list)

    def add(self, name: str, data: bytes) -> None:
        """A file as it is."""
        self.files[name] = data

    def add_masked(self, name: str, text: str) -> None:
        """A file without what looks like a secret; its own digest is kept where that changes it."""
        from orchestrator.evidence.masking import masked

        found, count = masked(text)
        self.files[name] = found.encode()
        if count:
            sha256 = hashlib.sha256(text.encode()).hexdigest()
            self.masked.append({"file": name, "count": count, "sha256": sha256})

    def add_signed(self, name: str, path: Path, what: str) -> None:
        """A file of a release and the signatures beside it; or that one is missing."""
        beside = path.with_name(path.name + _SIGNATURE_SUFFIX)
        for file, target in ((path, name), (beside, name + _SIGNATURE_SUFFIX)):
            if file.is_file():
                self.add(target, read_bounded(file, DOCUMENT_BYTES_MAX))
            else:
                self.missing.append(f"{what}: there is no `{file}`")


async def release_bundle(settings: Settings, what: str | None, out: Path) -> BundleFacts:
    """Writes a bundle about a rollout (id, unique beginning, or None for the newest) or a release.

    Args:
        settings: the operator's configuration.
        what: a rollout, or the path of an artifact or a ticket.
        out: the file to write; must not exist.

    Raises:
        PlanError: there is no such artifact, or a file is too large.
        StoreError: there is no such rollout, or it cannot be read.
        TrustError: the file exists or cannot be written.
    """
    from orchestrator.evidence.bundle import write_bundle
    from orchestrator.trust.files import write_new

    contents = _Contents()
    if what is not None and what.endswith((_ARTIFACT_SUFFIX, TICKET_SUFFIX)):
        about = _release(settings, contents, Path(what))
    else:
        about = await _rollout(settings, contents, what)
    head = {
        "format_version": "1.0",
        "kind": "evidence-bundle",
        "tool": __version__,
        **about,
        "missing": contents.missing,
        "masked": contents.masked,
    }
    contents.add("bundle.json", (json.dumps(head, indent=2, sort_keys=True) + "\n").encode())
    data = write_bundle(contents.files)
    write_new(out, data)
    return BundleFacts(
        path=str(out),
        sha256=hashlib.sha256(data).hexdigest(),
        about=_named(about),
        file_count=len(contents.files) + 1,
        missing=tuple(contents.missing),
        masked_count=sum(int(str(each["count"])) for each in contents.masked),
    )


def _named(about: dict[str, object]) -> str:
    rollout = about.get("rollout")
    artifact = about["artifact"]
    return f"rollout {rollout} of {artifact}" if rollout else f"release of {artifact}"


def _release(settings: Settings, contents: _Contents, path: Path) -> dict[str, object]:
    from orchestrator.artifact.reader import read_artifact

    artifact = path.with_suffix(_ARTIFACT_SUFFIX)
    if not artifact.is_file():
        message = f"there is no artifact `{artifact}`"
        raise PlanError(message, where=Where(str(artifact)), code="E160")
    found = read_artifact(artifact)
    _papers(settings, contents, artifact)
    contents.missing.append("plan, approvals, results and journal: this is a release, no rollout")
    return {"artifact": found.name, "artifact_sha256": found.sha256}


async def _rollout(settings: Settings, contents: _Contents, what: str | None) -> dict[str, object]:
    from orchestrator.rollout.bundled import device_lines, rollout_text

    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        rollout_id = await rollout_id_of(store, what)
        stored = await load_stored(store, rollout_id)
        proof = await store.proof(rollout_id)
        controller_id = store.controller_id()
    assert proof is not None, "a rollout that is stored has a journal"
    plan = plan_of(stored)
    contents.add_masked("plan/plan.json", stored.plan_json.decode())
    ledger = restored(stored, plan).ledger
    contents.add_masked("results/devices.jsonl", device_lines(ledger))
    contents.add("results/rollout.json", rollout_text(ledger).encode())
    _approvals(contents, plan, proof)
    _audit(settings, contents, proof, controller_id)
    _of_plan(settings, contents, plan)
    return {
        "rollout": rollout_id,
        "state": str(stored.rollout.get("state", "")),
        "plan_sha256": _plan_sha256(stored),
        "artifact": plan.artifact.name,
        "artifact_sha256": plan.artifact.sha256,
    }


def _plan_sha256(stored: Stored) -> str:
    return hashlib.sha256(stored.plan_json).hexdigest()


def _of_plan(settings: Settings, contents: _Contents, plan: ResolvedPlan) -> None:
    """The papers of the plan's artifact, and the policy that they were judged by."""
    try:
        artifact = artifact_path(settings, plan)
    except OrchestratorError as error:
        contents.missing.append(f"ticket, SBOM and provenance: {error.message}")
        return
    _papers(settings, contents, artifact)
    policy = settings.evidence_policy
    if plan.evidence is None:
        contents.missing.append("policy: the rollout was judged by none")
    elif policy is not None and policy.is_file():
        data = read_bounded(policy, DOCUMENT_BYTES_MAX)
        if hashlib.sha256(data).hexdigest() == plan.evidence.policy_sha256:
            contents.add("policy/evidence.toml", data)
            return
        contents.missing.append(f"policy: `{policy}` is not the one that judged the rollout")


def _papers(settings: Settings, contents: _Contents, artifact: Path) -> None:
    stem = artifact.name.removesuffix(_ARTIFACT_SUFFIX)
    ticket = artifact.with_name(stem + TICKET_SUFFIX)
    contents.add_signed("release/release.ticket", ticket, "ticket")
    if settings.trust_root is None:
        contents.missing.append("trust root: the configuration names none (`trust_root`)")
    else:
        contents.add_signed("release/root.txt", settings.trust_root, "trust root")
    statement = statement_path(artifact)
    if not statement.is_file():
        contents.missing.append(f"SBOM and provenance: there is no `{stem}{STATEMENT_SUFFIX}`")
        return
    contents.add("release/evidence.json", read_bounded(statement, DOCUMENT_BYTES_MAX))
    kinds = set()
    for kind, name in _bound_names(statement):
        kinds.add(kind)
        file = statement.with_name(name)
        if file.is_file():
            contents.add(f"papers/{name}", read_bounded(file, DOCUMENT_BYTES_MAX))
        else:
            contents.missing.append(f"{kind}: there is no `{name}`")
    for kind in ("sbom", "provenance"):
        if kind not in kinds:
            contents.missing.append(f"{kind}: none is bound to `{artifact.name}`")


def _bound_names(statement: Path) -> Iterator[tuple[str, str]]:
    """Kinds and names of what a statement binds, whoever signed it."""
    from orchestrator.evidence.dsse import ENVELOPE_BYTES_MAX, read_envelope
    from orchestrator.evidence.references import read_references
    from orchestrator.evidence.statement import read_statement

    envelope = read_envelope(read_bounded(statement, ENVELOPE_BYTES_MAX), str(statement), [])
    found = None if envelope is None else read_statement(envelope.payload, str(statement), [])
    if found is not None:
        yield from ((str(each.kind), each.name) for each in read_references(found))


def _approvals(contents: _Contents, plan: ResolvedPlan, proof: Proof) -> None:
    """Each answer of a person; a signed one with its statement, for `ssh-keygen -Y verify`."""
    from orchestrator.rollout.bundled import answer_files

    found = tuple(answer_files(written for written, _ in proof.entries))
    for name, text in found:
        if name.endswith(".json"):
            contents.add_masked(name, text)
        else:
            contents.add(name, text.encode())
    if not found and (plan.approval is not None or any(wave.approval for wave in plan.waves)):
        contents.missing.append("approvals: the plan wants some, and nobody gave any")


def _audit(settings: Settings, contents: _Contents, proof: Proof, controller_id: str) -> None:
    """The journal as it proves itself, the checkpoints that vouch for it, and whose they may be."""
    from orchestrator.evidence.masking import masked
    from orchestrator.rollout.journal_proof import proof_lines
    from orchestrator.trust.checkpoint import checkpoints_of
    from orchestrator.trust.checkpoint_file import read

    lines = list(proof_lines(proof, masked))
    contents.add("audit/journal.jsonl", "".join(lines).encode())
    hidden = sum(masked(written.data)[1] for written, _ in proof.entries)
    if hidden:
        contents.masked.append({"file": "audit/journal.jsonl", "count": hidden})
    file = checkpoints_file(settings)
    found = checkpoints_of(read(file), proof.rollout_id) if file.is_file() else b""
    if not found:
        contents.missing.append(f"checkpoints: `{file.name}` has none of this rollout")
        return
    contents.add("audit/checkpoints", found)
    contents.add("audit/signers", signers_of_checkpoints(settings, controller_id))
