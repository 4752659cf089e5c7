"""What a reply of the helper means to the engine: typed status, outcomes."""

from __future__ import annotations

import math

from orchestrator.device.protocol import Rc, Reply, number
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.rollout.events import DeviceStatus, Outcome

_DIGEST_LENGTH = 64
_REASON_BY_RC = {
    Rc.USAGE: Reason.USAGE,
    Rc.DENIED: Reason.DENIED,
    Rc.IO: Reason.IO,
    Rc.BUSY: Reason.BUSY,
    Rc.FENCED: Reason.FENCED,
    Rc.WRONG_STATE: Reason.WRONG_STATE,
}


def status_of(reply: Reply) -> DeviceStatus | None:
    """The fields of state, when the reply has them."""
    fields = reply.fields
    if "state" not in fields or "boot-id" not in fields:
        return None
    return DeviceStatus(
        state=fields["state"],
        txn=fields.get("txn", ""),
        artifact=fields.get("artifact", ""),
        manifest=fields.get("manifest", ""),
        active=fields.get("active", "unknown"),
        boot_id=fields["boot-id"],
        txn_state=fields.get("txn-state", ""),
        previous_manifest=fields.get("previous-manifest", ""),
        reverted=fields.get("reverted", ""),
        commit_nonce=fields.get("commit-nonce", ""),
        deadline_left_s=_seconds(fields.get("deadline-left", "")),
    )


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def outcome_of(reply: Reply) -> Outcome:
    """How a request ended by the helper's own words; an unknown reason falls back to its rc."""
    if reply.rc == Rc.OK:
        return Outcome(Reason.OK)
    if reply.rc == Rc.RESUME:
        return Outcome(Reason.IO, "the device stands at another offset")
    reason = reply.reason
    if reason in (Reason.PROTOCOL, Reason.OK):
        reason = _REASON_BY_RC.get(reply.rc, Reason.PROTOCOL)
    return Outcome(reason, reply.detail[:1024])


def outcome_of_error(error: DeviceError) -> Outcome:
    """An error of the transport as data."""
    try:
        reason = Reason(error.reason)
    except ValueError:
        reason = Reason.PROTOCOL
    return Outcome(reason, error.message[:1024])


def staged_offsets(reply: Reply) -> dict[str, tuple[int, str]]:
    """What the device holds of each frame: bytes and their hash (`have` lines)."""
    found = {}
    for line in reply.all("have"):
        words = line.split(" ")
        if len(words) == 3:  # noqa: PLR2004  NAME BYTES SHA256
            name, count, digest = words
            if (held := number(count)) is not None and len(digest) == _DIGEST_LENGTH:
                found[name] = (held, digest)
    return found


def first_device_error(group: BaseExceptionGroup[DeviceError]) -> DeviceError:
    """The first device error of a group, however deep it is nested."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return first_device_error(error)
        return error
    raise AssertionError("an exception group is never empty")
