"""Devices of unknown outcome: after a crash of the engine, and while they do not answer.

Laws:
1. Nothing is replayed blindly: what was in flight when an engine died is asked for first. Silence
   counts only from then on: a device is neither dark nor lost before it was asked once more.
2. A device that does not answer past its step's time is `dark` and counted at once; it is asked
   on until it is `lost`. It keeps its place in the bound of R16 (R6).

Source: design "rollout-rules", "Crash recovery" and "States of a device".
"""

from __future__ import annotations

from orchestrator.device.reason import TRUST_REASONS, Reason
from orchestrator.plan.resolved import ProbeKind
from orchestrator.rollout import brakes, catching_up, moves, proof, returned
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import DeviceReported, EngineStarted
from orchestrator.rollout.ledger import Ledger, Moment
from orchestrator.rollout.placement import settle_place
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import PAST_RETURN, DeviceState
from orchestrator.rollout.verdict import Verdict


def engine_started(led: Ledger, event: EngineStarted) -> None:
    """What was in flight is of unknown outcome now."""
    led.epoch = event.epoch
    led.stopping = False
    led.note("engine_started", data={"epoch": event.epoch})
    for rec in led.devices.values():
        if rec.state in PAST_RETURN:
            rec.away = rec.away or not rec.ends_as
            if rec.state is DeviceState.UNCERTAIN:
                _ask_once(led, rec)
            else:
                moves.doubt(led, rec, Reason.INTERRUPTED, "the engine was restarted")
        elif rec.state is DeviceState.STAGED:
            led.move(rec, DeviceState.TRANSFERRING, Reason.INTERRUPTED)
            moves.want_delivery(led, rec)
        elif rec.state is DeviceState.TRANSFERRING:
            moves.want_delivery(led, rec)
        elif rec.state is DeviceState.PREFLIGHT:
            moves.begin_gates(led, rec, led.device_gates(rec.wave, Moment.BEFORE))
            moves.prove(led, rec)
        elif rec.state is DeviceState.DEFERRED and rec.due_at is not None:
            if rec.due_at <= led.now:  # otherwise the engine would rest before its first tick
                catching_up.device_woke(led, rec)
        elif rec.reading:
            moves.begin_gates(led, rec, led.device_gates(rec.wave, Moment.SOAKED))
            moves.prove(led, rec)


def _ask_once(led: Ledger, rec: DeviceRecord) -> None:
    """Its time may have run out while nobody asked: then it has until this question is over."""
    asked_until = led.now + led.plan.timeouts.connect_s + moves.REPLY_S
    if rec.dark_at is not None:
        rec.dark_at = max(rec.dark_at, asked_until)
    if rec.lost_at is not None:
        rec.lost_at = max(rec.lost_at, asked_until)
    moves.inquire(led, rec)


def engine_stopping(led: Ledger, *, told: bool) -> None:
    """Devices before the point of no return go back into the queue; nothing new starts."""
    led.stopping = True
    if told:
        led.note("engine_stopping")
    for rec in led.devices.values():
        if rec.state is DeviceState.STAGED:
            moves.withdraw(led, rec)
        elif rec.state in (DeviceState.TRANSFERRING, DeviceState.PREFLIGHT):
            moves.enqueue(led, rec, Reason.INTERRUPTED)


def inquired(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """An uncertain device answered, or did not."""
    reason, status = event.outcome.reason, event.status
    if reason in TRUST_REASONS:
        moves.shun(led, rec, reason, event.outcome.detail)
    elif reason is not Reason.OK or status is None:
        led.release(rec)
        distance = min(moves.POLL_MAX_S, moves.POLL_S * 2**rec.tries)
        rec.tries += 1
        moves.watch(led, rec, led.now + distance)
    else:
        rec.tries = 0
        settle_place(led, rec, status)


def device_woke(led: Ledger, rec: DeviceRecord) -> None:
    """The time came that the device waited for."""
    match rec.state:
        case DeviceState.UNCERTAIN:
            _uncertain_woke(led, rec)
        case DeviceState.RETRY_WAIT:
            moves.enqueue(led, rec, rec.reason, rec.detail)
        case DeviceState.DEFERRED:
            catching_up.device_woke(led, rec)
        case DeviceState.REBOOTING:
            led.want(rec, Work.PROVE, led.plan.timeouts.connect_s + moves.REPLY_S)
        case DeviceState.ROLLING_BACK:
            returned.woke(led, rec)
        case DeviceState.VERIFYING | DeviceState.PREFLIGHT:
            _sample(led, rec)
        case _ if rec.reading:
            _sample(led, rec)
        case _:
            pass


def _sample(led: Ledger, rec: DeviceRecord) -> None:
    kinds = {
        led.plan.gates[index].probe.kind
        for index, tally in rec.tallies.items()
        if tally.verdict is Verdict.OPEN and tally.due_at <= led.now
    }
    if ProbeKind.CHECK in kinds or not kinds:
        moves.prove(led, rec)
    else:
        proof.sample_others(led, rec)
        proof.decide(led, rec)


def _uncertain_woke(led: Ledger, rec: DeviceRecord) -> None:
    if rec.lost_at is not None and led.now >= rec.lost_at:
        moves.finish(led, rec, DeviceState.LOST, Reason.LOST, rec.detail)
        return
    if not rec.dark and rec.dark_at is not None and led.now >= rec.dark_at:
        led.mark_dark(rec)
        brakes.check_budget(led, led.wave_of(rec))
    if rec.work is None:
        moves.inquire(led, rec)
    else:
        moves.watch(led, rec, None)
