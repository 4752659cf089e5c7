"""The published schemas, from the wheel or from a checkout."""

from __future__ import annotations

from pathlib import Path

import orchestrator
from orchestrator.errors import PlanError
from orchestrator.source import did_you_mean, shown

SUFFIX = ".v1.json"


def schema_names() -> tuple[str, ...]:
    """What there are schemas of, as `plan` and `events`."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in _place().glob(f"*{SUFFIX}")))


def schema_named(name: str) -> str:
    """The schema of one of these, as JSON.

    Raises:
        PlanError: there is none of that name.
    """
    names = schema_names()
    wanted = name.removesuffix(SUFFIX).removesuffix(".v1")
    if wanted not in names:
        message = f"there is no schema `{shown(name)}`{did_you_mean(wanted, list(names))}"
        raise PlanError(message, hint="`rollout schema` lists them", code="S131")
    return (_place() / f"{wanted}{SUFFIX}").read_text(encoding="utf-8")


def _place() -> Path:
    package = Path(orchestrator.__file__).parent
    shipped = package / "schemas"
    return shipped if shipped.is_dir() else package.parent / "schemas"
