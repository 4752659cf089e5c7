"""What speaks for the artifact of a plan, as lines of its preview."""

from __future__ import annotations

from collections import Counter

from orchestrator.plan.evidence import PlannedEvidence
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.render.limit_lines import labelled
from orchestrator.render.text import Look, Symbol, escape, plural
from orchestrator.render.words import instant

EXCUSED_MAX = 10


def evidence_lines(plan: ResolvedPlan, look: Look) -> list[str]:
    """Lines of what satisfied the operator's policy; none where no policy was satisfied."""
    found = plan.evidence
    if found is None:
        return []
    papers = Counter(each.kind for each in found.documents)
    words = ", ".join(f"{count} {kind}" for kind, count in papers.items())
    signed = f"signed by {plural(len(found.signed_by), 'release key')} {look.sign(Symbol.DONE)}"
    lines = labelled("Evidence", f"{words}, {signed}", look)
    if found.snapshots:
        lines += labelled("", _vulnerabilities(found), look)
    for each in found.excused[:EXCUSED_MAX]:
        lines += labelled("", f"excused: {escape(each, limit=200)}", look)
    if len(found.excused) > EXCUSED_MAX:
        lines += labelled("", f"and {len(found.excused) - EXCUSED_MAX} more excused", look)
    for builder in found.builders:
        lines += labelled("", f"built by {escape(builder, limit=200)}", look)
    for source in found.sources:
        lines += labelled("", f"from {escape(source, limit=200)}", look)
    return lines


def _vulnerabilities(found: PlannedEvidence) -> str:
    parts = plural(found.components_count, "component")
    oldest = min(each.made_at for each in found.snapshots)
    listed = "nothing is listed that is not excused"
    return f"{parts} looked up as known on {instant(oldest)}: {listed}"
