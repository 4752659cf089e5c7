"""Where a device says it stands, and how a rollout goes on from there.

The table "States of a device" for devices whose outcome was unknown: after a lost connection, a
crash of the engine, or an answer that another try had caused.

Source: design "rollout-rules", "States of a device" and "Crash recovery".
"""

from __future__ import annotations

from enum import Enum, auto

from orchestrator.device.reason import Reason
from orchestrator.rollout import moves, returned
from orchestrator.rollout.events import DeviceStatus
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import DeviceState, RolloutState

ACTIVATIONS_MAX = 10  # a device that stays as it is, whatever it is told, is not told for ever
ATTEMPTS_MAX = 10  # an attempt that never reaches activation is not repeated for ever

_ENDING = frozenset({RolloutState.HALTED, RolloutState.ABORTING, RolloutState.ROLLING_BACK})


class Place(Enum):
    """Where a device stands with regard to one transaction."""

    NOT_ACTIVATED = auto()  # it runs what it ran before; nothing of ours can become active
    INSTALLED = auto()  # beside what runs; an activation may still come
    PROBATION = auto()
    CONFIRMED = auto()
    COMMITTED = auto()
    REVERTED = auto()  # by itself
    WENT_BACK = auto()  # on request
    STUCK = auto()  # its rollback failed
    MISMATCH = auto()  # it claims the new version, but another content is in place
    AT_TARGET = auto()  # it runs the target, but not through this transaction


def place_of(led: Ledger, rec: DeviceRecord, status: DeviceStatus) -> Place:
    """Reads a status; claims count only together with what is really in place."""
    own = status.txn_state or (status.state if status.txn == rec.txn else "none")
    right = status.manifest == led.plan.artifact.manifest_sha256
    claimed = _CLAIMS.get(own)
    if claimed is not None:
        return claimed if right and status.active != "no" else Place.MISMATCH
    if own == "rollback-failed":
        return Place.STUCK
    if own == "installed":
        return Place.INSTALLED
    if right and status.active == "yes":
        return Place.AT_TARGET
    if own == "rolled-back":
        return Place.REVERTED if status.reverted == rec.txn else Place.WENT_BACK
    return Place.NOT_ACTIVATED


_CLAIMS = {
    "probation": Place.PROBATION,
    "confirmed": Place.CONFIRMED,
    "committed": Place.COMMITTED,
}


def settle_place(led: Ledger, rec: DeviceRecord, status: DeviceStatus) -> None:
    """Goes on from where the device stands."""
    place = place_of(led, rec, status)
    match place:
        case Place.PROBATION | Place.CONFIRMED | Place.COMMITTED:
            _runs_target(led, rec, place, status)
        case Place.INSTALLED:
            _installed(led, rec)
        case Place.NOT_ACTIVATED:
            _not_activated(led, rec, status)
        case Place.REVERTED | Place.WENT_BACK:
            returned.gone_back(led, rec, status)
        case Place.STUCK:
            in_place = returned.in_place(led, status)
            moves.finish(led, rec, DeviceState.ROLLBACK_FAILED, Reason.ROLLBACK, in_place)
        case Place.MISMATCH | Place.AT_TARGET:
            moves.roll_back(led, rec, Reason.READ_BACK)


def _runs_target(led: Ledger, rec: DeviceRecord, place: Place, status: DeviceStatus) -> None:
    rec.moved = True
    if rec.ends_as:
        moves.roll_back(led, rec, rec.cause, rec.cause_told)
        return
    if led.state is RolloutState.ROLLING_BACK and led.drained:
        moves.take_back(led, rec)
        return
    if not rec.proven or status.boot_id != rec.boot:  # a proof is of the last boot (I4)
        moves.verify(led, rec)
    elif place is Place.COMMITTED:
        moves.finish(led, rec, DeviceState.SUCCEEDED, Reason.OK)
    elif place is Place.CONFIRMED and rec.late:
        moves.finish(led, rec, DeviceState.CONFIRMED, Reason.OK)
    else:
        moves.commit(led, rec)


def _installed(led: Ledger, rec: DeviceRecord) -> None:
    if rec.ends_as:
        moves.roll_back(led, rec, rec.cause, rec.cause_told)
    elif led.state in _ENDING:
        # a mutating request with our epoch, so that no go of an older engine can follow (R14)
        moves.roll_back(led, rec, Reason.ROLLOUT_HALTED, ends_as=DeviceState.CANCELLED)
    elif rec.repeats >= ACTIVATIONS_MAX:
        moves.roll_back(led, rec, rec.reason, rec.detail)
    else:
        told = rec.repeats + 1
        moves.activate(led, rec)
        rec.repeats = told


def _not_activated(led: Ledger, rec: DeviceRecord, status: DeviceStatus) -> None:
    if rec.ends_as:
        returned.gone_back(led, rec, status)
    elif led.state in _ENDING:
        moves.finish(led, rec, DeviceState.CANCELLED, Reason.ROLLOUT_HALTED)
    elif rec.attempt >= ATTEMPTS_MAX:
        rec.moved = False
        moves.finish(led, rec, DeviceState.FAILED, Reason.INTERRUPTED)
    else:
        rec.moved = False
        led.new_attempt(rec)
        moves.enqueue(led, rec, Reason.INTERRUPTED)
