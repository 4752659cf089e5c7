"""What people are told of evidence beside what they asked for."""

from __future__ import annotations

from orchestrator import api
from orchestrator.cli.session import Session
from orchestrator.cli.streams import say
from orchestrator.render.diagnostics import error_text
from orchestrator.render.evidence import EvidenceFacts, evidence_next
from orchestrator.render.text import escape


def say_unevidenced(session: Session, prepared: api.Prepared) -> None:
    """Says it on stderr, where a policy asks for evidence and it is not good enough."""
    if prepared.unevidenced is not None:
        say("`rollout apply` would refuse this, by the evidence for its artifact:")
        say(error_text(prepared.unevidenced, session.err).rstrip())


def say_attached(session: Session, facts: EvidenceFacts) -> None:
    """Says what was bound, and who has to sign for it too."""
    if session.quiet:
        return
    names = ", ".join(escape(each.name) for each in facts.papers)
    say(f"bound to {escape(facts.artifact)} by {escape(facts.path)}: {names}")
    if then := evidence_next(facts):
        say(then)
