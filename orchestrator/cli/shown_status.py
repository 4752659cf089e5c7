"""A rollout's status as renderers take it."""

from __future__ import annotations

from orchestrator.api import Status
from orchestrator.render.standing import Facts


def facts_of(status: Status) -> Facts:
    """What is shown of a rollout."""
    return Facts(status.resolved, status.digest, status.story, status.engine, status.frozen)
