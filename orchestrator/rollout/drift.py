"""Whether a device is as the last rollout left it, and how it stands in its fleet.

Laws:
1. Only what a device said after the rollout left it speaks for it: nobody looked, it did not answer,
   or it cannot read back what is in place, is not known, and never the same.
2. A difference that was seen stays one until the device says otherwise; that it was the same speaks
   for nothing later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from orchestrator.device.model import DeviceId
from orchestrator.device.protocol import helper_fits
from orchestrator.device.reason import Reason
from orchestrator.rollout.held import Held
from orchestrator.rollout.sightings import (
    UNSETTLED_STATES,
    Known,
    Left,
    Remembered,
    Seen,
    SeenBy,
    Standing,
    Trouble,
)

_DIGEST_CHARS = 12


class Drift(StrEnum):
    """How a device compares with what the last rollout left; a stable interface."""

    SAME = "same"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judged:
    """A comparison, and why it came out so; untrusted text, empty where it is the same."""

    drift: Drift
    why: str = ""


def judge(left: Left | None, seen: Seen | None, trouble: Trouble | None = None) -> Judged:
    """Holds what a device said last against what the last rollout left there."""
    if left is None:
        return Judged(Drift.UNKNOWN, "no rollout is known to have left anything on it")
    if left.standing is not Standing.PROVEN:
        return Judged(Drift.UNKNOWN, _STANDS[left.standing].format(left.rollout_id))
    if seen is None or seen.at <= left.at:
        asked = seen is not None and seen.by is SeenBy.ASKED
        why = (
            "rollout {} changed it meanwhile"
            if asked
            else "nobody has looked at it since rollout {}"
        )
        return Judged(Drift.UNKNOWN, why.format(left.rollout_id))
    found = _compared(left, seen)
    if found.drift is Drift.SAME and trouble is not None and trouble.at > seen.at:
        return Judged(Drift.UNKNOWN, "it could not be looked at")
    return found


_STANDS: Mapping[Standing, str] = {
    Standing.UNCOMMITTED: "rollout {} has not committed it yet",
    Standing.CHANGING: "rollout {} is at work on it",
    Standing.UNKNOWN: "what rollout {} left on it is not certain",
}


def _compared(left: Left, seen: Seen) -> Judged:
    wanted = version_words(left.artifact, left.manifest)
    whose = f"rollout {left.rollout_id} left {wanted}"
    if seen.state in UNSETTLED_STATES:
        runs = version_words(seen.artifact, seen.manifest)
        return Judged(Drift.DIFFERS, f"is in {seen.state} with {runs}; {whose}")
    if not seen.settled and not seen.manifest:
        return Judged(Drift.DIFFERS, f"was neither settled nor as {whose}")
    if seen.manifest != left.manifest:
        runs = version_words(seen.artifact, seen.manifest)
        return Judged(Drift.DIFFERS, f"runs {runs}; {whose}")
    if seen.active == "no":
        return Judged(Drift.DIFFERS, f"what is in place is not {wanted} any more; {whose}")
    if seen.by is SeenBy.ASKED and seen.manifest and seen.active != "yes":
        return Judged(Drift.UNKNOWN, "it cannot read back what is in place")
    return Judged(Drift.SAME)


def version_words(artifact: str, manifest: str) -> str:
    """What runs: its name, else the beginning of its manifest's digest; untrusted text."""
    if not manifest and not artifact:
        return "nothing of ours"
    return artifact or f"sha256:{manifest[:_DIGEST_CHARS]}"


@dataclass(frozen=True, slots=True)
class FleetDevice:
    """One device of a fleet, as it is known; names, `hardware` and labels are untrusted text."""

    id: DeviceId
    labels: Mapping[str, str]
    hardware: str
    left: Left | None
    seen: Seen | None
    trouble: Trouble | None
    held: Held | None
    judged: Judged

    @property
    def version(self) -> str | None:
        """What it runs as last seen; None where that is not known (any more)."""
        if self.seen is None or self.is_in_doubt:
            return None
        return version_words(self.seen.artifact, self.seen.manifest)

    @property
    def is_in_doubt(self) -> bool:
        """Whether a rollout changed it, or may have, after it was last seen."""
        left, seen = self.left, self.seen
        open_ = left is not None and left.standing in (Standing.UNKNOWN, Standing.CHANGING)
        return open_ and left is not None and (seen is None or seen.at <= left.at)

    @property
    def is_unconfirmed(self) -> bool:
        """Whether an update on it is neither permanent nor taken back."""
        if self.seen is not None and self.seen.state:
            return self.seen.state in UNSETTLED_STATES
        waits = (Standing.UNCOMMITTED, Standing.CHANGING)
        return self.left is not None and self.left.standing in waits

    @property
    def is_quarantined(self) -> bool:
        """Whether it is let alone: it could not go back, or answered with another host key."""
        shunned = self.trouble is not None and self.trouble.shunned
        return shunned or (self.held is not None and self.held.everywhere)

    @property
    def has_old_helper(self) -> bool:
        """Whether its helper does not know all that is asked of it."""
        if self.seen is not None and self.seen.helper:
            return not helper_fits(self.seen.helper)
        return self.trouble is not None and self.trouble.reason is Reason.OLD_HELPER


def fleet_device(
    device: DeviceId,
    labels: Mapping[str, str],
    remembered: Remembered,
    asked: Seen | Trouble | None = None,
    device_type: str = "",
) -> FleetDevice:
    """Puts together what the store knows of a device and what it answered just now.

    Args:
        device: of the inventory.
        labels: of the inventory, too.
        remembered: what the store knows.
        asked: its answer, or why there is none; None where nobody asked.
        device_type: what it said it is, just now.
    """
    known = remembered.devices.get(device, Known())
    left = _named(known.left, remembered.names)
    seen, trouble = known.seen, known.trouble
    if isinstance(asked, Seen):
        seen, trouble = asked, None
    elif asked is not None:
        trouble = replace(asked, shunned=trouble is not None and trouble.shunned)
    if seen is not None and trouble is not None and trouble.at < seen.at:
        trouble = None  # it has answered since
    if seen is not None and not seen.artifact:
        seen = replace(seen, artifact=remembered.names.get(seen.manifest, ""))
    hardware = device_type or known.hardware or labels.get("hardware", "")
    held = remembered.held.get(device)
    if held is not None and _is_past(held, left):
        held = None
    judged = judge(left, seen, trouble)
    return FleetDevice(device, labels, hardware, left, seen, trouble, held, judged)


def _is_past(held: Held, left: Left | None) -> bool:
    """Whether the device has taken another artifact since it was held back from one."""
    since = left is not None and left.standing is Standing.PROVEN and left.at > held.since
    return since and left is not None and left.rollout_id != held.rollout_id and not held.everywhere


def _named(left: Left | None, names: Mapping[str, str]) -> Left | None:
    return None if left is None else replace(left, artifact=names.get(left.manifest, ""))
