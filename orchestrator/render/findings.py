"""What a preview has to say against a plan, as findings like those of `validate`.

Risks are warnings. What `apply` would refuse is an error.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import Diagnostic, OrchestratorError, Severity, Where
from orchestrator.plan.preview import Preview


def preview_findings(
    preview: Preview,
    refusals: Sequence[OrchestratorError] = (),
    of_inventory: Sequence[Diagnostic] = (),
) -> tuple[Diagnostic, ...]:
    """Errors first, then risks, then what is odd in the inventory.

    Args:
        preview: the facts.
        refusals: why `apply` would refuse the plan.
        of_inventory: findings with places of their own.
    """
    file = preview.plan.plan_file
    errors = refusal_findings(refusals, file)
    risks = [
        Diagnostic(
            Where(file, risk.line, 1 if risk.line else 0),
            risk.code or "P000",
            risk.message,
            severity=Severity.WARNING,
        )
        for risk in preview.risks
    ]
    return (*errors, *risks, *of_inventory)


def refusal_findings(errors: Sequence[OrchestratorError], file: str) -> tuple[Diagnostic, ...]:
    """Errors as findings: all that one carries, or itself, at its place or at `file`."""
    found: list[Diagnostic] = []
    for error in errors:
        itself = Diagnostic(
            error.where or Where(file), error.code or "P000", error.message, error.hint
        )
        found += getattr(error, "diagnostics", ()) or (itself,)
    return tuple(found)
