"""Circles of `requires` among plan files, whether any of them was applied or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.project import plans_of, read_file
from orchestrator.errors import Diagnostic, PlanError
from orchestrator.source.text import SourceText

if TYPE_CHECKING:
    from orchestrator.plan.model import Plan

_REQUIRES = b"requires"  # a file without it is in no circle


def circles_in(files: Iterable[Path], *, of: Path | None = None) -> tuple[Diagnostic, ...]:
    """A warning for each circle among the plans of these files; what is no plan is in none.

    Args:
        files: in the order in which they are looked at.
        of: only the circle of this one.
    """
    from orchestrator.plan.circles import circles

    read = {file: found for file in files if (found := _with_requires(file)) is not None}
    if of is not None and of not in read:
        return ()
    plans = [plan for plan, _source in read.values()]
    sources = {str(file): source for file, (_plan, source) in read.items()}
    name = None if of is None else read[of][0].name
    return tuple(
        replace(one, excerpt=sources[one.where.file].line(one.where.line))
        for one in circles(plans, of=name)
    )


def circle_beside(file: Path, plan: Plan) -> tuple[Diagnostic, ...]:
    """A warning where a plan and others in its directory require each other."""
    if not plan.controls.requires:
        return ()
    try:
        beside = [other for other in plans_of(file.parent) if other.name != file.name]
    except PlanError:  # the plan itself was read, and has another ending, or lies in a closed place
        return ()
    return circles_in((file, *beside), of=file)


def _with_requires(file: Path) -> tuple[Plan, SourceText] | None:
    """A plan that may require others, and its file."""
    from orchestrator.plan.parse import parse_plan

    try:
        data = read_file(file)
        plan = parse_plan(data, file=str(file)) if _REQUIRES in data else None
    except PlanError:
        return None
    return None if plan is None else (plan, SourceText(str(file), data.decode()))
