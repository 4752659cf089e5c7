"""What is bound to an artifact, on a terminal and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.render.table import listed
from orchestrator.render.text import Look, Style, escape, pad, plural

FORMAT_VERSION = "1.0"
_KIND_CELLS = 11


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """A paper beside the artifact."""

    kind: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class EvidenceFacts:
    """What a statement binds. `needed_count` is None where no root was given to judge by."""

    path: str
    artifact: str
    artifact_sha256: str
    papers: Sequence[PaperFacts]
    signed_by: Sequence[str]
    needed_count: int | None = None


def evidence_document(facts: EvidenceFacts) -> dict[str, object]:
    """It as data (schemas/evidence.v1.json)."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "evidence",
        "path": facts.path,
        "artifact": facts.artifact,
        "artifact_sha256": facts.artifact_sha256,
        "papers": [
            {"kind": each.kind, "name": each.name, "sha256": each.sha256} for each in facts.papers
        ],
        "signed_by": list(facts.signed_by),
        "needed_count": facts.needed_count,
    }


def evidence_text(facts: EvidenceFacts, look: Look) -> str:
    """It for people."""
    signed = plural(len(facts.signed_by), "release key")
    needed = "" if facts.needed_count is None else f", {facts.needed_count} needed"
    pairs = [
        ("evidence", look.paint(escape(facts.path), Style.BOLD)),
        ("artifact", f"{escape(facts.artifact)}, sha256:{escape(facts.artifact_sha256)}"),
        *(
            ("" if number else "papers", f"{pad(each.kind, _KIND_CELLS)} {escape(each.name)}")
            for number, each in enumerate(facts.papers)
        ),
        ("signed by", f"{signed}{needed}"),
        *(("", escape(key_id)) for key_id in facts.signed_by),
    ]
    return listed(pairs, look)


def evidence_next(facts: EvidenceFacts) -> str:
    """What to do now, as one line; empty when there is nothing."""
    missing = 0 if facts.needed_count is None else facts.needed_count - len(facts.signed_by)
    if missing <= 0:
        return ""
    more = plural(missing, "more signature")
    return f"next: {more} of release keys: rollout release attach ARTIFACT --key KEY --root ROOT"
