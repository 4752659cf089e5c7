"""Devices that went back: what they run now is read back, and their checks have the last word.

Laws:
1. A device is `rolled_back` only when what it ran before was read back over a new connection and
   its own checks passed there, in the same boot. Without that it is `rollback_failed`.
2. Only health checks of stage `device` are asked: gates of the controller speak of the release,
   not of this device. A check that the device does not have says nothing of what it runs.
3. Where nothing of ours ran before there is nothing to check, and where nothing was activated
   nothing was undone: there the read-back is enough.
4. Every series ends: by its own limits, or with the time that the dead-man gives it forward.

Source: design "rollout-rules", "States of a device", `rolling_back`.
"""

from __future__ import annotations

from orchestrator.device.check import EXIT_NO_SUCH_CHECK
from orchestrator.device.reason import CONNECT_REASONS, TRUST_REASONS, Reason
from orchestrator.plan.resolved import ProbeKind
from orchestrator.rollout import brakes, moves, samples
from orchestrator.rollout.events import DeviceReported, DeviceStatus, Vouched
from orchestrator.rollout.ledger import Ledger, Moment
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import DeviceState, Pause
from orchestrator.rollout.verdict import Verdict
from orchestrator.rollout.vouching import take_signer

NOTHING = "none"  # the manifest of a device that ran nothing of ours

UNKNOWN = CONNECT_REASONS | {Reason.PROTOCOL, Reason.AUTHENTICATION, Reason.BUSY, Reason.IO}


def is_back(led: Ledger, rec: DeviceRecord, status: DeviceStatus) -> bool:
    """Whether the device runs what it ran before, as far as that is known."""
    if status.active == "no":
        return False
    if rec.previous:
        return status.manifest == rec.previous
    return status.manifest != led.plan.artifact.manifest_sha256


def in_place(led: Ledger, status: DeviceStatus) -> str:
    """What a device that could not go back has in place, in words."""
    if status.active == "no":
        return "read back: the new version is not in place"
    if status.active == "yes" and status.manifest == led.plan.artifact.manifest_sha256:
        return "read back: the new version is in place"
    return "nothing tells what is in place now"


def gone_back(
    led: Ledger, rec: DeviceRecord, status: DeviceStatus, vouched: Vouched | None = None
) -> None:
    """The device says that it went back, or never left: now it proves itself there."""
    take_signer(led, rec, vouched)
    if not is_back(led, rec, status):
        moves.finish(led, rec, DeviceState.ROLLBACK_FAILED, Reason.READ_BACK, rec.cause_told)
        return
    if not rec.ends_as:  # then it did so by itself
        if rec.away:
            # the controller was away while the dead-man ran: says nothing of the release (R6)
            rec.excused = True
            device = f"device `{rec.id}` went back by itself"
            brakes.pause(led, Pause.REVERTED_UNCONFIRMED, device)
        moves.begin_return(led, rec, DeviceState.ROLLED_BACK, Reason.REVERTED)
    rec.boot = status.boot_id
    gates = _gates(led, rec)
    if not gates:
        moves.finish(led, rec, DeviceState(rec.ends_as), rec.cause, rec.cause_told)
        return
    rec.repeats += 1
    if rec.repeats > moves.ROLLBACKS_MAX:
        _unproven(led, rec, "it never answered for as long as its checks take")
        return
    if rec.state is not DeviceState.ROLLING_BACK:
        led.move(rec, DeviceState.ROLLING_BACK, rec.cause, rec.cause_told)
    rec.lost_at = led.now + led.plan.timeouts.confirm_s
    moves.begin_gates(led, rec, gates)
    moves.prove(led, rec)


def _gates(led: Ledger, rec: DeviceRecord) -> tuple[int, ...]:
    """Indexes of the gates that must pass on what it ran before."""
    if rec.ends_as != DeviceState.ROLLED_BACK or rec.previous == NOTHING:
        return ()
    return tuple(
        index
        for index in led.device_gates(rec.wave, Moment.UPDATED)
        if led.plan.gates[index].probe.kind is ProbeKind.CHECK and not led.plan.gates[index].dry_run
    )


def checked(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """A device that went back answered how it is, or did not."""
    reason, detail, status = event.outcome.reason, event.outcome.detail, event.status
    if reason in TRUST_REASONS:
        moves.shun(led, rec, reason, detail)
    elif reason in UNKNOWN or status is None:
        moves.doubt(led, rec, reason, detail)
    elif reason is not Reason.OK:
        _unproven(led, rec, detail or f"its checks could not be asked: {reason.value}")
    elif status.boot_id != rec.boot or not is_back(led, rec, status):
        gone_back(led, rec, status)  # samples of another boot are stale
    else:
        take_signer(led, rec, event.vouched)
        _leave_out(led, rec, event)
        samples.take_checks(led, rec, event)
        _decide(led, rec)


def _leave_out(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """Forgets gates whose check is not there: the release that went brought it."""
    gone = {result.name for result in event.checks if result.exit == EXIT_NO_SUCH_CHECK}
    for index in rec.asked:
        gate = led.plan.gates[index]
        if gate.probe.check in gone:
            del rec.tallies[index]
            led.note("warning", rec=rec, data={"what": "check_left_out", "gate": gate.name})
    rec.asked = tuple(index for index in rec.asked if index in rec.tallies)


def _decide(led: Ledger, rec: DeviceRecord) -> None:
    open_at: float | None = None
    for index, tally in rec.tallies.items():
        match tally.verdict:
            case Verdict.PASSED:
                continue
            case Verdict.OPEN:
                open_at = tally.due_at if open_at is None else min(open_at, tally.due_at)
            case verdict:
                name = led.plan.gates[index].name
                said = "failed" if verdict is Verdict.FAILED else f"was {verdict.value}"
                _unproven(led, rec, f"gate `{name}` {said} on what ran before")
                return
    if open_at is None:
        rec.tallies = {}
        moves.finish(led, rec, DeviceState(rec.ends_as), rec.cause, rec.cause_told)
        return
    led.wake(rec, open_at if rec.lost_at is None else min(open_at, rec.lost_at))


def woke(led: Ledger, rec: DeviceRecord) -> None:
    """The next sample is due, or the time is over."""
    if rec.lost_at is not None and led.now >= rec.lost_at:
        _unproven(led, rec, "its checks came to no end in time")
        return
    moves.prove(led, rec)


def _unproven(led: Ledger, rec: DeviceRecord, detail: str) -> None:
    rec.tallies = {}
    rec.moved = False  # it does run what it ran before
    moves.finish(led, rec, DeviceState.ROLLBACK_FAILED, Reason.UNPROVEN, detail)
