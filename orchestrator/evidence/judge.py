"""Judges what speaks for an artifact by a policy: all problems at once, or what was found good.

Law: nothing is skipped silently. What the policy requires and nobody brought is a problem; papers for
what it does not require are not handed in here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.errors import Where
from orchestrator.evidence.cyclonedx import is_cyclonedx, read_cyclonedx, read_cyclonedx_vex
from orchestrator.evidence.node import Node, read_object
from orchestrator.evidence.openvex import is_openvex, read_openvex
from orchestrator.evidence.policy import Policy, Require
from orchestrator.evidence.provenance import Provenance, check_provenance
from orchestrator.evidence.rules import EvidenceRule, Problem
from orchestrator.evidence.sbom import SBOM_BYTES_MAX, Sbom, Subject, check_sbom
from orchestrator.evidence.snapshot import Snapshot
from orchestrator.evidence.spdx import is_spdx, read_spdx
from orchestrator.evidence.statement import Statement
from orchestrator.evidence.vex import VEX_BYTES_MAX, Vex
from orchestrator.evidence.vulnerabilities import Excused, Lookup, known_of


@dataclass(frozen=True, slots=True)
class Papers:
    """What was brought: parsed SBOMs and statements, and provenance that a builder's key signed."""

    sboms: tuple[Sbom, ...] = ()
    statements: tuple[Vex, ...] = ()
    provenances: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of it; good where there are no problems."""

    problems: tuple[Problem, ...]
    sbom: Sbom | None = None
    excused: tuple[Excused, ...] = ()
    provenances: tuple[Provenance, ...] = field(default=())


def read_papers(
    sboms: Mapping[str, bytes], vexes: Mapping[str, bytes], problems: list[Problem]
) -> Papers:
    """SBOM and VEX files, by name; an SBOM of CycloneDX may hold statements too."""
    found: list[Sbom] = []
    statements: list[Vex] = []
    for file, data in sboms.items():
        top = read_object(data, file, problems, size_bytes_max=SBOM_BYTES_MAX)
        sbom = None if top is None else _sbom(top)
        if top is None or sbom is None:
            continue
        found.append(sbom)
        if is_cyclonedx(top):
            statements += read_cyclonedx_vex(top, sbom)
    only = found[0] if len(found) == 1 else None
    for file, data in vexes.items():
        top = read_object(data, file, problems, size_bytes_max=VEX_BYTES_MAX)
        if top is not None:
            statements += _vex(top, only)
    return Papers(tuple(found), tuple(statements))


def judge(
    policy: Policy,
    subject: Subject,
    papers: Papers,
    snapshots: Sequence[Snapshot],
    *,
    now: float,
) -> Judgement:
    """Whether papers satisfy a policy.

    Args:
        policy: the operator's.
        subject: the artifact.
        papers: what lies beside it and is bound to it.
        snapshots: what was known and when, read for this SBOM.
        now: UTC seconds.
    """
    problems: list[Problem] = []
    excused: list[Excused] = []
    for sbom in papers.sboms:
        problems += check_sbom(sbom, subject)
    if Require.SBOM in policy.require and len(papers.sboms) != 1:
        message = f"there are {len(papers.sboms)} SBOMs for `{subject.name}`, and one is required"
        hint = "`rollout release attach ARTIFACT --sbom FILE` binds it"
        problems.append(Problem(EvidenceRule.NO_SBOM, message, hint, where=Where(subject.name)))
    if Require.VULNERABILITIES in policy.require:
        problems += _dates(policy, snapshots, now)
        for sbom in papers.sboms:
            known = known_of(snapshots)
            lookup = Lookup(sbom, papers.statements, known, subject, now=now)
            lookup.judge(policy.own)
            problems += lookup.problems
            excused += lookup.excused
    provenances = tuple(
        check_provenance(each, subject.sha256, policy.sources) for each in papers.provenances
    )
    for each in papers.provenances:
        problems += each.top.problems
    if Require.PROVENANCE in policy.require and not papers.provenances:
        message = f"nothing that counts says who built `{subject.name}`"
        hint = "`rollout release attach ARTIFACT --provenance FILE` binds what the builder signed"
        problems.append(
            Problem(EvidenceRule.NO_PROVENANCE, message, hint, where=Where(subject.name))
        )
    only = papers.sboms[0] if len(papers.sboms) == 1 else None
    return Judgement(tuple(problems), only, tuple(excused), provenances)


def _sbom(top: Node) -> Sbom | None:
    if is_cyclonedx(top):
        return read_cyclonedx(top)
    if is_spdx(top):
        return read_spdx(top)
    hint = "CycloneDX 1.5 or 1.6, or SPDX 2.3, as JSON"
    top.report(EvidenceRule.FORMAT, "this is no SBOM that is read here", hint=hint)
    return None


def _vex(top: Node, sbom: Sbom | None) -> tuple[Vex, ...]:
    if is_cyclonedx(top):
        return read_cyclonedx_vex(top, sbom)
    if is_openvex(top):
        return read_openvex(top)
    hint = "CycloneDX 1.5 or 1.6, or OpenVEX, as JSON"
    top.report(EvidenceRule.FORMAT, "this is no VEX file that is read here", hint=hint)
    return ()


def _dates(policy: Policy, snapshots: Sequence[Snapshot], now: float) -> list[Problem]:
    found = []
    for each in snapshots:
        why = each.why_not(now=now, max_age_s=policy.max_age_s)
        if why:
            hint = "fetch a newer one; what is old says nothing of what was found since"
            found.append(Problem(EvidenceRule.SNAPSHOT_DATE, why, hint, where=Where(each.file)))
    return found
