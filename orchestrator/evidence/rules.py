"""One code for each reason why evidence does not count, and where in which file.

The codes are a stable interface; docs/reference/evidence.md explains each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.errors import Diagnostic, Where
from orchestrator.evidence.strict_json import Document, Path, line_of, places

EXCERPT_CHARACTERS_MAX = 400  # of a line; files that programs write may be one line
PROBLEMS_MAX = 200  # so many are shown; more help nobody


class EvidenceRule(StrEnum):
    """The rule that something breaks."""

    # files
    FILE = "E100"
    JSON = "E101"
    TWICE = "E102"
    FIELD = "E103"
    FORMAT = "E104"
    # what the release keys say that belongs to the artifact
    NO_STATEMENT = "E110"
    STATEMENT = "E111"
    SIGNATURES = "E112"
    SUBJECT = "E113"
    DOCUMENT = "E114"
    # SBOM
    NO_SBOM = "E120"
    SBOM_SUBJECT = "E121"
    SBOM_EMPTY = "E122"
    UNMATCHED = "E123"
    # vulnerabilities
    LISTED = "E130"
    AFFECTED = "E131"
    VEX_VOID = "E132"
    IN_DOUBT = "E133"
    SNAPSHOT_DATE = "E134"
    SNAPSHOT = "E135"
    # provenance
    NO_PROVENANCE = "E140"
    PROVENANCE_SIGNATURE = "E141"
    PROVENANCE_SUBJECT = "E142"
    BUILDER = "E143"
    SOURCE = "E144"
    PROVENANCE_FORM = "E145"
    # the policy
    POLICY = "E150"
    POLICY_PLACE = "E151"
    POLICY_KEYS = "E152"


@dataclass(frozen=True, slots=True)
class Problem:
    """A broken rule: where in a document, or at another place."""

    rule: EvidenceRule
    message: str
    hint: str = ""
    document: Document | None = None
    path: Path = ()
    where: Where | None = None


def diagnostics(problems: Iterable[Problem]) -> tuple[Diagnostic, ...]:
    """The problems with file and line. Cost: one walk through each document that has some."""
    shown = list(problems)[:PROBLEMS_MAX]
    wanted: dict[int, tuple[Document, set[Path]]] = {}
    for one in shown:
        if one.document is not None:
            wanted.setdefault(id(one.document), (one.document, set()))[1].add(one.path)
    found = {key: places(document, paths) for key, (document, paths) in wanted.items()}
    return tuple(_diagnostic(one, found.get(id(one.document), {})) for one in shown)


def _diagnostic(one: Problem, found: Mapping[Path, Where]) -> Diagnostic:
    if one.document is None:
        where, excerpt = one.where or Where(""), ""
    else:
        where = found[one.path]
        excerpt = line_of(one.document, where.line)[:EXCERPT_CHARACTERS_MAX]
    return Diagnostic(where, str(one.rule), one.message, one.hint, excerpt=excerpt)
