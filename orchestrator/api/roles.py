"""Who may do what, where the operator's configuration has `[roles]`; without it everybody may all.

Laws:
1. Stopping is free: pausing, halting, aborting, rolling back, denying, freezing and looking need no
   role, ever. To take what the store or the devices say elsewhere, to show it, is more than looking.
   Who only makes files that devices judge by other keys than that of a role (artifacts) needs none.
2. A role that names nobody is nobody's, and to break the glass is everywhere nobody's who is not named.
3. A person is a login name, as surely as the accounts are kept; where approvals or commits are
   signed, it is the principal of the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestrator.api.owners import person
from orchestrator.api.values import Settings
from orchestrator.errors import PlanError
from orchestrator.rollout.approving import person_of


class Role(StrEnum):
    """What a person may do; a stable interface (configuration)."""

    AUTHOR = "author"  # sign commits that rollouts start from
    APPROVER = "approver"  # approve plans and waves
    RELEASER = "releaser"  # make and sign roots, tickets and evidence, which are judged by keys
    OPERATOR = "operator"  # start rollouts, bring them on, enrol devices and vouch for them
    BREAK_GLASS = "break-glass"  # go on without missing approvals; nobody has it unless named
    AUDITOR = "auditor"  # sign what the journals are, and take them elsewhere


# By what is done; a person needs one of the roles. What is not here needs none.
ROLES_OF: Mapping[str, tuple[Role, ...]] = {
    "apply": (Role.OPERATOR,),
    "resume": (Role.OPERATOR,),
    "promote": (Role.OPERATOR,),
    "retry": (Role.OPERATOR,),
    "join": (Role.OPERATOR,),  # `apply` and `resume` take in devices of a fleet that has grown
    "unfreeze": (Role.OPERATOR,),
    "ca init": (Role.OPERATOR,),
    "ca sign-host": (Role.OPERATOR,),
    "ca sign-user": (Role.OPERATOR,),
    "device enroll": (Role.OPERATOR,),
    "device bundle": (Role.OPERATOR,),
    "device pin": (Role.OPERATOR,),
    "device release": (Role.OPERATOR,),
    "device adopt": (Role.OPERATOR,),
    "device root": (Role.OPERATOR,),
    "device unhold": (Role.OPERATOR,),
    "device shell": (Role.OPERATOR, Role.BREAK_GLASS),
    "device fetch": (Role.OPERATOR, Role.BREAK_GLASS),
    "device attest": (Role.AUDITOR, Role.OPERATOR),
    "approve": (Role.APPROVER,),
    "break-glass": (Role.BREAK_GLASS,),
    "root init": (Role.RELEASER,),
    "root add": (Role.RELEASER,),
    "root rotate": (Role.RELEASER,),
    "root sign": (Role.RELEASER,),
    "release create": (Role.RELEASER,),
    "release attach": (Role.RELEASER,),
    "release sign": (Role.RELEASER,),
    "release evidence": (Role.AUDITOR, Role.OPERATOR),
    "report": (Role.AUDITOR, Role.OPERATOR),
    "audit checkpoint": (Role.AUDITOR, Role.OPERATOR),
    "state migrate": (Role.OPERATOR,),
    "state export": (Role.AUDITOR, Role.OPERATOR),
    "state backup": (Role.AUDITOR, Role.OPERATOR),
}


def has_role(settings: Settings, who: str, *roles: Role) -> bool:
    """Whether a person has one of the roles, or needs none."""
    if not settings.roles:
        return any(role is not Role.BREAK_GLASS for role in roles)
    names = dict(entry.split("=", 1) for entry in settings.roles)
    return any(role in names and who in names[role].split(",") for role in roles)


def require_role(settings: Settings, what: str) -> None:
    """Refuses what this user has no role for; `what` is a key of `ROLES_OF`.

    Raises:
        PlanError: names the roles.
    """
    who, roles = person_of(person()), ROLES_OF[what]
    if not has_role(settings, who, *roles):
        raise without_role(who, *roles)


def without_role(who: str, *roles: Role) -> PlanError:
    """The error of a person who has none of the roles."""
    named = " or ".join(f"`{role}`" for role in roles)
    message = f"`{who}` has not the role {named}, which this needs"
    hint = "`[roles]` of the operator's own configuration says who has it; stopping and rolling back need none"
    return PlanError(message, hint=hint, code="S220")
