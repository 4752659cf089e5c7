"""What rollouts know of devices when they are over: what each left, and what was last seen there.

Laws:
1. A rollout left what it read back. A device that it may have changed without such a proof is known
   to run nothing, whatever it ran before.
2. Of several answers the latest counts, by the time at which the device gave it.
3. Of two rollouts that changed a device the one that was driven last tells what was left, which their
   epochs know for certain. Where clocks say otherwise (one was set back, or the later one only went
   on with other devices) it is not known.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import CONNECT_REASONS, Reason
from orchestrator.rollout.changes import Row
from orchestrator.rollout.held import Held
from orchestrator.rollout.states import PAST_RETURN, DeviceState

NOTHING = "none"  # the manifest of a device that runs nothing of ours

_PROVEN = frozenset({DeviceState.SUCCEEDED, DeviceState.UNCHANGED})
_LOST = frozenset({DeviceState.LOST, DeviceState.UNCERTAIN, DeviceState.ROLLBACK_FAILED})
_READ_BACK = _PROVEN | {DeviceState.CONFIRMED, DeviceState.ROLLED_BACK}  # when they came there
_NOT_LET_IN = CONNECT_REASONS | {
    Reason.HOST_KEY, Reason.AUTHENTICATION, Reason.NOT_ENROLLED, Reason.OLD_HELPER,
    Reason.PROTOCOL,
}  # fmt: skip


class Standing(StrEnum):
    """How a rollout left a device; a stable interface."""

    PROVEN = "proven"  # it was read back
    UNCOMMITTED = "uncommitted"  # it was read back, and its wave has not committed it
    CHANGING = "changing"  # the rollout is at work on it
    UNKNOWN = "unknown"


class SeenBy(StrEnum):
    """Who looked; a stable interface."""

    PLAN = "plan"  # the survey before a plan was resolved
    ROLLOUT = "rollout"
    ASKED = "asked"  # just now


@dataclass(frozen=True, slots=True)
class Left:
    """What the last rollout that changed a device, or found it on its target, left there.

    `manifest` is "" where that is nothing of ours, or not known (`standing`).
    """

    rollout_id: str
    at: float
    standing: Standing
    manifest: str = ""
    artifact: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a device said it runs; all of it but `at` and `by` is untrusted text.

    `settled` is False while an update is neither permanent nor taken back, or what is in place is
    not what it claims. `state`, `active` and `helper` are there where it was asked just now.
    """

    at: float
    by: SeenBy
    manifest: str = ""
    artifact: str = ""
    settled: bool = True
    state: str = ""
    active: str = ""
    helper: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a device told nothing when it was to be looked at; `detail` is untrusted text.

    `shunned`: another host key than the pinned one answered, and its rollout let it alone since.
    """

    at: float
    reason: Reason
    detail: str = ""
    shunned: bool = False


@dataclass(slots=True)
class Known:
    """All that is known of one device. `hardware` is the type that an artifact of ours proved."""

    left: Left | None = None
    seen: Seen | None = None
    trouble: Trouble | None = None
    hardware: str = ""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a store knows of devices: by device, with names of artifacts by their manifests."""

    devices: Mapping[DeviceId, Known] = field(default_factory=dict)
    held: Mapping[DeviceId, Held] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


class Sightings:
    """Gathers what rollouts tell, the one that was driven last (with the highest epoch) first."""

    def __init__(self, wanted: Collection[DeviceId]) -> None:
        self.devices: dict[DeviceId, Known] = {device: Known() for device in wanted}
        self.names: dict[str, str] = {}
        self._open = set(self.devices)

    def open(self, until_at: float) -> Collection[DeviceId]:
        """Devices of which rollouts last written to by that time may know something newer."""
        self._open = {
            device
            for device in self._open
            if (left := self.devices[device].left) is None or left.at < until_at
        }
        return self._open

    def take(self, rollout_id: str, plan_json: bytes, rows: Mapping[DeviceId, Row]) -> None:
        """Takes in what the plan of a rollout saw, and what its rows of devices say."""
        plan = _plan_of(plan_json)
        artifact = _object(plan.get("artifact"))
        target, name = _text(artifact, "manifest_sha256"), _text(artifact, "name")
        types = artifact.get("device_types")
        only_type = str(types[0]) if isinstance(types, list) and len(types) == 1 else ""
        if target:
            self.names[target] = name
        self._take_plan(plan)
        for device, row in rows.items():
            known = self.devices.get(device)
            if known is None:
                continue
            left = left_of(rollout_id, row, target)
            if left is not None:
                known.left = left if known.left is None else _later(known.left, left)
            for seen in _seen_by_rollout(row, left):
                _see(known, seen)
            trouble = _trouble_of(row)
            if trouble is not None:
                _note(known, trouble)
            if only_type and not known.hardware and _took(row):
                known.hardware = only_type

    def _take_plan(self, plan: Mapping[str, object]) -> None:
        made_at = _number(plan.get("made_at"))
        for name, each in _object(plan.get("devices")).items():
            planned = _object(each)
            current, manifest = planned.get("current"), planned.get("current_manifest")
            if not isinstance(current, str) or not isinstance(manifest, str):
                continue  # it was not asked, or did not answer
            if current and manifest:
                self.names.setdefault(manifest, current)
            known = self.devices.get(DeviceId(name))
            if known is not None:
                settled = bool(manifest) or not current
                _see(known, Seen(made_at, SeenBy.PLAN, manifest, current, settled))
        skipped = plan.get("skipped")
        for each in skipped if isinstance(skipped, list) else ():
            left_out = _object(each)
            known = self.devices.get(DeviceId(_text(left_out, "device")))
            reason = _reason(left_out.get("reason"))
            if known is not None and reason in _NOT_LET_IN:
                _note(known, Trouble(made_at, reason, _text(left_out, "detail")))


def left_of(rollout_id: str, row: Row, target: str) -> Left | None:
    """What a rollout left on a device, by its row; None where it changed nothing there.

    Args:
        rollout_id: of the rollout.
        row: as it is stored.
        target: the manifest that the rollout brings, "" where that cannot be read.
    """
    state, at = row.get("state"), _number(row.get("since"))
    moved, touched = bool(row.get("moved")), bool(row.get("touched"))
    if state in _PROVEN:
        at = max(at, _number(row.get("read_at")))
        return _proven(rollout_id, at, target) if target else _unknown(rollout_id, at)
    if state == DeviceState.CONFIRMED:
        return Left(rollout_id, at, Standing.UNCOMMITTED, target)
    if state in PAST_RETURN - _LOST:
        return Left(rollout_id, at, Standing.CHANGING)
    if moved or state in _LOST:
        return _unknown(rollout_id, at)
    if state == DeviceState.ROLLED_BACK or touched:
        before = _text(row, "previous")
        return _proven(rollout_id, at, before) if before else _unknown(rollout_id, at)
    return None


def _proven(rollout_id: str, at: float, manifest: str) -> Left:
    return Left(rollout_id, at, Standing.PROVEN, "" if manifest == NOTHING else manifest)


def _later(last: Left, before: Left) -> Left:
    """What stands of two: `last` is of the rollout that was driven last."""
    return last if before.at <= last.at else _unknown(last.rollout_id, before.at)


def _unknown(rollout_id: str, at: float) -> Left:
    return Left(rollout_id, at, Standing.UNKNOWN)


def _seen_by_rollout(row: Row, left: Left | None) -> Iterator[Seen]:
    """What the rollout read of a device: at the end, and before it changed it."""
    if (
        left is not None
        and left.standing is not Standing.UNKNOWN
        and row.get("state") in _READ_BACK
    ):
        settled = left.standing is Standing.PROVEN
        yield Seen(left.at, SeenBy.ROLLOUT, left.manifest, settled=settled)
    before, begun_at = _text(row, "previous"), _number(row.get("begun_at"))
    if before and begun_at:
        yield Seen(begun_at, SeenBy.ROLLOUT, "" if before == NOTHING else before)


def _trouble_of(row: Row) -> Trouble | None:
    reason = _reason(row.get("reason"))
    at = _number(row.get("troubled_at")) or _number(row.get("since"))
    if row.get("shunned"):
        return Trouble(at, Reason.HOST_KEY, _text(row, "detail"), shunned=True)
    if reason not in _NOT_LET_IN:
        return None
    return Trouble(at, reason, _text(row, "detail"))


def _took(row: Row) -> bool:
    """Whether the device took the artifact, which it does for its own type only."""
    return row.get("state") in _PROVEN or bool(row.get("touched"))


def _see(known: Known, seen: Seen) -> None:
    if known.seen is None or known.seen.at < seen.at:
        known.seen = seen


def _note(known: Known, trouble: Trouble) -> None:
    if known.trouble is None or known.trouble.at < trouble.at:
        known.trouble = trouble


def seen_in(facts: Mapping[str, str], at: float) -> Seen | None:
    """What an answer to `facts` says that a device runs; None where it does not say it."""
    if "state" not in facts or "manifest" not in facts:
        return None
    manifest, artifact = facts["manifest"], facts.get("artifact", NOTHING)
    state, active = facts["state"], facts.get("active", "")
    return Seen(
        at,
        SeenBy.ASKED,
        "" if manifest == NOTHING else manifest,
        "" if artifact == NOTHING else artifact,
        settled=active != "no" and state not in UNSETTLED_STATES,
        state=state,
        active=active,
        helper=facts.get("helper", ""),
    )


UNSETTLED_STATES = frozenset({"probation", "confirmed", "rollback-failed"})  # of a transaction


def _plan_of(plan_json: bytes) -> Mapping[str, object]:
    """A stored plan, whatever version wrote it: what cannot be read says nothing."""
    try:
        return _object(json.loads(plan_json))
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _text(row: Mapping[str, object], key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _reason(value: object) -> Reason:
    try:
        return Reason(str(value)) if value is not None else Reason.OK
    except ValueError:
        return Reason.OK
