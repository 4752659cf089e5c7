"""Binding SBOM, VEX and provenance to an artifact, by signatures of release keys.

Laws:
1. Nobody signs for papers that would not be read: each is parsed, and its subject compared with the
   artifact, before anything is written.
2. What lies beside the artifact is complete or refused: papers are written first, the statement that
   names their digests last, whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.evidence import subject_of
from orchestrator.api.evidence_files import (
    DOCUMENT_BYTES_MAX,
    read_bounded,
    read_documents,
    refusal,
    statement_path,
)
from orchestrator.api.signing import signers_that_count, trusted_root
from orchestrator.api.tickets import artifact_of
from orchestrator.errors import PlanError, Where
from orchestrator.render.evidence import EvidenceFacts, PaperFacts

if TYPE_CHECKING:
    from orchestrator.api.trust_values import AttachRequest
    from orchestrator.evidence.dsse import Envelope, EnvelopeSignature
    from orchestrator.evidence.references import Kind, Reference
    from orchestrator.evidence.rules import Problem
    from orchestrator.evidence.sbom import Subject
    from orchestrator.trust.keys import VerificationKey
    from orchestrator.trust.root import Root

_SIGNER_HINT = "evidence is bound by a release key of the root; `rollout root show` lists them"


@dataclass(frozen=True, slots=True)
class _Paper:
    reference: Reference
    data: bytes


def release_attach(request: AttachRequest) -> EvidenceFacts:
    """Binds papers to an artifact, or signs for those that are bound to it already.

    Raises:
        PlanError: a paper cannot be read, or is about something else; has all problems.
        ArtifactError: the artifact breaks a rule.
        TrustError: it is not signed as the root wants, nobody signs, or a file cannot be written.
    """
    from orchestrator.evidence.dsse import IN_TOTO, EnvelopeSignature, pae, write_envelope
    from orchestrator.evidence.references import write_references
    from orchestrator.trust.files import replace_file
    from orchestrator.trust.signers import sign_with

    root = None if request.root is None else trusted_root(request.root)
    subject = subject_of(artifact_of(request.artifact, root))
    path = statement_path(request.artifact)
    before = _envelope(path)
    papers = _papers(request)
    if papers:
        payload = write_references(subject, [each.reference for each in papers])
        _check(papers, subject, payload)
    else:
        payload = _signed_for(before, path, subject)
    text = pae(IN_TOTO, payload)
    counted = None if root is None else _release_keys(root)
    signers = signers_that_count(request.sign_with, counted, _SIGNER_HINT)
    made = [sign_with(signer, text) for signer in signers]
    same = before is not None and before.payload == payload
    kept = before.signatures if before is not None and same else ()
    added = {each.key_id: EnvelopeSignature(each.key_id, each.data) for each in made}
    signatures = [*(each for each in kept if each.key_id not in added), *added.values()]
    if not signatures:
        raise _unsigned(path)
    for paper in papers:
        target = path.with_name(paper.reference.name)
        if not target.is_file() or target.read_bytes() != paper.data:
            replace_file(target, paper.data)
    replace_file(path, write_envelope(IN_TOTO, payload, signatures))
    return _facts(path, subject, payload, signatures, root)


def _papers(request: AttachRequest) -> list[_Paper]:
    from orchestrator.evidence.references import Kind

    given = (
        (Kind.SBOM, () if request.sbom is None else (request.sbom,)),
        (Kind.VEX, request.vex),
        (Kind.PROVENANCE, request.provenance),
    )
    stem = request.artifact.name.removesuffix(".mender")
    found = []
    for kind, files in given:
        for number, file in enumerate(files, 1):
            data = read_bounded(file, DOCUMENT_BYTES_MAX)
            count = f"-{number}" if number > 1 else ""
            found.append(_paper(kind, f"{stem}.{kind}{count}.json", data))
    return found


def _paper(kind: Kind, name: str, data: bytes) -> _Paper:
    from orchestrator.evidence.references import Reference, media_type_of

    sha256 = hashlib.sha256(data).hexdigest()
    return _Paper(Reference(kind, name, sha256, media_type_of(kind, data)), data)


def _check(papers: list[_Paper], subject: Subject, payload: bytes) -> None:
    """Refuses papers that no policy could accept, and a statement that nobody could read."""
    from orchestrator.evidence.judge import read_papers
    from orchestrator.evidence.references import Kind, read_references
    from orchestrator.evidence.sbom import check_sbom
    from orchestrator.evidence.statement import read_statement

    problems: list[Problem] = []
    statement = read_statement(payload, "statement", problems)
    if statement is not None:
        read_references(statement)
    by_kind = {
        kind: {each.reference.name: each.data for each in papers if each.reference.kind is kind}
        for kind in Kind
    }
    found = read_papers(by_kind[Kind.SBOM], by_kind[Kind.VEX], problems)
    for sbom in found.sboms:
        problems += check_sbom(sbom, subject)
    for name, data in by_kind[Kind.PROVENANCE].items():
        problems += _provenance_problems(name, data, subject)
    if problems:
        raise refusal(problems, "nothing was signed")


def _provenance_problems(name: str, data: bytes, subject: Subject) -> list[Problem]:
    from orchestrator.evidence.dsse import read_envelope
    from orchestrator.evidence.provenance import builder_of, check_provenance
    from orchestrator.evidence.statement import read_statement

    problems: list[Problem] = []
    envelope = read_envelope(data, name, problems)
    statement = None if envelope is None else read_statement(envelope.payload, name, problems)
    if statement is not None and builder_of(statement):
        check_provenance(statement, subject.sha256, ())
    return problems


def _envelope(path: Path) -> Envelope | None:
    from orchestrator.evidence.dsse import ENVELOPE_BYTES_MAX, read_envelope

    if not path.exists():
        return None
    problems: list[Problem] = []
    found = read_envelope(read_bounded(path, ENVELOPE_BYTES_MAX), str(path), problems)
    if found is None:
        raise refusal(problems, f"`{path}` binds nothing")
    return found


def _signed_for(before: Envelope | None, path: Path, subject: Subject) -> bytes:
    """The statement that lies there, for another signature: its papers must be those that it names."""
    from orchestrator.evidence.rules import EvidenceRule, Problem

    problems: list[Problem] = []
    if before is None:
        message = f"nothing is bound to `{subject.name}` yet"
        hint = "say what: `--sbom FILE`, `--vex FILE`, `--provenance FILE`"
        problems.append(Problem(EvidenceRule.NO_STATEMENT, message, hint, where=Where(str(path))))
    else:
        read_documents(before, path, subject, problems)
    if before is None or problems:
        raise refusal(problems, "nothing was signed")
    return before.payload


def _release_keys(root: Root) -> tuple[VerificationKey, ...]:
    from orchestrator.trust.root import Role

    return root.of(Role.RELEASE)


def _unsigned(path: Path) -> PlanError:
    from orchestrator.evidence.rules import EvidenceRule, Problem

    message = "evidence is bound by a signature, and nobody signs"
    hint = "give a release key: `--key KEY`"
    return refusal(
        [Problem(EvidenceRule.SIGNATURES, message, hint, where=Where(str(path)))], message
    )


def _facts(
    path: Path,
    subject: Subject,
    payload: bytes,
    signatures: list[EnvelopeSignature],
    root: Root | None,
) -> EvidenceFacts:
    from orchestrator.evidence.references import read_references
    from orchestrator.evidence.statement import read_statement

    statement = read_statement(payload, str(path), [])
    assert statement is not None, "a statement that was signed can be read"
    papers = tuple(
        PaperFacts(str(each.kind), each.name, each.sha256) for each in read_references(statement)
    )
    needed = None
    if root is not None:
        from orchestrator.trust.root import Role

        needed = root.threshold(Role.RELEASE)
    return EvidenceFacts(
        str(path),
        subject.name,
        subject.sha256,
        papers,
        tuple(each.key_id for each in signatures),
        needed,
    )
