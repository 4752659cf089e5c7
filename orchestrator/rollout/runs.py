"""What each device of a rollout runs, as far as anybody knows: what its end is told from.

Laws:
1. Each device counts once, so that the numbers add up to all devices.
2. Only what was read back, or seen when the plan was made, is said to be known.
3. What a device ran before this rollout counts for what it runs, not for what was done to it.
"""

from __future__ import annotations

from enum import StrEnum

from orchestrator.device.reason import Reason
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import AT_WORK, PROVEN, DeviceState

_UNKNOWN = frozenset({DeviceState.LOST, DeviceState.UNCERTAIN})


class Runs(StrEnum):
    """What a device runs."""

    UNTOUCHED = "untouched"  # nothing was activated on it: what it ran before, which is another
    UNSEEN = "unseen"  # nothing was activated on it either, and nobody has asked what it runs
    SPARED = "spared"  # what it ran before: it failed before anything was activated on it
    ALREADY = "already"  # the new version, and it did before
    NEW = "new"  # the new version, because of this rollout
    CHANGING = "changing"  # on its way forward or back
    BACK = "back"  # what it ran before, proven
    UNPROVEN = "unproven"  # what it ran before, not proven well
    OTHER = "other"  # something else than either: a later release
    UNKNOWN = "unknown"


def runs(led: Ledger, rec: DeviceRecord) -> Runs:
    """What a device runs now."""
    if rec.state in _UNKNOWN:
        return Runs.UNKNOWN
    if rec.state is DeviceState.ROLLBACK_FAILED:
        return _stuck(rec)
    if rec.moved:
        return Runs.CHANGING if rec.state in AT_WORK - PROVEN else Runs.NEW
    return _before(led, rec)


def _stuck(rec: DeviceRecord) -> Runs:
    match rec.reason:
        case Reason.UNPROVEN:
            return Runs.UNPROVEN
        case Reason.NOTHING_TO_ROLL_BACK:  # it said what it runs
            return Runs.NEW if rec.moved else Runs.OTHER
        case _:
            return Runs.UNKNOWN


def _before(led: Ledger, rec: DeviceRecord) -> Runs:
    """Of a device that was left as it was, or went back; what it said is newer than the plan."""
    seen = rec.previous or led.plan.devices[rec.id].current_manifest
    if rec.state is DeviceState.UNCHANGED or seen == led.plan.artifact.manifest_sha256:
        return Runs.ALREADY
    if rec.touched:
        return Runs.BACK
    if rec.state is DeviceState.FAILED:
        return Runs.SPARED
    return Runs.UNSEEN if seen is None else Runs.UNTOUCHED
