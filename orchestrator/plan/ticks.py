"""What an engine that comes only now and then does not see.

Source: rollout-rules R10 ("a plan whose gates cannot is warned about when the tick is longer than
their interval").
"""

from __future__ import annotations

from orchestrator.plan.gate import Gate, ProbeKind, Stage
from orchestrator.plan.resolved import ResolvedPlan, Risk
from orchestrator.units import format_duration

# Of what these say now nobody can be asked later. The rollout's own counts stand still between
# ticks, and devices are checked only in soaks, for which an engine stays.
_FORGOTTEN_KINDS = frozenset({
    ProbeKind.HTTP, ProbeKind.COMMAND, ProbeKind.TCP, ProbeKind.PLUGIN,
})  # fmt: skip


def rarely_asked(plan: ResolvedPlan, tick_s: float | None) -> tuple[Risk, ...]:
    """Risks of gates that are to be asked more often than an engine comes.

    Args:
        plan: its background gates are meant, for others are asked by an engine at work.
        tick_s: seconds from one pass of `reconcile` to the next; None where nobody said.
    """
    if tick_s is None:
        return ()
    return tuple(_risk(gate, tick_s) for gate in plan.gates if _misses(gate, tick_s))


def _misses(gate: Gate, tick_s: float) -> bool:
    decides = gate.stage is Stage.BACKGROUND and not gate.dry_run
    return decides and gate.probe.kind in _FORGOTTEN_KINDS and tick_s > gate.interval_s


def _risk(gate: Gate, tick_s: float) -> Risk:
    message = (
        f"gate `{gate.name}` is to be asked every {format_duration(gate.interval_s)}, and while "
        f"the rollout waits an engine comes every {format_duration(tick_s)}: what a "
        f"`{gate.probe.kind}` gate would have said between is lost; raise its `interval`, "
        "reconcile more often, or let `apply --wait` stay"
    )
    return Risk("P927", message)
