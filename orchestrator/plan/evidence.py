"""What spoke for a plan's artifact when it was judged, by digests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """A paper that release keys bound to the artifact: sbom, vex or provenance."""

    kind: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PlannedSnapshot:
    """What was known of vulnerabilities; `made_at` is UTC seconds."""

    name: str
    sha256: str
    made_at: float


@dataclass(frozen=True, slots=True)
class PlannedEvidence:
    """Evidence that satisfied the operator's policy.

    `signed_by` are fingerprints of release keys; `excused` says in words which listed
    vulnerabilities a statement excuses; `sources` are URIs with their commits.
    """

    policy_sha256: str
    statement_sha256: str
    signed_by: tuple[str, ...]
    documents: tuple[PlannedDocument, ...] = ()
    snapshots: tuple[PlannedSnapshot, ...] = ()
    components_count: int = 0
    excused: tuple[str, ...] = ()
    builders: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
