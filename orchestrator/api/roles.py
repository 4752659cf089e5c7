"""Who may do what, where the operator's configuration has `[roles]`; without it everybody may all.

Laws:
1. Stopping is free: pausing, halting, aborting, rolling back, denying, freezing and looking need no
   role, ever.
2. A role that names nobody is nobody's.
3. A person is a login name, as surely as the accounts are kept; where approvals or commits are
   signed, it is the principal of the key.
"""

from __future__ import annotations

from enum import StrEnum

from orchestrator.api.owners import person
from orchestrator.api.values import Settings
from orchestrator.errors import PlanError
from orchestrator.rollout.approving import person_of
from orchestrator.rollout.events import Ask


class Role(StrEnum):
    """What a person may do; a stable interface (configuration)."""

    AUTHOR = "author"  # sign commits that rollouts start from
    APPROVER = "approver"  # approve plans and waves
    RELEASER = "releaser"  # sign releases, which devices judge by keys
    OPERATOR = "operator"  # start rollouts, bring them on, enrol devices
    AUDITOR = "auditor"  # look, as everybody may


ROLE_OF_ASK = {
    Ask.RESUME: Role.OPERATOR,
    Ask.PROMOTE: Role.OPERATOR,
    Ask.RETRY: Role.OPERATOR,
    Ask.JOIN: Role.OPERATOR,
    Ask.APPROVE: Role.APPROVER,
}


def has_role(settings: Settings, who: str, role: Role) -> bool:
    """Whether a person has a role, or needs none."""
    if not settings.roles:
        return True
    names = dict(entry.split("=", 1) for entry in settings.roles)
    return role in names and who in names[role].split(",")


def require_role(settings: Settings, role: Role) -> None:
    """Refuses what this user has not the role for.

    Raises:
        PlanError: names the role.
    """
    who = person_of(person())
    if not has_role(settings, who, role):
        raise without_role(who, role)


def without_role(who: str, role: Role) -> PlanError:
    """The error of a person who has not a role."""
    message = f"`{who}` has not the role `{role}`, which this needs"
    hint = "`[roles]` of the operator's own configuration says who has it; stopping and rolling back need none"
    return PlanError(message, hint=hint, code="S220")
