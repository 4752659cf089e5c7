"""Who may approve: people by login name with their roles, from the operator's configuration.

It says who somebody is only as surely as the account and the store are kept: whoever can write
into the store can write any name there.
"""

from __future__ import annotations

from orchestrator.api.values import Settings
from orchestrator.errors import PlanError


def roles_of(settings: Settings, person: str) -> tuple[str, ...]:
    """The roles of a person.

    Raises:
        PlanError: the configuration does not know this person.
    """
    for entry in settings.people:
        name, _, roles = entry.partition("=")
        if name == person:
            return tuple(role for role in roles.split(",") if role)
    message = f"`{person}` is not among the people who may approve"
    hint = f'name who may in your own configuration: `people = ["{person}=ROLE,ROLE"]`'
    raise PlanError(message, hint=hint, code="S208")
