"""A resolved plan: every choice made, every limit in seconds, bytes and counts.

What crosses from planning to execution. Identified by its digest (RFC 8785 canonical JSON,
`plan.digest`); the same bytes are saved by `preview --out`, stored at start and run by `apply`.

Laws:
1. A device stands in exactly one wave or in `skipped`, never in both.
2. No clock, randomness, file or variable is needed to run it; text has been rendered.
3. It holds no secrets: key files are paths, values come from plan and inventory only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from orchestrator.device.model import Address, DeviceId
from orchestrator.device.reason import Reason

FORMAT_VERSION = "1.0"
COMPONENT_DEFAULT = "main"


class Stage(StrEnum):
    """When a gate speaks."""

    DEVICE = "device"  # right after a device was activated, once per device
    WAVE = "wave"  # at the end of the soak
    BACKGROUND = "background"  # all the time until the rollout ends


class ProbeKind(StrEnum):
    """How a gate takes its samples."""

    CHECK = "check"  # a named health check on the device
    HTTP = "http"  # from the controller
    COMMAND = "command"  # on the controller, argv only, allowed by the operator's configuration


class OnNoData(StrEnum):
    """What missing evidence means; never success."""

    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


class OnFailure(StrEnum):
    """What a trip does to the rollout."""

    HALT = "halt"
    ROLLBACK = "rollback"
    CONTINUE = "continue"


class RollbackScope(StrEnum):
    """Which devices an automatic rollback takes back."""

    WAVE = "wave"
    ROLLOUT = "rollout"


class OfflinePolicy(StrEnum):
    """What happens to a device that does not answer before it was started."""

    DEFER = "defer"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a gate asks. Exactly the fields of its kind are set.

    `value` is a JSON pointer (RFC 6901) into an HTTP answer's body.
    """

    kind: ProbeKind
    check: str = ""
    url: str = ""
    value: str | None = None
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """A health condition with its limits (R9).

    `probes` holds a probe per device where the plan's text depends on the device; otherwise
    `probe` is for all. `success_when` and `fail_when` are checked expressions
    (`plan.expression`); at least one is set.
    """

    name: str
    stage: Stage
    probe: Probe
    probes: Mapping[DeviceId, Probe] = field(default_factory=dict)
    success_when: str | None = None
    fail_when: str | None = None
    count: int = 1
    interval_s: float = 10.0
    initial_delay_s: float = 0.0
    timeout_s: float = 30.0
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    consecutive_success_limit: int | None = None
    on_no_data: OnNoData = OnNoData.INCONCLUSIVE
    waves: tuple[str, ...] = ()  # empty: all waves
    dry_run: bool = False


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
class Rollback:
    """How devices are taken back: reverse order of start, verified by read-back."""

    scope: RollbackScope = RollbackScope.WAVE
    max_parallel: int = 50


@dataclass(frozen=True, slots=True)
class ResolvedWave:
    """One wave with its devices in order and its limits.

    `max_failures` and `max_fail_share`: the smaller allowance counts (R6). `notes` say what a
    reader of the preview must know (capped, skipped as empty, ...).
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


@dataclass(frozen=True, slots=True)
class PlannedDevice:
    """A device as the plan knows it; `current` is the artifact it ran at preview, if asked.

    `keeps_previous` tells whether its update module can still go back after commit (R17).
    """

    address: Address
    labels: Mapping[str, str] = field(default_factory=dict)
    current: str | None = None
    current_manifest: str | None = None
    keeps_previous: bool = True


@dataclass(frozen=True, slots=True)
class Skipped:
    """A device left out up front, with its reason (R1)."""

    device: DeviceId
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PlannedArtifact:
    """The one artifact of a plan. `path` is as written in the plan; digests identify it."""

    path: str
    name: str
    sha256: str
    manifest_sha256: str
    payload_type: str
    device_types: tuple[str, ...]
    size_bytes: int
    transfer_bytes: int
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class ResolvedPlan:
    """Everything a rollout needs; see the module's laws.

    `plan_sha256` and `inventory_sha256` are of the bytes read; `made_at` is UTC seconds;
    `surveyed` tells whether devices were asked (`preview`) or not (`--offline`). `inventory`
    names the sources as seen from the project, `choice_sha256` is of `--limit` and `-e` ("" for
    neither): with both a saved plan can be held against the inventory of today.
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
    rollback: Rollback = Rollback()
    on_failure: OnFailure = OnFailure.HALT
    offline: OfflinePolicy = OfflinePolicy.DEFER
    become: str | None = None
    component: str = COMPONENT_DEFAULT
    inventory: tuple[str, ...] = ()
    choice_sha256: str = ""
    warnings: tuple[str, ...] = ()
