"""The story of one device, as views take it."""

from __future__ import annotations

from orchestrator import api
from orchestrator.render.standing import go_on
from orchestrator.render.why import WhyFacts


def why_facts(told: api.Why) -> WhyFacts:
    """What is told of a device."""
    status = told.status
    return WhyFacts(
        status.rollout_id, told.story, told.journal, status.now, status.engine, go_on(status.story)
    )
