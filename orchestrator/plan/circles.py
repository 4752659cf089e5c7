"""Plans of several files that require each other in a circle: none of them begins before another.

Law: files tell what plans want and not what devices run. Where devices run releases by now that
suffice, a circle keeps nobody waiting; so it is a warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.errors import Diagnostic, Severity, Where
from orchestrator.plan.model import Plan
from orchestrator.plan.requires import circle_words

CODE = "P940"
HINT = (
    "where devices run releases by now that suffice, this does not matter; otherwise take one "
    "`requires` out until that plan has run"
)

Circle = tuple[str, ...]


def circles(plans: Sequence[Plan], *, of: str | None = None) -> tuple[Diagnostic, ...]:
    """A warning for each circle among these plans, at the `requires` of the first plan in it.

    Args:
        plans: in the order in which they are looked at; of several with one name the first counts.
        of: only the circle of the plan with that name, at its own `requires`.
    """
    known: dict[str, Plan] = {}
    for plan in plans:
        known.setdefault(plan.name, plan)
    needs = {name: _needs(plan) for name, plan in known.items()}
    told: set[str] = set()
    findings = []
    for name in known if of is None else (of,):
        circle = () if name in told else _circle(name, needs)
        if circle:
            told.update(circle)
            where = known[name].controls.requires_where or known[name].where
            findings.append(_warning(where, circle))
    return tuple(findings)


def _needs(plan: Plan) -> tuple[str, ...]:
    return tuple(requirement.plan for requirement in plan.controls.requires)


def _circle(name: str, needs: Mapping[str, Sequence[str]]) -> Circle:
    """The shortest way from a plan back to itself; empty where there is none."""
    ways: list[Circle] = [(name,)]
    seen: set[str] = set()
    for way in ways:  # which grows meanwhile
        for needed in needs.get(way[-1], ()):
            if needed == name:
                return way
            if needed not in seen:
                seen.add(needed)
                ways.append((*way, needed))
    return ()


def _warning(where: Where, circle: Circle) -> Diagnostic:
    return Diagnostic(where, CODE, circle_words(circle), HINT, Severity.WARNING)
