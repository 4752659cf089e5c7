"""A resolved plan: every choice made, every limit in seconds, bytes and counts.

What crosses from planning to execution. Identified by its digest (RFC 8785 canonical JSON,
`plan.digest`); the same bytes are saved by `preview --out`, stored at start and run by `apply`.

Laws:
1. A device stands in exactly one wave or in `skipped`, never in both.
2. No clock, randomness, file or variable is needed to run it; text has been rendered.
3. It holds no secrets: key files are paths, values come from plan and inventory only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from orchestrator.device.model import Address, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.controls import (
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    Approval,
    Budget,
    Burst,
    Hook,
    HookEvent,
    LateJoiners,
    OfflinePolicy,
    OnConflict,
    OnFailure,
    Order,
    Rate,
    RateIncrease,
    Requirement,
    RequirePer,
    Rollback,
    RollbackOrder,
    RollbackScope,
)
from orchestrator.plan.evidence import PlannedDocument, PlannedEvidence, PlannedSnapshot
from orchestrator.plan.gate import (
    Compare,
    CompareTest,
    CompareTo,
    Direction,
    Gate,
    OnNoData,
    Probe,
    ProbeKind,
    Stage,
    StatName,
)
from orchestrator.plan.risk import Risk
from orchestrator.plan.schedule import DeadlineAction, Freeze, Schedule, Window
from orchestrator.plan.tickets import PlannedOpening, PlannedTicket, PlannedTrust, TicketProof

__all__ = [
    "OFFLINE_FOR_S_DEFAULT",
    "PRIORITY_DEFAULT",
    "PRIORITY_MAX",
    "Approval",
    "Budget",
    "Burst",
    "Compare",
    "CompareTest",
    "CompareTo",
    "Covered",
    "DeadlineAction",
    "Direction",
    "Freeze",
    "Gate",
    "Hook",
    "HookEvent",
    "LateJoiners",
    "OfflinePolicy",
    "OnConflict",
    "OnFailure",
    "OnNoData",
    "Order",
    "PlannedArtifact",
    "PlannedCommit",
    "PlannedDevice",
    "PlannedDocument",
    "PlannedEvidence",
    "PlannedOpening",
    "PlannedSnapshot",
    "PlannedTicket",
    "PlannedTrust",
    "Probe",
    "ProbeKind",
    "Rate",
    "RateIncrease",
    "RequirePer",
    "Requirement",
    "ResolvedPlan",
    "ResolvedWave",
    "Retries",
    "Risk",
    "Rollback",
    "RollbackOrder",
    "RollbackScope",
    "Schedule",
    "Skipped",
    "Stage",
    "StatName",
    "TicketProof",
    "Timeouts",
    "Window",
]  # fmt: skip

# Rises with the fields, by the rule of docs/reference/state.md ("Versions"); a test compares the
# fields with those recorded for it. 1.1 added the fields of
# the whole language, `inventory` and `choice_sha256`.
FORMAT_VERSION = "1.1"
COMPONENT_DEFAULT = "main"
_COMPONENT = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
OFFLINE_FOR_S_DEFAULT = 14 * 86400.0


def component_problem(name: str) -> tuple[str, str] | None:
    """What is wrong with the name of a component, with a hint."""
    if _COMPONENT.fullmatch(name):
        return None
    hint = "lower-case letters, digits and `-`, at most 32, as `modem`"
    return f"`component` names a part of the device, not `{name}`", hint


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Deadlines of the steps of a device, in seconds; `confirm_s` is computed (R17)."""

    connect_s: float = 10.0
    transfer_s: float = 1800.0
    install_s: float = 600.0
    reboot_s: float = 300.0
    lost_after_s: float = 900.0
    drain_s: float = 900.0
    confirm_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Retries:
    """Repeats before the point of no return; `classes` are `connect` and `transfer`."""

    count: int = 2
    delay_s: float = 10.0
    backoff: float = 2.0
    classes: tuple[str, ...] = ("connect", "transfer")


@dataclass(frozen=True, slots=True)
class Covered:
    """A device that a wave took beyond its size, to have this value of a label (R5)."""

    device: DeviceId
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class ResolvedWave:
    """One wave with its devices in order and its limits.

    `max_failures` and `max_fail_share`: the smaller allowance counts (R6); `window` trips beside
    them. `hosts` is the pattern that claimed its devices, "" where the order chose them. `capped`
    tells that it gave a device away (R2), `covered` what it took beyond its size (R5).
    `deadline_s` counts from the wave's start.
    """

    name: str
    size_text: str
    devices: tuple[DeviceId, ...]
    soak_s: float = 0.0
    max_parallel: int = 50
    slow_start: bool = True
    max_failures: int | None = None
    max_fail_share: Fraction = Fraction(0)
    max_unreachable_share: Fraction = Fraction(0)
    backfill_limit: int = 0
    notes: tuple[str, ...] = ()
    hosts: str = ""
    capped: bool = False
    covered: tuple[Covered, ...] = ()
    window: Burst | None = None
    approval: Approval | None = None
    deadline_s: float | None = None
    deadline_action: DeadlineAction = DeadlineAction.HALT


@dataclass(frozen=True, slots=True)
class PlannedDevice:
    """A device as the plan knows it; `current` is the artifact it ran at preview, if asked.

    `keeps_previous` tells whether its update module can still go back after commit (R17).
    `timezone` is the inventory's, for windows in the zone of the device; "" where none is given.
    `trust` is there where it has a trust root, and was asked. `signs` is the kind of the host key
    with which it signs reports; "" where it cannot, or was not asked.
    """

    address: Address
    labels: Mapping[str, str] = field(default_factory=dict)
    current: str | None = None
    current_manifest: str | None = None
    keeps_previous: bool = True
    timezone: str = ""
    trust: PlannedTrust | None = None
    signs: str = ""

    @property
    def may_ask_for_ticket(self) -> bool:
        """Whether a ticket binds it: it has a trust root, or nobody knows whether it has one."""
        return self.trust is not None or self.current is None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A device left out up front, with its reason (R1)."""

    device: DeviceId
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PlannedArtifact:
    """The one artifact of a plan. `path` is as written in the plan; digests identify it.

    `transfer_bytes` is all that a device is sent; a `ticket` is part of it. `follows` are the
    artifacts of which a device must run one to take it; empty: whatever it runs.
    """

    path: str
    name: str
    sha256: str
    manifest_sha256: str
    payload_type: str
    device_types: tuple[str, ...]
    size_bytes: int
    transfer_bytes: int
    signed_by: str = ""
    ticket: PlannedTicket | None = None
    follows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedCommit:
    """The commit that the files of a plan stand in, whose signature was verified.

    `signer` is the person, `key` the fingerprint of the key.
    """

    id: str
    signer: str
    key: str


@dataclass(frozen=True, slots=True)
class ResolvedPlan:
    """Everything a rollout needs; see the module's laws.

    `plan_sha256` and `inventory_sha256` are of the bytes read; `made_at` is UTC seconds;
    `surveyed` tells whether devices were asked (`preview`) or not (`--offline`). `inventory`
    names the sources as seen from the project, `choice_sha256` is of `--limit` and `-e` ("" for
    neither): with both a saved plan can be held against the inventory of today. `commit` is
    there where the operator requires signed commits, `evidence` where a policy for it was satisfied.

    `order`, `sticky` and `spread` say how the waves were filled; `approval` is needed before the
    rollout starts, a wave's own before that wave. `max_parallel_per` limits devices in flight by
    value of a label. Deferred devices may still follow for `offline_for_s`.
    `risks` is what its readers are warned of; plans of format 1.0 have `warnings`, without codes.
    """

    name: str
    release: str
    plan_file: str
    plan_sha256: str
    inventory_sha256: str
    made_at: float
    tool_version: str
    seed: str
    surveyed: bool
    artifact: PlannedArtifact
    waves: tuple[ResolvedWave, ...]
    devices: Mapping[DeviceId, PlannedDevice]
    skipped: tuple[Skipped, ...] = ()
    gates: tuple[Gate, ...] = ()
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    rollback: Rollback = field(default_factory=Rollback)
    on_failure: OnFailure = OnFailure.HALT
    offline: OfflinePolicy = OfflinePolicy.DEFER
    offline_for_s: float = OFFLINE_FOR_S_DEFAULT
    order: Order = Order.HASH
    sticky: bool = False
    spread: tuple[str, ...] = ()
    late_joiners: LateJoiners = LateJoiners.IGNORE
    schedule: Schedule = field(default_factory=Schedule)
    max_parallel_per: Mapping[str, int] = field(default_factory=dict)
    rate: Rate | None = None
    budget: Budget = field(default_factory=Budget)
    approval: Approval | None = None
    requires: tuple[Requirement, ...] = ()
    priority: int = PRIORITY_DEFAULT
    on_conflict: OnConflict = OnConflict.QUEUE
    hooks: tuple[Hook, ...] = ()
    become: str | None = None
    component: str = COMPONENT_DEFAULT
    inventory: tuple[str, ...] = ()
    choice_sha256: str = ""
    commit: PlannedCommit | None = None
    evidence: PlannedEvidence | None = None
    warnings: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()
