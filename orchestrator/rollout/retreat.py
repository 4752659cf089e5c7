"""Taking devices back: one device's report, and the rollback of a wave or the whole rollout.

Laws:
1. A rollback begins when its scope is drained: nothing of it is on its way forward any more, at
   the latest after `timeouts.drain` (R13). Devices that answer later go back then.
2. Devices go back in the reverse order of their start unless the plan says otherwise, at most
   `rollback.max_parallel` at once, and at any hour unless it says otherwise.
3. A device has gone back only when another connection read the previous artifact back and its
   checks passed there (`returned`).
4. A device that cannot go back is quarantined and the others go on; the rollout then ends
   `failed`.

Source: design "rollout-rules" R13 and "States of a rollout".
"""

from __future__ import annotations

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import TRUST_REASONS, Reason
from orchestrator.plan.resolved import RollbackOrder, RollbackScope
from orchestrator.rollout import brakes, moves, returned
from orchestrator.rollout.events import DeviceReported, DeviceStatus
from orchestrator.rollout.ledger import DRAIN_TIMER, ZONE_TIMER, Ledger
from orchestrator.rollout.placement import Place, place_of
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import (
    AT_WORK,
    DONE_WAVE,
    DeviceState,
    RolloutState,
    WaveState,
)

_BACK = frozenset({Place.NOT_ACTIVATED, Place.REVERTED, Place.WENT_BACK})
_KEPT = frozenset({DeviceState.ROLLBACK_FAILED, DeviceState.LOST})  # not asked again


def went_back(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """A device was asked to go back; only what was read back counts."""
    reason, detail, status = event.outcome.reason, event.outcome.detail, event.status
    if reason in TRUST_REASONS:
        moves.shun(led, rec, reason, detail)
    elif status is not None and _is_back(led, rec, status):
        returned.gone_back(led, rec, status, rec.reason, rec.detail)
    elif reason in returned.UNKNOWN or status is None:
        moves.doubt(led, rec, reason, detail)
    else:
        failed = reason if reason is not Reason.OK else Reason.READ_BACK
        moves.finish(led, rec, DeviceState.ROLLBACK_FAILED, failed, detail)


def _is_back(led: Ledger, rec: DeviceRecord, status: DeviceStatus) -> bool:
    return place_of(led, rec, status) in _BACK and returned.is_back(led, rec, status)


def begin(led: Ledger, who: str, *, wave: int | None, devices: tuple[DeviceId, ...] = ()) -> None:
    """Starts rolling back a wave, the given devices, or everything that this rollout moved."""
    led.state = RolloutState.ROLLING_BACK
    led.scope = {"wave": wave, "devices": list(devices)}
    led.drained = False
    led.drain_until = led.now + led.plan.timeouts.drain_s
    led.set_timer(DRAIN_TIMER, led.drain_until)
    name = "" if wave is None else led.waves[wave].name
    led.note("rollback_started", wave=name, data={"who": who, "devices": list(devices)})
    for record in led.waves:
        if record.state not in DONE_WAVE and record.state is not WaveState.PENDING:
            brakes.cancel_unmoved(led, record, Reason.ROLLOUT_HALTED)


def begin_by_plan(led: Ledger) -> None:
    """Starts the rollback that the plan asks for after a halt."""
    whole = led.plan.rollback.scope is RollbackScope.ROLLOUT
    begin(led, "plan", wave=None if whole else led.current)


def in_scope(led: Ledger, rec: DeviceRecord) -> bool:
    """Whether the rollback under way concerns the device."""
    devices = led.scope.get("devices")
    if devices:
        return isinstance(devices, list) and rec.id in devices
    wave = led.scope.get("wave")
    return wave is None or rec.wave == wave


def advance(led: Ledger) -> None:
    """Drains, then keeps devices going back until all of the scope are done."""
    if not led.drained:
        if _flying(led) and led.drain_until is not None and led.now < led.drain_until:
            return
        _drained(led)
    while led.back_queue and _returning(led) < led.plan.rollback.max_parallel:
        rec = led.devices[led.back_queue[-1]]
        closed = led.hours.back(rec.id, led.now)
        if closed is not None and closed.until_at is not None:
            led.set_timer(ZONE_TIMER, closed.until_at)
            return
        led.back_queue.pop()
        if _may_return(led, rec):
            rec.ends_as = ""
            moves.roll_back(led, rec, Reason.ROLLOUT_HALTED)
    if not led.back_queue and not _flying(led):
        _end(led)


def _flying(led: Ledger) -> int:
    return sum(wave.at_work + wave.reading for wave in led.waves)


def _returning(led: Ledger) -> int:
    return sum(wave.counts[DeviceState.ROLLING_BACK] for wave in led.waves)


def _may_return(led: Ledger, rec: DeviceRecord) -> bool:
    settled = rec.state not in AT_WORK and rec.state not in _KEPT
    return rec.moved and settled and not rec.shunned and in_scope(led, rec)


def _drained(led: Ledger) -> None:
    led.drained = True
    led.set_timer(DRAIN_TIMER, None)
    for rec in led.devices.values():
        if rec.reading:
            rec.reading = False
            rec.tallies = {}
            led.release(rec)
            led.wake(rec, None)
            led.wave_of(rec).reading -= 1
    queue_scope(led)


def queue_scope(led: Ledger) -> None:
    """Queues what must go back in the plan's order; also after a restart."""
    scope = [rec for rec in led.devices.values() if _may_return(led, rec)]
    newest_last = led.plan.rollback.order is RollbackOrder.REVERSE
    scope.sort(key=lambda rec: rec.started, reverse=not newest_last)
    led.back_queue = [rec.id for rec in scope]


def _end(led: Ledger) -> None:
    stuck = [rec for rec in led.devices.values() if _is_stuck(rec) and in_scope(led, rec)]
    for wave in led.waves:
        concerned = led.scope.get("wave") in (None, wave.index)
        if concerned and wave.state is not WaveState.PENDING:
            failed = any(rec.wave == wave.index for rec in stuck)
            wave.state = WaveState.ROLLBACK_FAILED if failed else WaveState.ROLLED_BACK
    led.state = RolloutState.FAILED if stuck else RolloutState.ROLLED_BACK


def _is_stuck(rec: DeviceRecord) -> bool:
    return rec.moved or rec.state is DeviceState.ROLLBACK_FAILED


def leave(led: Ledger) -> None:
    """An abort: devices in flight finish; what is confirmed but not committed goes back."""
    if any(wave.at_work for wave in led.waves):
        return
    waiting = [
        rec for rec in led.devices.values() if rec.state is DeviceState.CONFIRMED and rec.moved
    ]
    for rec in sorted(waiting, key=lambda rec: -rec.started):
        moves.roll_back(led, rec, Reason.CANCELLED)
    if not waiting:
        led.state = RolloutState.ABORTED
