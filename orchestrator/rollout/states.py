"""States of devices, waves and rollouts: what is written to rows, journals and JSON.

Source: design "rollout-rules", "States of a rollout", "of a wave", "of a device".
"""

from __future__ import annotations

from enum import StrEnum


class DeviceState(StrEnum):
    """Where a device stands in its update."""

    PENDING = "pending"  # its wave has not begun
    QUEUED = "queued"  # its wave runs; not started, or waiting for another attempt
    RETRY_WAIT = "retry_wait"  # an attempt failed before the point of no return
    PREFLIGHT = "preflight"  # its checks from before the update are asked
    TRANSFERRING = "transferring"  # connect, look, stage, verify, install beside what runs
    STAGED = "staged"  # ready, waits for the go
    ACTIVATING = "activating"  # past the point of no return from here on
    REBOOTING = "rebooting"
    VERIFYING = "verifying"
    CONFIRMED = "confirmed"  # proven, commits when its wave passed (R17)
    COMMITTING = "committing"
    ROLLING_BACK = "rolling_back"  # and, once it is back, proving itself there
    UNCERTAIN = "uncertain"  # outcome unknown: the device is being asked
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    LOST = "lost"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    DEFERRED = "deferred"  # never started: offline or inhibited
    BLOCKED = "blocked"  # staged ahead of its window, without a connection


class WaveState(StrEnum):
    """Where a wave stands."""

    PENDING = "pending"
    AWAITING_APPROVAL = "awaiting_approval"
    WAITING = "waiting"  # begun, but no device may be started yet
    RUNNING = "running"
    SOAKING = "soaking"
    JUDGING = "judging"  # fresh evidence at the end of the soak, and the wave's gates
    COMMITTING = "committing"  # modules that cannot go back commit now (R17)
    PASSED = "passed"
    INCONCLUSIVE = "inconclusive"
    TRIPPED = "tripped"
    SKIPPED_EMPTY = "skipped_empty"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"


class RolloutState(StrEnum):
    """Where a rollout stands."""

    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"  # waits for its time, other plans, or another rollout
    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    ABORTING = "aborting"  # devices in flight finish, then `aborted`
    ROLLING_BACK = "rolling_back"
    CATCHING_UP = "catching_up"  # the last wave passed, deferred devices follow
    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_EXCEPTIONS = "succeeded_with_exceptions"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Pause(StrEnum):
    """Why a rollout is paused; it goes on when none is left."""

    OPERATOR = "operator"
    GATE_INCONCLUSIVE = "gate_inconclusive"
    UNREACHABLE = "unreachable"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"
    REVERTED_UNCONFIRMED = "reverted_unconfirmed"
    NO_DATA = "no_data"
    DEADLINE = "deadline"
    SLOTS = "slots"  # devices that are down take up all slots of a label
    FREEZE = "freeze"
    APPROVAL = "approval"


class Halt(StrEnum):
    """What halted a rollout."""

    BUDGET = "budget"
    GATE = "gate"
    TRUST = "trust"
    DEADLINE = "deadline"
    ROLLBACK_FAILED = "rollback_failed"
    OPERATOR = "operator"


PASSING = frozenset({Pause.FREEZE.value, Pause.APPROVAL.value})  # over when their cause is

_D = DeviceState

TERMINAL_DEVICE = frozenset({
    _D.SUCCEEDED, _D.UNCHANGED, _D.FAILED, _D.ROLLED_BACK, _D.ROLLBACK_FAILED, _D.LOST,
    _D.SKIPPED, _D.CANCELLED,
})  # fmt: skip
SETTLED = TERMINAL_DEVICE | {_D.DEFERRED, _D.CONFIRMED}  # R8
COUNTED = frozenset({_D.FAILED, _D.ROLLED_BACK, _D.ROLLBACK_FAILED, _D.LOST})  # R6
PROVEN = frozenset({_D.CONFIRMED, _D.COMMITTING, _D.SUCCEEDED})
BEFORE_RETURN = frozenset(
    {_D.PREFLIGHT, _D.TRANSFERRING, _D.STAGED}
)  # at work, still without effect
PAST_RETURN = frozenset({
    _D.ACTIVATING, _D.REBOOTING, _D.VERIFYING, _D.COMMITTING, _D.ROLLING_BACK, _D.UNCERTAIN,
})  # fmt: skip
AT_WORK = BEFORE_RETURN | PAST_RETURN
TROUBLED = frozenset({
    _D.FAILED, _D.ROLLED_BACK, _D.ROLLBACK_FAILED, _D.LOST, _D.SKIPPED, _D.DEFERRED, _D.UNCERTAIN,
    _D.ROLLING_BACK, _D.RETRY_WAIT,
})  # fmt: skip
WAITING = frozenset({_D.PENDING, _D.QUEUED, _D.RETRY_WAIT, _D.BLOCKED})

TERMINAL_ROLLOUT = frozenset({
    RolloutState.SUCCEEDED, RolloutState.SUCCEEDED_WITH_EXCEPTIONS, RolloutState.ABORTED,
    RolloutState.ROLLED_BACK, RolloutState.FAILED, RolloutState.SUPERSEDED, RolloutState.REJECTED,
    RolloutState.EXPIRED,
})  # fmt: skip
BEFORE_START = frozenset({RolloutState.AWAITING_APPROVAL, RolloutState.SCHEDULED})
UNBEGUN_WAVE = frozenset({WaveState.PENDING, WaveState.AWAITING_APPROVAL})
DONE_WAVE = frozenset({
    WaveState.PASSED, WaveState.TRIPPED, WaveState.SKIPPED_EMPTY, WaveState.CANCELLED,
    WaveState.ROLLED_BACK, WaveState.ROLLBACK_FAILED,
})  # fmt: skip
