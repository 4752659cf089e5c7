"""What binds SBOM, VEX and provenance to an artifact: a signed list of their digests.

An in-toto statement with the predicate "reference" whose subject is the artifact by SHA-256. The
documents lie beside it, by plain names; the digests decide, not the names.

Source: in-toto attestation predicate "reference" v0.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.evidence.rules import EvidenceRule
from orchestrator.evidence.sbom import Subject
from orchestrator.evidence.statement import TYPES, Statement

PREDICATE = "https://in-toto.io/attestation/reference/v0.1"
ATTESTER = "urn:rollout-orchestrator:release-keys"
DOCUMENTS_MAX = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Kind(StrEnum):
    """What a document is for."""

    SBOM = "sbom"
    VEX = "vex"
    PROVENANCE = "provenance"


@dataclass(frozen=True, slots=True)
class Reference:
    """A document: what for, its plain file name, its digest."""

    kind: Kind
    name: str
    sha256: str
    media_type: str


def media_type_of(kind: Kind, data: bytes) -> str:
    """What a document is, for those who fetch it; the file's own words decide how it is read."""
    if kind is Kind.PROVENANCE:
        return "application/vnd.in-toto.provenance+dsse"
    if b'"bomFormat"' in data:
        return "application/vnd.cyclonedx+json"
    return "application/spdx+json" if kind is Kind.SBOM else "application/openvex+json"


def write_references(subject: Subject, references: Sequence[Reference]) -> bytes:
    """The statement, as bytes to sign; the same for the same documents."""
    document = {
        "_type": TYPES[0],
        "subject": [{"name": subject.name, "digest": {"sha256": subject.sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "attester": {"id": ATTESTER},
            "references": [
                {
                    "name": each.name,
                    "downloadLocation": each.name,
                    "digest": {"sha256": each.sha256},
                    "mediaType": each.media_type,
                    "annotations": {"kind": str(each.kind)},
                }
                for each in references
            ],
        },
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode("ascii")


def read_references(statement: Statement) -> tuple[Reference, ...]:
    """The documents that a statement binds; what is wrong becomes a problem of its document."""
    if statement.predicate_type != PREDICATE:
        message = f"the statement is of type `{statement.predicate_type}`"
        hint = f"evidence of a release is bound by `{PREDICATE}`"
        statement.top.report(EvidenceRule.STATEMENT, message, "predicateType", hint=hint)
        return ()
    found: list[Reference] = []
    for node in statement.predicate.children("references"):
        digest, notes = node.child("digest", needed=True), node.child("annotations", needed=True)
        name = node.text("name", needed=True)
        sha256 = "" if digest is None else digest.text("sha256", needed=True)
        kind = "" if notes is None else notes.text("kind", needed=True)
        known = kind in set(Kind) and _SHA256.fullmatch(sha256)
        if not known or not _NAME.fullmatch(name) or name in {each.name for each in found}:
            message = f"`{name}` is no document beside the artifact"
            hint = "each has a plain name of its own, a SHA-256, and a kind: sbom, vex, provenance"
            node.report(EvidenceRule.STATEMENT, message, hint=hint)
            continue
        found.append(Reference(Kind(kind), name, sha256, node.text("mediaType")))
    if len(found) > DOCUMENTS_MAX:
        message = f"more than {DOCUMENTS_MAX} documents"
        statement.predicate.report(EvidenceRule.STATEMENT, message, "references")
        return ()
    return tuple(found)
