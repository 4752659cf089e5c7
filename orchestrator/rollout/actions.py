"""What must be going on now: the actions a rollout wants, as data.

Laws:
1. An action is identified by its `key`; wanting it twice is wanting it once.
2. Every action may be repeated: the device answers from its record (same `txn` and verb).
3. An action carries no address, clock or secret; the executor has the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.device.model import DeviceId


class Work(StrEnum):
    """Kinds of work on one device."""

    PREFLIGHT = "preflight"  # health checks before anything is sent
    DELIVER = "deliver"  # connect, look, stage, verify, install; then stand ready for the go
    ACTIVATE = "activate"  # give the go (over the waiting delivery, or anew); point of no return
    KEEP = "keep"  # let a delivery that stands ready be, for a later activation
    PROVE = "prove"  # over a new connection: read back, health checks, nonce
    CONFIRM = "confirm"  # disarm the dead-man
    COMMIT = "commit"  # make permanent
    ROLL_BACK = "roll_back"
    INQUIRE = "inquire"  # outcome unknown: ask the device where it stands
    READ_BACK = "read_back"  # fresh evidence at the end of a soak, and samples of later checks


@dataclass(frozen=True, slots=True)
class DeviceAction:
    """Work on one device within one attempt (`txn`).

    `round` tells repeats of PROVE, INQUIRE and READ_BACK apart. `checks` are names of health
    checks to run; `nonce` is the commit nonce that the last proof brought. `fresh`: a delivery
    of which nothing can be on the device yet.
    """

    work: Work
    device: DeviceId
    txn: str
    round: int = 0
    checks: tuple[str, ...] = ()
    nonce: str = ""
    timeout_s: float = 60.0
    fresh: bool = False

    @property
    def key(self) -> str:
        """Stable identity."""
        return f"{self.device}/{self.txn}/{self.work}/{self.round}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Times in the past, of which each wants a sample: the first, their distance, their number."""

    start_at: float
    step_s: float
    count: int


@dataclass(frozen=True, slots=True)
class GateAction:
    """One sample of a controller-side gate; `device` is set for gates of stage `device`.

    `missed` are samples of the past that are wanted with it.
    """

    gate: int  # index into the plan's gates
    wave: int
    round: int
    device: DeviceId | None = None
    timeout_s: float = 30.0
    missed: Stretch | None = None

    @property
    def key(self) -> str:
        """Stable identity."""
        return f"gate-{self.gate}/{self.wave}/{self.device or ''}/{self.round}"


Action = DeviceAction | GateAction
