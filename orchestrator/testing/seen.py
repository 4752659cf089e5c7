"""What the journal tells of a rollout, folded anew: shares no code with the engine.

`Books` is what every rule of `invariants`, `control_rules` and `evidence_rules` looks into.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.events import JournalEntry

STARTABLE = frozenset({"pending", "queued"})
STARTED = frozenset({"preflight", "transferring"})
WORKING = STARTED | {
    "staged", "activating", "rebooting", "verifying", "committing", "rolling_back", "uncertain",
}  # fmt: skip
FLYING = frozenset({"activating", "rebooting", "verifying", "rolling_back", "uncertain"})
COUNTED = frozenset({"failed", "rolled_back", "rollback_failed", "lost"})
GOOD = frozenset({"confirmed", "committing", "succeeded"})
TERMINAL = COUNTED | {"succeeded", "unchanged", "skipped", "cancelled"}


class InvariantBroken(AssertionError):  # noqa: N818  it reads as a fact
    """A rule that must always hold did not; says which and where."""


def expect(holds: bool, message: str, entry: JournalEntry) -> None:
    """What a rule asks for at a line of the journal.

    Raises:
        InvariantBroken: it does not hold.
    """
    if not holds:
        text = f"{message} (line {entry.seq}: {entry.type} {entry.device} {dict(entry.data)})"
        raise InvariantBroken(text)


def is_start(entry: JournalEntry) -> bool:
    """Whether a device is begun with: a slot was granted to it."""
    if entry.type != "device_state":
        return False
    return entry.data["from"] in STARTABLE and entry.data["to"] in STARTED


@dataclass(slots=True)
class Seen:
    """A device as the journal tells it."""

    wave: str
    state: str = "pending"
    attempt: int = 0
    reason: str = ""
    proven: bool = False
    dark: bool = False
    excused: bool = False
    returning: bool = False
    joined: bool = False
    deferrals: int = 0
    bound: int = 0  # of devices in flight, when this one was let go
    activations: list[str] = field(default_factory=list)
    allowed_again: bool = True


class Books:
    """Devices and waves of one rollout, counted anew whenever somebody asks.

    Args:
        plan: what it carries out.
        labels: of every device that is or may be in it.
    """

    def __init__(self, plan: ResolvedPlan, labels: Mapping[DeviceId, Mapping[str, str]]) -> None:
        self.plan = plan
        self.labels = labels
        self.waves = {wave.name: wave for wave in plan.waves}
        self.seen: dict[str, Seen] = {
            device: Seen(wave.name) for wave in plan.waves for device in wave.devices
        }
        self.planned = {wave.name: len(wave.devices) for wave in plan.waves}
        self.accepted: dict[str, int] = {}
        self.running = True
        self.returning = False
        self.touched = False  # an operator changed the rules: some bounds no longer hold
        self.done: set[str] = set()  # waves
        self.follow_until = math.inf  # deferred devices follow; infinite until they do

    @property
    def follows(self) -> bool:
        """Whether the last wave is over, and devices that were away follow."""
        return self.follow_until < math.inf

    def members(self, wave: str) -> Iterator[Seen]:
        """Devices of a wave."""
        return (seen for seen in self.seen.values() if seen.wave == wave)

    def counted(self, wave: str) -> int:
        """R6, anew."""
        return sum(
            (seen.state in COUNTED and not seen.excused) or seen.dark for seen in self.members(wave)
        )

    def allowed(self, name: str) -> int:
        """R6, anew."""
        if name in self.accepted:
            return self.accepted[name]
        wave = self.waves[name]
        gone = sum(seen.state in ("unchanged", "skipped") for seen in self.members(name))
        share = Fraction(wave.max_fail_share)
        by_share = (self.planned[name] - gone) * share.numerator // share.denominator
        if wave.max_failures is None:
            return by_share
        return min(by_share, wave.max_failures) if share else wave.max_failures
