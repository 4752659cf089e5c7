"""How a simulation ended: well, or with a rule that did not hold."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.errors import ExitCode
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import RolloutState
from orchestrator.testing.faults import Fault
from orchestrator.testing.seen import InvariantBroken


class SimulationFailed(InvariantBroken):
    """A seed under which a rule did not hold.

    Attributes:
        seed: that one.
        rule: what did not hold.
        faults: what struck until then: the same list fails again.
        journal: of the rollout that broke it.
    """

    def __init__(
        self,
        seed: int,
        rule: str,
        faults: tuple[Fault, ...],
        journal: tuple[JournalEntry, ...] = (),
    ) -> None:
        super().__init__(f"{rule} - repeat with: python -m orchestrator.testing --seed {seed}")
        self.seed = seed
        self.rule = rule
        self.faults = faults
        self.journal = journal


@dataclass(frozen=True, slots=True)
class Report:
    """How a simulation ended; states and exit codes by rollout.

    `journal` is for comparing two runs; `faults` are those planned and those that struck on the
    way, `struck` only the latter.
    """

    seed: int
    exit_codes: tuple[ExitCode, ...]
    states: tuple[RolloutState, ...]
    devices: int
    engines: int
    turns: int
    virtual_s: float
    journal: tuple[JournalEntry, ...]
    faults: tuple[Fault, ...]
    struck: tuple[Fault, ...]
