"""Reports on the way to the point of no return: deliveries and activations.

Source: design "rollout-rules", table "States of a device", and R7, R13.
"""

from __future__ import annotations

from orchestrator.device.reason import CONNECT_REASONS, TRUST_REASONS, Reason
from orchestrator.rollout import brakes, moves, opening, samples
from orchestrator.rollout.events import DeviceReported
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.placement import Place, place_of, settle_place
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import DeviceState, Pause
from orchestrator.rollout.verdict import Verdict

CANCELS_MAX = 10  # a device that always cancels the go is a failing device

_NEVER_STARTED = frozenset({Reason.AUTHENTICATION})
_LEFT_OUT = frozenset({Reason.INCOMPATIBLE, Reason.NOT_ENROLLED, Reason.USAGE})
# not now; nobody's fault
_BLOCKED = frozenset({Reason.INHIBITED, Reason.NOT_OPEN_YET, Reason.WRONG_STATE})
_TRANSFER = CONNECT_REASONS | {Reason.IO, Reason.INTERRUPTED, Reason.BUSY}
_UNKNOWN = CONNECT_REASONS | {
    Reason.PROTOCOL,
    Reason.BUSY,
    Reason.AUTHENTICATION,
    Reason.INTERRUPTED,
}


def preflighted(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """A device told how it is before its update, or did not answer."""
    reason = event.outcome.reason
    if reason in TRUST_REASONS:
        moves.shun(led, rec, reason, event.outcome.detail)
    elif reason in _LEFT_OUT:
        moves.finish(led, rec, DeviceState.SKIPPED, reason, event.outcome.detail)
    elif reason is not Reason.OK:
        _fail_or_retry(led, rec, event)
    else:
        samples.take_checks(led, rec, event)
        _judge_preflight(led, rec)


def _judge_preflight(led: Ledger, rec: DeviceRecord) -> None:
    """A device that is not well before its update is left as it is; nothing was sent to it."""
    deciding = [
        (index, tally) for index, tally in rec.tallies.items() if not led.plan.gates[index].dry_run
    ]
    for index, tally in deciding:
        name = led.plan.gates[index].name
        if tally.verdict is Verdict.FAILED:
            moves.finish(led, rec, DeviceState.FAILED, Reason.CHECK, f"gate `{name}` before it")
            return
        if tally.verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR):
            detail = f"gate `{name}` is {tally.verdict.value} before it"
            rec.excused = True  # it says nothing of the release: it pauses, and is no failure (R9)
            brakes.pause(led, Pause.NO_DATA, f"device `{rec.id}`: {detail}")
            moves.finish(led, rec, DeviceState.FAILED, Reason.NO_DATA, detail)
            return
    waiting = [tally.due_at for _, tally in deciding if tally.verdict is Verdict.OPEN]
    if waiting:
        led.wake(rec, min(waiting))
        return
    rec.cleared = True
    moves.deliver(led, rec)


def delivered(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """A delivery stands ready, or ended without a go."""
    reason, detail = event.outcome.reason, event.outcome.detail
    status = event.status
    if reason is Reason.OK:
        _stand_ready(led, rec, event)
    elif reason is Reason.UNCHANGED:
        if status is not None and place_of(led, rec, status) is Place.AT_TARGET:
            moves.finish(led, rec, DeviceState.UNCHANGED, reason)
        else:
            moves.finish(led, rec, DeviceState.FAILED, Reason.READ_BACK, detail)
    elif reason in TRUST_REASONS:
        moves.shun(led, rec, reason, detail)
    elif reason is Reason.WRONG_STATE and status is not None and status.txn == rec.txn:
        settle_place(led, rec, status)  # an earlier try went further than we knew
    elif reason is Reason.CANCELLED:
        _start_over(led, rec, detail)
    elif reason is Reason.NOT_OPEN_YET:
        _not_open(led, rec, event)
    elif reason in _LEFT_OUT:
        moves.finish(led, rec, DeviceState.SKIPPED, reason, detail)
    else:
        _fail_or_retry(led, rec, event)


def _stand_ready(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    if rec.state is not DeviceState.TRANSFERRING:
        return
    if event.status is not None:
        rec.previous = event.status.manifest
        rec.boot = event.status.boot_id
    rec.tries = rec.deferrals = 0
    rec.deferred_at = None
    led.move(rec, DeviceState.STAGED)
    led.wave_of(rec).staged.append(rec.id)


def _not_open(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    detail, at = event.outcome.detail, opening.opening_of(led, rec.id)
    if at is None:
        moves.finish(led, rec, DeviceState.SKIPPED, Reason.NEVER_OPEN, detail)
    elif at > led.now:
        moves.enqueue(led, rec, Reason.NOT_OPEN_YET, detail, last=True)
    else:  # its clock is behind: what it says now is all that is known
        _fail_or_retry(led, rec, event)


def _start_over(led: Ledger, rec: DeviceRecord, detail: str) -> None:
    rec.tries += 1
    if rec.tries > CANCELS_MAX:
        moves.finish(led, rec, DeviceState.FAILED, Reason.CANCELLED, detail)
        return
    led.new_attempt(rec)  # the device forgot what was staged
    moves.enqueue(led, rec, Reason.CANCELLED, detail)


def _fail_or_retry(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    reason, detail = event.outcome.reason, event.outcome.detail
    retries = led.plan.retries
    unreached = not event.reached or reason in _NEVER_STARTED
    kind = "connect" if unreached else "transfer"
    blocked = reason in _BLOCKED
    again = blocked or (kind in retries.classes and (unreached or reason in _TRANSFER))
    if (unreached or blocked) and rec.deferrals:
        again = False  # it was away already: asked once, and again after a longer time
    if again and rec.tries < retries.count and reason not in _NEVER_STARTED:
        moves.retry_later(led, rec, reason, detail)
    elif unreached or blocked:
        moves.defer(led, rec, reason, detail)
    else:
        moves.finish(led, rec, DeviceState.FAILED, reason, detail)


def kept(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """A device keeps what was staged for its window, or not: its activation looks before it acts."""
    del led, rec, event


def activated(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """The go was answered, refused, or its answer was lost."""
    reason, detail = event.outcome.reason, event.outcome.detail
    if reason is Reason.OK:
        rec.repeats = 0
        if event.rebooting:
            led.move(rec, DeviceState.REBOOTING)
            rec.lost_at = led.now + led.plan.timeouts.reboot_s
            led.release(rec)
            led.wake(rec, led.now + moves.POLL_S)
        else:
            moves.verify(led, rec)
    elif reason in _UNKNOWN:
        moves.doubt(led, rec, reason, detail)
    elif reason in TRUST_REASONS:
        moves.shun(led, rec, reason, detail)
    elif event.status is not None:
        settle_place(led, rec, event.status)
    elif reason is Reason.CANCELLED:
        _not_activated(led, rec, detail)
    else:
        moves.roll_back(led, rec, reason, detail)


def _not_activated(led: Ledger, rec: DeviceRecord, detail: str) -> None:
    rec.moved = False
    if moves.may_start(led):
        _start_over(led, rec, detail)
    else:
        moves.finish(led, rec, DeviceState.CANCELLED, Reason.ROLLOUT_HALTED, detail)
