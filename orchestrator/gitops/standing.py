"""Where a controller that follows a branch stands: facts for its status, its health and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.gitops.plans import Trouble
from orchestrator.gitops.record import Record
from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.states import TERMINAL_ROLLOUT, RolloutState

_BAD = frozenset({
    RolloutState.HALTED, RolloutState.ABORTED, RolloutState.ROLLED_BACK, RolloutState.FAILED,
    RolloutState.REJECTED, RolloutState.EXPIRED,
})  # fmt: skip


class Part(StrEnum):
    """What this process is among those on one store."""

    ACTIVE = "active"
    STANDBY = "standby"  # another one has the lease
    STOPPED = "stopped"
    DONE = "done"  # it made the one pass that it was to make, and ended


class Health(StrEnum):
    """The words that Argo CD has for an application."""

    HEALTHY = "healthy"
    PROGRESSING = "progressing"
    DEGRADED = "degraded"
    SUSPENDED = "suspended"
    UNKNOWN = "unknown"  # nothing was looked at yet, there is no plan, or another process looks


@dataclass(frozen=True, slots=True)
class RolloutStanding:
    """A rollout that a plan of the branch has, or that was advanced.

    `plan` is its file seen from the repository; empty where the branch did not start it.
    """

    rollout_id: str
    name: str
    state: str
    exit_code: int
    plan: str = ""
    waits_for: tuple[str, ...] = ()
    until: Mapping[str, float] = field(default_factory=dict)
    engine: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is so after a pass, in UTC seconds.

    Attributes:
        holder: who has the lease, where this process has not.
        offered: what the branch names now; empty where that is not known.
        refusal: why the offered commit is not taken; empty where it is.
        trouble: why the branch could not be looked at, or its commit not be used.
        plans: the plans of the taken commit that could not be applied, and why.
        unplanned: the pattern of plans, where no file of the taken commit is one.
        frozen: the freeze that suspends everything.
        passed_at: when the last pass ended that went well.
    """

    at: float
    part: Part
    record: Record
    holder: str = ""
    offered: str = ""
    refusal: str = ""
    trouble: Trouble | None = None
    plans: Mapping[str, Trouble] = field(default_factory=dict)
    rollouts: tuple[RolloutStanding, ...] = ()
    frozen: FleetFreeze | None = None
    passed_at: float | None = None
    unplanned: str = ""

    @property
    def health(self) -> Health:
        """One word for all of it; what wants a person comes first."""
        if self.part not in (Part.ACTIVE, Part.DONE):
            return Health.UNKNOWN
        bad = any(one.error or one.state in _BAD for one in self.rollouts)
        if self.refusal or self.trouble is not None or self.plans or bad:
            return Health.DEGRADED
        if self.frozen is not None:
            return Health.SUSPENDED
        if any(one.state not in TERMINAL_ROLLOUT for one in self.rollouts):
            return Health.PROGRESSING
        looked = self.record.taken and not self.unplanned
        return Health.HEALTHY if looked else Health.UNKNOWN

    @property
    def exit_codes(self) -> tuple[int, ...]:
        """The codes of all that this pass met."""
        codes = [one.exit_code for one in (self.trouble, *self.plans.values()) if one is not None]
        return (*codes, *(one.exit_code for one in self.rollouts), *([1] if self.refusal else []))
