"""Reports after activation: proofs, device gates, confirm and commit, fresh evidence.

Laws:
1. A proof is a read-back over a new connection: the target's manifest, content in place, our
   transaction in probation (or later), and every deciding gate passed on samples after it (R9).
2. A device succeeds only with a proof after its last boot; a stale nonce means proving again.
3. Modules that keep the previous version commit at once, others confirm and wait for their wave
   (R17).
4. At the end of a soak a device proves itself once more or is `regressed` (R10).

Source: design "rollout-rules" R9, R10, R17 and "States of a device".
"""

from __future__ import annotations

from orchestrator.device.reason import CONNECT_REASONS, TRUST_REASONS, Reason
from orchestrator.plan.resolved import ProbeKind
from orchestrator.rollout import brakes, moves, readings, samples
from orchestrator.rollout.actions import GateAction, Work
from orchestrator.rollout.events import DeviceReported, GateSampled
from orchestrator.rollout.ledger import Ledger, Moment
from orchestrator.rollout.placement import Place, place_of, settle_place
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import DeviceState, Pause
from orchestrator.rollout.verdict import Verdict
from orchestrator.rollout.vouching import note_read_back, take_signer

PROOFS_MAX = 3  # a device that boots between proof and commit again and again is not healthy
LOST_PROOFS_MAX = 10  # nor one that says where it stands and yet never how it is

_UNKNOWN = CONNECT_REASONS | {Reason.PROTOCOL, Reason.AUTHENTICATION, Reason.BUSY}
_ON_TARGET = frozenset({Place.PROBATION, Place.CONFIRMED, Place.COMMITTED})


def proved(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """A device that was activated answered, or did not."""
    reason, status = event.outcome.reason, event.status
    place = None if status is None else place_of(led, rec, status)
    if rec.state is DeviceState.REBOOTING and not _rebooted(led, rec, event):
        return
    if reason in TRUST_REASONS:
        moves.shun(led, rec, reason, event.outcome.detail)
    elif reason in _UNKNOWN or status is None:
        _unproven(led, rec, reason, event.outcome.detail)
    elif place not in _ON_TARGET:
        settle_place(led, rec, status)
    elif rec.state is DeviceState.REBOOTING:
        moves.verify(led, rec)
    elif place is not Place.COMMITTED and not status.commit_nonce:
        _unproven(led, rec, Reason.PROTOCOL, "no commit nonce")
    else:
        rec.nonce = "" if place is Place.COMMITTED else status.commit_nonce
        rec.boot = status.boot_id
        take_signer(led, rec, event.vouched)
        samples.take_checks(led, rec, event)
        sample_others(led, rec)
        decide(led, rec)


def _unproven(led: Ledger, rec: DeviceRecord, reason: Reason, detail: str) -> None:
    """Asks where it stands, and goes on from there; not for ever, however well it answers that."""
    if rec.repeats >= (PROOFS_MAX if reason is Reason.PROTOCOL else LOST_PROOFS_MAX):
        moves.roll_back(led, rec, reason, detail)
        return
    rec.repeats += 1
    moves.doubt(led, rec, reason, detail)


def _rebooted(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> bool:
    """Whether the device is up again; otherwise waits on, or takes it back when time is over."""
    status = event.status
    if status is not None and status.boot_id != rec.boot:
        rec.boot = status.boot_id
        return True
    if rec.lost_at is not None and led.now < rec.lost_at:
        led.release(rec)
        led.wake(rec, led.now + moves.POLL_S)
    elif status is not None:
        moves.roll_back(led, rec, Reason.REBOOT)
    else:
        moves.doubt(led, rec, event.outcome.reason, event.outcome.detail)
    return False


def sample_others(led: Ledger, rec: DeviceRecord) -> None:
    """Starts samples of controller-side gates that are due for the device."""
    for index, tally in rec.tallies.items():
        gate = led.plan.gates[index]
        due = tally.verdict is Verdict.OPEN and tally.due_at <= led.now
        if due and gate.probe.kind is not ProbeKind.CHECK and index not in rec.sampling:
            rec.round += 1
            rec.sampling[index] = rec.round
            led.want_sample(GateAction(index, rec.wave, rec.round, rec.id, gate.timeout_s))


def device_sampled(led: Ledger, rec: DeviceRecord, event: GateSampled) -> None:
    """A sample of a controller-side gate for one device came in."""
    if rec.sampling.get(event.gate) != event.round or event.gate not in rec.tallies:
        return
    del rec.sampling[event.gate]
    led.drop_sample(GateAction(event.gate, rec.wave, event.round, rec.id))
    led.dirty[rec.id] = None
    fields = readings.device_fields(led.plan.gates[event.gate], rec.id, event)
    samples.add(led, rec, event.gate, fields, event.error)
    if rec.work is None:
        decide(led, rec)


def decide(led: Ledger, rec: DeviceRecord) -> None:
    """Passes, fails, or waits for the next sample."""
    gates = led.plan.gates
    open_at: float | None = None
    passed = True
    for index, tally in rec.tallies.items():
        gate = gates[index]
        if gate.dry_run:
            continue
        if tally.verdict is Verdict.FAILED:
            _rejected(led, rec, Reason.CHECK, f"gate `{gate.name}` failed")
            return
        if tally.verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR):
            _undecided(led, rec, f"gate `{gate.name}` was {tally.verdict.value}")
            return
        if tally.verdict is Verdict.OPEN:
            passed = False
            if index not in rec.sampling:
                open_at = tally.due_at if open_at is None else min(open_at, tally.due_at)
    if passed:
        _passed(led, rec)
        return
    led.release(rec)
    led.wake(rec, open_at)


def _rejected(led: Ledger, rec: DeviceRecord, reason: Reason, detail: str) -> None:
    if rec.reading:
        regress(led, rec, detail)
    else:
        moves.roll_back(led, rec, reason, detail)


def _undecided(led: Ledger, rec: DeviceRecord, detail: str) -> None:
    """No evidence: the device may not stay in probation, but the release is not to blame."""
    if rec.reading:
        regress(led, rec, detail)
        return
    rec.excused = True
    moves.roll_back(led, rec, Reason.NO_DATA, detail)
    brakes.pause(led, Pause.NO_DATA, f"device `{rec.id}`: {detail}")


def _passed(led: Ledger, rec: DeviceRecord) -> None:
    moves.drop_samples(led, rec)
    rec.tallies = {}
    if rec.reading:
        end_reading(led, rec)
        note_read_back(led, rec)
        return
    seconds = led.plan.timeouts.connect_s + led.plan.timeouts.install_s
    if not rec.nonce:  # nothing to commit: the device says it is committed
        led.mark_proven(rec)
        moves.finish(led, rec, DeviceState.SUCCEEDED, Reason.OK)
    elif rec.late:
        led.want(rec, Work.CONFIRM, seconds, nonce=rec.nonce)
        led.wake(rec, None)
    else:
        moves.commit(led, rec)


def confirmed(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """The dead-man was disarmed, or not."""
    _committing(led, rec, event, DeviceState.CONFIRMED)


def committed(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """The version is permanent, or not."""
    _committing(led, rec, event, DeviceState.SUCCEEDED)


def _committing(led: Ledger, rec: DeviceRecord, event: DeviceReported, done: DeviceState) -> None:
    reason, detail = event.outcome.reason, event.outcome.detail
    if reason is Reason.OK:
        led.mark_proven(rec)
        moves.finish(led, rec, done, Reason.OK)
    elif reason in TRUST_REASONS:
        moves.shun(led, rec, reason, detail)
    elif reason is Reason.NONCE and rec.repeats < PROOFS_MAX:
        rec.repeats += 1
        moves.verify(led, rec)
    elif reason in _UNKNOWN or reason is Reason.WRONG_STATE:
        _unproven(led, rec, reason, detail)
    else:
        moves.roll_back(led, rec, reason, detail)


# --- fresh evidence at the end of a soak -----------------------------------------------------


def begin_reading(led: Ledger, rec: DeviceRecord) -> None:
    """Reads a device of a soaked wave back once more."""
    rec.reading = True
    rec.lost_at = led.now + led.plan.timeouts.reboot_s
    rec.tries = 0
    moves.begin_gates(led, rec, led.device_gates(rec.wave, Moment.SOAKED))
    moves.prove(led, rec)


def end_reading(led: Ledger, rec: DeviceRecord) -> None:
    """The read-back is over, either way."""
    moves.drop_samples(led, rec)
    led.release(rec)
    led.wake(rec, None)
    rec.reading = False
    rec.read_at = led.now
    rec.lost_at = None
    led.wave_of(rec).reading -= 1


def read_back(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """A device of a soaked wave answered, or did not."""
    reason, status = event.outcome.reason, event.status
    if reason in TRUST_REASONS:
        end_reading(led, rec)
        moves.shun(led, rec, reason, event.outcome.detail)
    elif reason in _UNKNOWN or status is None:
        _read_again(led, rec, event)
    elif not still_good(led, rec, event):
        regress(led, rec, "the artifact is no longer what was committed")
    else:
        rec.nonce, rec.boot = status.commit_nonce, status.boot_id
        take_signer(led, rec, event.vouched)
        samples.take_checks(led, rec, event)
        decide(led, rec)


def still_good(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> bool:
    """Whether the device still runs the target, through this rollout."""
    return event.status is not None and place_of(led, rec, event.status) in _ON_TARGET


def _read_again(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    if rec.lost_at is None or led.now >= rec.lost_at:
        regress(led, rec, f"no answer at the end of the soak: {event.outcome.reason.value}")
        return
    rec.tries += 1
    led.release(rec)
    led.wake(rec, min(rec.lost_at, led.now + moves.POLL_S * 2**rec.tries))


def regress(led: Ledger, rec: DeviceRecord, detail: str) -> None:
    """A device that had succeeded is no longer good: counted (R6)."""
    end_reading(led, rec)
    rec.tallies = {}
    if rec.state is DeviceState.CONFIRMED:  # not committed, and its dead-man is disarmed
        moves.roll_back(led, rec, Reason.REGRESSED, detail)
        return
    moves.finish(led, rec, DeviceState.FAILED, Reason.REGRESSED, detail)
