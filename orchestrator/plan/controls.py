"""What steers a rollout beside waves and gates, as a resolved plan holds it.

Source: rollout-rules R3, R6, R7, R13 and "Further behaviour the field taught".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

PRIORITY_DEFAULT = 500  # room on both sides of 0 to 1000
PRIORITY_MAX = 1000


class Order(StrEnum):
    """In which order devices go (R3)."""

    HASH = "hash"
    INVENTORY = "inventory"
    REVERSE_INVENTORY = "reverse_inventory"
    SORTED = "sorted"
    REVERSE_SORTED = "reverse_sorted"


class LateJoiners(StrEnum):
    """What becomes of devices that join the fleet after the plan was made (R1)."""

    IGNORE = "ignore"
    APPEND = "append"


class OnConflict(StrEnum):
    """What a rollout does whose devices another one of the same component is changing."""

    QUEUE = "queue"
    SUPERSEDE = "supersede"
    FAIL = "fail"


class OnFailure(StrEnum):
    """What a trip does to the rollout."""

    HALT = "halt"
    ROLLBACK = "rollback"
    CONTINUE = "continue"


class OfflinePolicy(StrEnum):
    """What happens to a device that does not answer before it was started."""

    DEFER = "defer"  # its wave goes on, it follows when it answers
    WAIT = "wait"  # its wave waits for it
    FAIL = "fail"  # it counts as failed


class RollbackScope(StrEnum):
    """Which devices an automatic rollback takes back."""

    WAVE = "wave"
    ROLLOUT = "rollout"


class RollbackOrder(StrEnum):
    """Which devices go back first, by the time of their start."""

    REVERSE = "reverse"  # newest first
    FORWARD = "forward"  # oldest first


class RequirePer(StrEnum):
    """For whom a required release must run before a device may start."""

    DEVICE = "device"  # the device itself
    SITE = "site"  # every device of its `site` label
    ALL = "all"  # every device of this plan


class HookEvent(StrEnum):
    """What a hook may be told."""

    STARTED = "started"
    WAVE_PASSED = "wave_passed"
    AWAITING_APPROVAL = "awaiting_approval"
    BREAK_GLASS = "break_glass"  # every hook is told, whichever events it names
    PAUSED = "paused"
    INCONCLUSIVE = "inconclusive"
    HALTED = "halted"
    RESUMED = "resumed"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    CATCHING_UP = "catching_up"
    SUCCEEDED = "succeeded"
    ABORTED = "aborted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Burst:
    """More than `failures` devices that fail within `in_s` trip, whatever the size."""

    failures: int
    in_s: float


@dataclass(frozen=True, slots=True)
class Budget:
    """Failures of the whole rollout that do not halt it (R6); None is no limit of that kind."""

    max_failures: int | None = None
    max_fail_share: Fraction | None = None
    window: Burst | None = None


@dataclass(frozen=True, slots=True)
class RateIncrease:
    """After so many successes the rate grows by `factor`, up to `max_per_minute`."""

    factor: float
    after_successes: int
    max_per_minute: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Devices started per minute; only successes speed it up."""

    per_minute: int
    increase: RateIncrease | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """So many signatures of people with one of `roles` (empty: anyone trusted)."""

    required: int = 1
    roles: tuple[str, ...] = ()
    not_author: bool = False
    expires_s: float | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """Another plan whose release must run first; `release` is a constraint as `>=7.3`, "" any."""

    plan: str
    release: str = ""
    per: RequirePer = RequirePer.DEVICE


@dataclass(frozen=True, slots=True)
class Hook:
    """Who is told of events. Exactly one of `http`, `command` and `email` is set."""

    events: tuple[HookEvent, ...]
    http: str = ""
    command: tuple[str, ...] = ()
    email: str = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    """How devices are taken back; each is verified by read-back, always."""

    scope: RollbackScope = RollbackScope.WAVE
    max_parallel: int = 50
    order: RollbackOrder = RollbackOrder.REVERSE
    respect_windows: bool = False
    respect_freezes: bool = False
