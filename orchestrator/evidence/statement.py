"""In-toto statements: what an attestation says, of which artifact.

Source: in-toto attestation framework, statement v1 and v0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.evidence.node import Node, read_object
from orchestrator.evidence.rules import EvidenceRule, Problem

TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
STATEMENT_BYTES_MAX = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement; `subjects` are names with their SHA-256 (empty where it says another digest)."""

    subjects: tuple[tuple[str, str], ...]
    predicate_type: str
    predicate: Node
    top: Node

    def is_about(self, sha256: str) -> bool:
        """Whether one of its subjects has this digest."""
        return any(digest == sha256 for _, digest in self.subjects)


def read_statement(payload: bytes, file: str, problems: list[Problem]) -> Statement | None:
    """The statement in a payload; None, with problems, where it is none.

    Places in problems are those within the payload.
    """
    count = len(problems)
    name = f"{file} (payload)"
    top = read_object(payload, name, problems, size_bytes_max=STATEMENT_BYTES_MAX)
    if top is None:
        return None
    if top.text("_type", needed=True) not in TYPES:
        top.report(EvidenceRule.FORMAT, "this is no statement of in-toto", "_type")
    subjects = []
    for each in top.children("subject"):
        digest = each.child("digest", needed=True)
        sha256 = "" if digest is None else digest.text("sha256").lower()
        subjects.append((each.text("name"), sha256))
    kind = top.text("predicateType", needed=True)
    predicate = top.child("predicate", needed=True)
    if predicate is None or len(problems) > count:
        return None
    return Statement(tuple(subjects), kind, predicate, top)
