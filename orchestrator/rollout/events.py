"""What happened: the only way in which time and the world enter a rollout.

Laws:
1. `at` is UTC seconds of the engine's clock, which never goes back within a process.
2. An event that a rollout does not wait for changes nothing (duplicates, late reports).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import FailureClass, Reason
from orchestrator.rollout.around import Surroundings

if TYPE_CHECKING:  # what only asks for something need not load the machine
    from orchestrator.device.protocol import CheckResult
    from orchestrator.plan.joiners import Joiner
    from orchestrator.rollout.actions import Work

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one action ended. `detail` is untrusted text of at most 1 KiB."""

    reason: Reason
    detail: str = ""

    @property
    def ok(self) -> bool:
        """True only for an action that did what it should."""
        return self.reason is Reason.OK


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """The state fields of a reply, typed (docs/reference/device-protocol.md, "Fields of state").

    `txn_state` is the state of the transaction that was asked for, if the reply had one.
    """

    state: str
    txn: str
    artifact: str
    manifest: str
    active: str  # yes, no, unknown
    boot_id: str
    txn_state: str = ""
    previous_manifest: str = ""
    reverted: str = ""
    commit_nonce: str = ""
    deadline_left_s: float | None = None


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who signed what a proof says: fingerprint of the host's `key`; "" where nobody did, and why."""

    key: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class DeviceReported:
    """An action on a device ended, or reached `ready` (DELIVER with outcome OK).

    `reached` tells whether the device had answered at all: a DELIVER that fails with
    `reached=False` never started (R7). `rebooting` is set by ACTIVATE where a reboot follows.
    `vouched` is there where a proof was to be signed.
    """

    at: float
    device: DeviceId
    txn: str
    work: Work
    outcome: Outcome
    round: int = 0
    reached: bool = True
    status: DeviceStatus | None = None
    checks: tuple[CheckResult, ...] = ()
    rebooting: bool = False
    sent_bytes: int = 0
    vouched: Vouched | None = None


@dataclass(frozen=True, slots=True)
class PastSample:
    """What a gate would have found at a time in the past; without data where nothing is known."""

    at: float
    fields: Mapping[str, Value] = field(default_factory=dict)
    series: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateSampled:
    """One sample of a gate: the fields its conditions may use, or the error that prevented it.

    `series` are values by device, of a query that gives one for each. `past` are the samples of
    the past that were wanted with it, as far as there are any; None where none were wanted.
    """

    at: float
    gate: int
    wave: int
    round: int
    device: DeviceId | None = None
    fields: Mapping[str, Value] = field(default_factory=dict)
    error: str = ""
    series: Mapping[str, float] = field(default_factory=dict)
    past: tuple[PastSample, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""

    at: float


@dataclass(frozen=True, slots=True)
class EngineStarted:
    """An engine took the rollout over with a new epoch: what it had in flight is unknown now."""

    at: float
    epoch: int
    around: Surroundings = field(default_factory=Surroundings)


@dataclass(frozen=True, slots=True)
class LookedAround:
    """The engine found something else around the rollout than before."""

    at: float
    around: Surroundings


@dataclass(frozen=True, slots=True)
class EngineStopping:
    """The engine goes down in order: nothing new starts, what is past recall finishes.

    `told`: a person told it to; otherwise it only leaves a rollout that one paused.
    """

    at: float
    told: bool = True


class Ask(StrEnum):
    """What an operator may ask of a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    HALT = "halt"
    ABORT = "abort"
    PROMOTE = "promote"
    RETRY = "retry"
    ROLLBACK = "rollback"
    APPROVE = "approve"
    DENY = "deny"
    BREAK_GLASS = "break_glass"  # go on without the approvals that are missing
    JOIN = "join"  # devices that joined the fleet after the plan was made
    SUPERSEDE = "supersede"  # asked by a newer rollout


class TakeBack(StrEnum):
    """What an abort takes back, once what is in flight has finished."""

    NONE = "none"  # what is committed stays
    WAVE = "wave"  # the present wave
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature that was verified says: who approves what.

    Attributes:
        key: fingerprint of the key.
        plan_sha256: digest of the resolved plan.
        targets_sha256: digest of which devices stand in which wave.
        wave: the wave; empty for the start of the rollout.
        made_at: UTC seconds.
    """

    key: str
    plan_sha256: str
    targets_sha256: str
    wave: str
    made_at: int


@dataclass(frozen=True, slots=True)
class OperatorAsked:
    """An operator's request, journalled with who and why.

    `accept_failures` goes with RESUME of a halted rollout; `devices` (empty: all that fit) with
    RETRY and ROLLBACK; `wave` with ROLLBACK (None: all), PROMOTE (None: the present one), APPROVE
    and DENY (None: what is waited for); BREAK_GLASS is as APPROVE, and `why` is its reason; `only` with RETRY; `take_back` with ABORT; `full` with
    PROMOTE: later soaks too. APPROVE and DENY are for the plan of that `digest`, by a person who
    has these `roles`, who saw the devices of the digest `targets` in their waves; where approvals are signed, the `statement` and its `signature` come with
    it, and who reads them sets `signed`, or the `problem` for which they do not count. JOIN names
    the `joiners` with all that is to be known of them.
    """

    at: float
    ask: Ask
    who: str
    why: str = ""
    request: int = 0
    accept_failures: bool = False
    devices: tuple[DeviceId, ...] = ()
    wave: str | None = None
    only: FailureClass | None = None
    take_back: TakeBack = TakeBack.NONE
    full: bool = False
    digest: str = ""
    roles: tuple[str, ...] = ()
    targets: str = ""
    statement: str = ""
    signature: str = ""
    signed: Signed | None = None
    problem: str = ""
    joiners: Mapping[DeviceId, Joiner] = field(default_factory=dict)


Event = (
    DeviceReported
    | GateSampled
    | Tick
    | EngineStarted
    | EngineStopping
    | LookedAround
    | OperatorAsked
)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the append-only audit; `type` and the keys of `data` are a stable interface.

    Types: rollout_started, engine_started, engine_stopping, wave_started, device_state,
    device_read_back, gate_result, budget, waiting, superseding, paused, resumed, halted,
    soak_started, wave_done, catching_up, rollback_started, operator, approval, break_glass,
    devices_joined, warning, rollout_done. `seq` is gapless per rollout and starts at 1.
    """

    seq: int
    at: float
    type: str
    wave: str = ""
    device: str = ""
    data: Mapping[str, Value | list[Value]] = field(default_factory=dict)
