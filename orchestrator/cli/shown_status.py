"""A rollout's status as renderers take it."""

from __future__ import annotations

from orchestrator.api import Status
from orchestrator.render.standing import Facts


def facts_of(status: Status) -> Facts:
    """What is shown of a rollout."""
    plan, story = status.resolved, status.story
    return Facts(
        plan, status.digest, story, status.engine, status.now, status.frozen, status.controller
    )
