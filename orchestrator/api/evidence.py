"""Whether what speaks for a plan's artifact is good enough for the operator's policy.

Law: what is applied was judged when the rollout started, by the policy and the snapshots of then; a
plan that was saved or approved holds the digests of what it was judged by.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.evidence_files import (
    Bound,
    PolicyFile,
    load_keys,
    read_bound,
    read_policy_file,
    read_snapshots,
    refusal,
    release_keys,
    statement_path,
)
from orchestrator.api.plan_artifacts import artifact_path, read_artifact
from orchestrator.api.values import Prepared, Settings
from orchestrator.errors import OrchestratorError, StalePlanError, Where

if TYPE_CHECKING:
    from orchestrator.artifact.model import Artifact
    from orchestrator.evidence.judge import Judgement
    from orchestrator.evidence.rules import Problem
    from orchestrator.evidence.sbom import Subject
    from orchestrator.evidence.snapshot import Snapshot
    from orchestrator.evidence.statement import Statement
    from orchestrator.plan.resolved import PlannedEvidence, ResolvedPlan

_NEEDED_FOR = {"sbom": "sbom", "vex": "vulnerabilities", "provenance": "provenance"}


def planned_evidence(
    settings: Settings, resolved: ResolvedPlan
) -> tuple[PlannedEvidence | None, OrchestratorError | None]:
    """What was found good, for a plan; or why its rollout would be refused. Neither without policy."""
    if settings.evidence_policy is None:
        return None, None
    try:
        return evidence_of(settings, settings.evidence_policy, resolved), None
    except OrchestratorError as error:
        return None, error


def evidence_of(settings: Settings, policy: Path, resolved: ResolvedPlan) -> PlannedEvidence:
    """The evidence of a plan's artifact, judged here and now.

    Raises:
        PlanError: all problems at once, with file and line.
        TrustError: a key, the trust root or the artifact is not what it must be.
        ArtifactError: the artifact breaks a rule.
        StalePlanError: the artifact is not that of the plan.
    """
    plan = settings.root / resolved.plan_file
    file = read_policy_file(policy, plan, settings.root)
    path = artifact_path(settings, resolved)
    artifact, _ = read_artifact(settings, path)
    if artifact.sha256 != resolved.artifact.sha256:
        message = f"`{path}` is not the artifact of the plan"
        raise StalePlanError(message, hint="preview the plan again", code="P313")
    subject = subject_of(artifact)
    keys, needed_count = release_keys(settings, file)
    problems: list[Problem] = []
    bound = read_bound(statement_path(path), subject, keys, needed_count, problems)
    if bound is None:
        raise refusal(problems, f"nothing speaks for `{subject.name}`")
    judgement, snapshots = _judged(file, bound, subject, problems)
    problems += judgement.problems
    if problems:
        raise refusal(problems, f"what speaks for `{subject.name}` is not good enough")
    return _planned(file, bound, judgement, snapshots)


def refuse_unevidenced(settings: Settings, prepared: Prepared) -> None:
    """Refuses to start what the policy does not let pass.

    Raises:
        OrchestratorError: as `evidence_of`.
        StalePlanError: a saved plan was judged by other evidence than lies there now.
    """
    if settings.evidence_policy is None:
        return
    if prepared.unevidenced is not None:
        raise prepared.unevidenced
    if prepared.saved:
        refuse_other_evidence(settings, prepared.resolved)


def refuse_other_evidence(settings: Settings, resolved: ResolvedPlan) -> None:
    """Refuses a plan of before whose evidence is another one, or does not pass today.

    Raises:
        OrchestratorError: as `refuse_unevidenced`.
    """
    if settings.evidence_policy is None:
        return
    found = evidence_of(settings, settings.evidence_policy, resolved)
    planned = resolved.evidence
    if planned is None or planned.statement_sha256 != found.statement_sha256:
        message = f"the evidence of `{resolved.artifact.path}` is not the one of the plan"
        hint = "put the old files back, or preview the plan again"
        raise StalePlanError(message, hint=hint, code="P318")


def subject_of(artifact: Artifact) -> Subject:
    """What evidence must be about."""
    from orchestrator.evidence.sbom import Subject

    files = tuple(file.sha256 for file in artifact.payload.files)
    return Subject(artifact.name, artifact.sha256, files)


def _judged(
    file: PolicyFile, bound: Bound, subject: Subject, problems: list[Problem]
) -> tuple[Judgement, tuple[Snapshot, ...]]:
    from orchestrator.evidence.judge import judge, read_papers
    from orchestrator.evidence.references import Kind
    from orchestrator.evidence.vulnerabilities import wanted_of

    require = file.policy.require
    by_kind: dict[Kind, dict[str, bytes]] = {kind: {} for kind in Kind}
    for reference, data in bound.documents:
        if _NEEDED_FOR[reference.kind] in require:
            by_kind[reference.kind][reference.name] = data
    papers = read_papers(by_kind[Kind.SBOM], by_kind[Kind.VEX], problems)
    wanted = frozenset(package for sbom in papers.sboms for package in wanted_of(sbom))
    snapshots = read_snapshots(file, wanted, problems)
    provenances = _provenances(file, by_kind[Kind.PROVENANCE], problems)
    papers = replace(papers, provenances=provenances)
    return judge(file.policy, subject, papers, snapshots, now=time.time()), snapshots


def _provenances(
    file: PolicyFile, documents: Mapping[str, bytes], problems: list[Problem]
) -> tuple[Statement, ...]:
    """Those that a key of their builder signed."""
    found = (_provenance(file, name, data, problems) for name, data in documents.items())
    return tuple(each for each in found if each is not None)


def _provenance(
    file: PolicyFile, name: str, data: bytes, problems: list[Problem]
) -> Statement | None:
    from orchestrator.evidence.dsse import IN_TOTO, read_envelope
    from orchestrator.evidence.provenance import builder_of
    from orchestrator.evidence.rules import EvidenceRule, Problem
    from orchestrator.evidence.statement import read_statement
    from orchestrator.trust.attestation import signers_of

    envelope = read_envelope(data, name, problems)
    if envelope is None:
        return None
    builders = file.policy.builders
    known = {key: list(load_keys(file, names)) for key, names in builders.items()}
    signed = [key for key, keys in known.items() if signers_of(envelope, keys)]
    if not signed or envelope.payload_type != IN_TOTO:
        message = f"`{name}` is signed by no key of a builder that the policy trusts"
        problems.append(Problem(EvidenceRule.PROVENANCE_SIGNATURE, message, where=Where(name)))
        return None
    own: list[Problem] = []
    statement = read_statement(envelope.payload, name, own)
    builder = "" if statement is None else builder_of(statement)
    if statement is None or not builder:
        problems += own
        return None
    if builder not in signed:
        message = f"built by `{builder}`, and signed with a key of `{signed[0]}`"
        if builder not in builders:
            message = f"built by `{builder}`, which the policy does not trust"
        statement.predicate.report(EvidenceRule.BUILDER, message)
    return statement


def _planned(
    file: PolicyFile, bound: Bound, judgement: Judgement, snapshots: Sequence[Snapshot]
) -> PlannedEvidence:
    from orchestrator.plan.resolved import PlannedDocument, PlannedEvidence, PlannedSnapshot

    sbom = judgement.sbom
    return PlannedEvidence(
        policy_sha256=file.sha256,
        statement_sha256=hashlib.sha256(bound.statement).hexdigest(),
        signed_by=bound.signed_by,
        documents=tuple(
            PlannedDocument(str(each.kind), each.name, each.sha256) for each, _ in bound.documents
        ),
        snapshots=tuple(
            PlannedSnapshot(each.file, each.sha256, each.made_at or 0.0) for each in snapshots
        ),
        components_count=0 if sbom is None else len(sbom.components),
        excused=tuple(
            f"{each.id} in {each.part}: {each.status}, {each.why}" for each in judgement.excused
        ),
        builders=tuple(each.builder for each in judgement.provenances),
        sources=tuple(
            f"{one.uri} {one.commit}" for each in judgement.provenances for one in each.sources
        ),
    )
