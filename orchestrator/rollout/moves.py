"""The steps of one device, each a state with the action and the deadline that belong to it.

Source: design "rollout-rules", "States of a device"; lead decisions in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import OfflinePolicy, ProbeKind
from orchestrator.rollout import brakes
from orchestrator.rollout.actions import GateAction, Work
from orchestrator.rollout.ledger import Ledger, Moment
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import (
    COUNTED,
    DeviceState,
    Halt,
    RolloutState,
)
from orchestrator.rollout.verdict import Tally, Verdict

POLL_S = 5.0  # first distance between questions to an uncertain device; doubles up to POLL_MAX_S
POLL_MAX_S = 60.0
AGAIN_S = 60.0  # first distance between questions to a deferred device; doubles up to AGAIN_MAX_S
AGAIN_MAX_S = 900.0
ROLLBACKS_MAX = 10  # a device that never finishes going back needs a human
REPLY_S = 30.0  # a request without work of its own is answered within this after connecting


_GOING = frozenset({RolloutState.RUNNING, RolloutState.CATCHING_UP})
_AFTER_ACTIVATION = frozenset({DeviceState.ROLLED_BACK, DeviceState.ROLLBACK_FAILED})


def enqueue(
    led: Ledger,
    rec: DeviceRecord,
    reason: Reason = Reason.OK,
    detail: str = "",
    *,
    last: bool = False,
) -> None:
    """Back into the queue, in front of those that never started, or behind everybody (`last`)."""
    led.release(rec)
    led.wake(rec, None)
    led.move(rec, DeviceState.QUEUED, reason, detail)
    queue = led.wave_of(rec).queue
    if last:
        queue.append(rec.id)
    else:
        queue.appendleft(rec.id)


def withdraw(led: Ledger, rec: DeviceRecord) -> None:
    """Back into the queue from where it stood ready: no go will come.

    The device is told no, or hears nothing, and drops what was staged: it is delivered anew.
    """
    led.new_attempt(rec)
    enqueue(led, rec, Reason.INTERRUPTED)


def transfer(led: Ledger, rec: DeviceRecord) -> None:
    """Begins an attempt: its checks from before the update, if the plan has some, then the delivery."""
    rec.begun_at = led.now
    if not rec.started:
        led.start_count += 1
        rec.started = led.start_count
    if not rec.txn:
        led.new_attempt(rec)
    before = led.device_gates(rec.wave, Moment.BEFORE)
    if before and not rec.cleared:
        led.move(rec, DeviceState.PREFLIGHT)
        begin_gates(led, rec, before)
        prove(led, rec)
        return
    deliver(led, rec)


def deliver(led: Ledger, rec: DeviceRecord) -> None:
    """Stage, verify and install beside what runs; nothing speaks against it any more."""
    rec.tallies = {}
    led.move(rec, DeviceState.TRANSFERRING)
    want_delivery(led, rec)


def want_delivery(led: Ledger, rec: DeviceRecord) -> None:
    """Wants the delivery of the present attempt."""
    times = led.plan.timeouts
    limit_s = times.connect_s + times.transfer_s + 2 * times.install_s
    fresh, rec.untried = rec.untried, False
    led.want(rec, Work.DELIVER, limit_s, fresh=fresh)


def retry_later(led: Ledger, rec: DeviceRecord, reason: Reason, detail: str) -> None:
    """Waits before another try of the same attempt, longer each time."""
    retries = led.plan.retries
    led.release(rec)
    led.move(rec, DeviceState.RETRY_WAIT, reason, detail)
    led.wake(rec, led.now + retries.delay_s * retries.backoff**rec.tries)
    rec.tries += 1


def defer(led: Ledger, rec: DeviceRecord, reason: Reason, detail: str) -> None:
    """Parks a device that was never started (R7); no failure unless the plan says so."""
    if led.plan.offline is OfflinePolicy.FAIL:
        finish(led, rec, DeviceState.FAILED, reason, detail)
        return
    rec.tries = 0
    rec.deferrals += 1
    if rec.deferred_at is None:
        rec.deferred_at = led.now
    finish(led, rec, DeviceState.DEFERRED, reason, detail)
    waits = led.plan.offline is OfflinePolicy.WAIT
    if led.follow_until is None and waits and led.wave_of(rec).promised:
        led.give_up(rec)  # somebody decided that the wave goes on without
    elif led.follow_until is not None or waits:
        ask_again(led, rec)


def ask_again(led: Ledger, rec: DeviceRecord) -> None:
    """Wakes a deferred device for its next question: later each time, but never past its end."""
    distance_s = min(AGAIN_MAX_S, AGAIN_S * 2.0 ** min(10, max(0, rec.deferrals - 1)))
    at = max(led.now, rec.since + distance_s)
    end_at = away_until(led, rec)
    led.wake(rec, at if end_at is None else max(led.now, min(at, end_at)))


def away_until(led: Ledger, rec: DeviceRecord) -> float | None:
    """Until when a deferred device is asked again; None before the last wave has passed."""
    if led.follow_until is not None:
        return led.follow_until
    if led.plan.offline is not OfflinePolicy.WAIT or rec.deferred_at is None:
        return None
    return rec.deferred_at + led.plan.offline_for_s


def activate(led: Ledger, rec: DeviceRecord) -> None:
    """Gives the go: from here on the device finishes its own way, forward or back."""
    led.mark_proven(rec, proven=False)
    rec.moved, rec.away, rec.excused, rec.went = True, False, False, True
    rec.ends_as, rec.repeats = "", 0
    led.move(rec, DeviceState.ACTIVATING)
    led.wake(rec, None)
    led.want(rec, Work.ACTIVATE, led.plan.timeouts.connect_s + led.plan.timeouts.install_s)


def keep(led: Ledger, rec: DeviceRecord) -> None:
    """Lets a device that stands ready keep what was staged, without a connection (R12)."""
    led.move(rec, DeviceState.BLOCKED, Reason.WINDOW)
    led.want(rec, Work.KEEP, led.plan.timeouts.connect_s + REPLY_S)


def verify(led: Ledger, rec: DeviceRecord) -> None:
    """Starts proving: read-back and gates, all samples anew."""
    led.mark_proven(rec, proven=False)
    led.move(rec, DeviceState.VERIFYING)
    begin_gates(led, rec, led.device_gates(rec.wave, Moment.UPDATED))
    prove(led, rec)


def commit(led: Ledger, rec: DeviceRecord) -> None:
    """Makes the version permanent, with the nonce of the last proof."""
    seconds = led.plan.timeouts.connect_s + led.plan.timeouts.install_s
    led.mark_proven(rec)
    led.move(rec, DeviceState.COMMITTING)
    led.wake(rec, None)
    led.want(rec, Work.COMMIT, seconds, nonce=rec.nonce)


def begin_gates(led: Ledger, rec: DeviceRecord, indexes: Iterable[int]) -> None:
    """Fresh tallies of the gates that the device must pass."""
    drop_samples(led, rec)
    gates = led.plan.gates
    rec.tallies = {index: Tally(due_at=led.now + gates[index].initial_delay_s) for index in indexes}


def prove(led: Ledger, rec: DeviceRecord) -> None:
    """Asks for a proof with the checks that are due; samples of other gates run beside it."""
    gates = led.plan.gates
    rec.asked = tuple(
        index
        for index, tally in rec.tallies.items()
        if tally.verdict is Verdict.OPEN
        and tally.due_at <= led.now
        and gates[index].probe.kind is ProbeKind.CHECK
    )
    checks = tuple(dict.fromkeys(gates[index].probe.check for index in rec.asked))
    time_s = led.plan.timeouts.connect_s + REPLY_S
    time_s += sum(gates[index].timeout_s for index in rec.asked)
    led.wake(rec, None)
    led.want(rec, _proof_of(rec), time_s, checks=checks)


def _proof_of(rec: DeviceRecord) -> Work:
    if rec.state is DeviceState.PREFLIGHT:
        return Work.PREFLIGHT
    returns = rec.state is DeviceState.ROLLING_BACK
    return Work.READ_BACK if rec.reading or returns else Work.PROVE


def drop_samples(led: Ledger, rec: DeviceRecord) -> None:
    """No sample of a gate is wanted for the device any more."""
    for gate, number in rec.sampling.items():
        led.drop_sample(GateAction(gate, rec.wave, number, rec.id))
    rec.sampling.clear()


def roll_back(
    led: Ledger,
    rec: DeviceRecord,
    reason: Reason,
    detail: str = "",
    *,
    ends_as: DeviceState = DeviceState.ROLLED_BACK,
) -> None:
    """Takes the device back to what it ran before."""
    drop_samples(led, rec)
    if rec.ends_as:
        rec.repeats += 1
        if rec.repeats > ROLLBACKS_MAX:
            finish(led, rec, DeviceState.ROLLBACK_FAILED, Reason.ROLLBACK, detail)
            return
    else:
        begin_return(led, rec, ends_as, reason, detail)
    led.move(rec, DeviceState.ROLLING_BACK, reason, detail)
    led.wake(rec, None)
    times = led.plan.timeouts
    led.want(rec, Work.ROLL_BACK, 2 * times.connect_s + times.install_s)


def begin_return(
    led: Ledger, rec: DeviceRecord, ends_as: DeviceState, reason: Reason, detail: str = ""
) -> None:
    """The device goes back from here on, and for this reason, whatever it answers meanwhile."""
    if reason is not rec.reason:
        rec.troubled_at = led.now
    rec.ends_as, rec.repeats = ends_as.value, 0
    rec.cause, rec.cause_told = reason, detail[:1024]


def take_back(led: Ledger, rec: DeviceRecord) -> None:
    """Takes a device back with others, whatever became of it: the rollout is taken back.

    Where a person wants that it is no failure of the release, unless it was one before (R6). One
    that failed by itself keeps its own reason: it is why the others go back.
    """
    asked = bool(led.scope.get("asked"))
    if asked and not rec.ends_as and rec.state not in COUNTED:
        rec.excused = True
    if rec.state in COUNTED and not rec.excused:
        roll_back(led, rec, rec.reason, rec.detail)
        return
    by_person = asked and rec.excused
    roll_back(led, rec, Reason.TAKEN_BACK if by_person else Reason.ROLLOUT_HALTED)


def doubt(led: Ledger, rec: DeviceRecord, reason: Reason, detail: str = "") -> None:
    """The outcome is unknown: ask the device where it stands, until it is lost."""
    times = led.plan.timeouts
    drop_samples(led, rec)
    step_s = times.install_s if rec.state is DeviceState.ACTIVATING else times.reboot_s
    rec.dark_at = led.now + step_s
    rec.lost_at = led.now + max(step_s, times.lost_after_s)
    rec.tries = 0
    led.move(rec, DeviceState.UNCERTAIN, reason, detail)
    inquire(led, rec)


def inquire(led: Ledger, rec: DeviceRecord) -> None:
    """Asks an uncertain device; its deadlines run on meanwhile."""
    led.want(rec, Work.INQUIRE, led.plan.timeouts.connect_s + REPLY_S)
    watch(led, rec, None)


def watch(led: Ledger, rec: DeviceRecord, poll_at: float | None) -> None:
    """Wakes an uncertain device at its next question or deadline, whichever comes first."""
    deadline = rec.lost_at if rec.dark else rec.dark_at
    times = [at for at in (poll_at, deadline) if at is not None]
    led.wake(rec, min(times) if times else None)


def finish(
    led: Ledger, rec: DeviceRecord, state: DeviceState, reason: Reason, detail: str = ""
) -> None:
    """Ends the device's way in a state; budgets are looked at in the same step."""
    drop_samples(led, rec)
    led.release(rec)
    led.wake(rec, None)
    rec.dark_at = rec.lost_at = None
    if state in (DeviceState.ROLLED_BACK, DeviceState.CANCELLED):
        rec.moved = False
        led.mark_proven(rec, proven=False)
    rec.touched = rec.touched or state in _AFTER_ACTIVATION
    led.move(rec, state, reason, detail)
    wave = led.wave_of(rec)
    if state is DeviceState.ROLLBACK_FAILED:
        what = "is not proven well after it went" if reason is Reason.UNPROVEN else "could not go"
        brakes.halt(led, Halt.ROLLBACK_FAILED, f"device `{rec.id}` {what} back")
    brakes.check_budget(led, wave)


def shun(led: Ledger, rec: DeviceRecord, reason: Reason, detail: str) -> None:
    """A trust failure: the device failed and the rollout halts, whatever the plan says.

    A device whose host key changed is never contacted further: what it runs is unknown.
    """
    rec.shunned = reason is Reason.HOST_KEY
    state = DeviceState.LOST if rec.moved else DeviceState.FAILED
    finish(led, rec, state, reason, detail)
    brakes.halt(led, Halt.TRUST, f"device `{rec.id}`: {reason.value}")


def may_start(led: Ledger) -> bool:
    """Whether devices may start or be activated at all; reads the trip flag."""
    return led.state in _GOING and not led.stopping
