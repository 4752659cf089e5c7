"""What the language says and this engine does not do yet: applying such a plan is refused.

Law: nothing that a plan says is silently left out. `NOT_RUN_YET` is the only list; a key leaves it
together with the code that runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.errors import PlanError, Where
from orchestrator.plan.gate import ProbeKind
from orchestrator.plan.resolved import ResolvedPlan

Says = Callable[[ResolvedPlan], bool]


def _asks(kind: ProbeKind) -> Says:
    return lambda plan: any(gate.probe.kind is kind for gate in plan.gates)


NOT_RUN_YET: Mapping[str, Says] = {}


def refuse_unready(plan: ResolvedPlan) -> None:
    """Refuses to start a plan that says more than the engine does.

    Raises:
        PlanError: names every such key.
    """
    keys = [f"`{key}`" for key, says in NOT_RUN_YET.items() if says(plan)]
    if not keys:
        return
    verb = "is" if len(keys) == 1 else "are"
    message = f"{', '.join(keys)} {verb} not run by this version, and nothing is left out silently"
    hint = "the plan can be previewed; to apply it, remove what is named"
    raise PlanError(message, hint=hint, where=Where(plan.plan_file), code="P219")
