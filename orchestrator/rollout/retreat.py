"""Taking devices back: one device's report, and the rollback of a wave or the whole rollout.

Laws:
1. A rollback begins when its scope is drained: nothing of it is on its way forward any more, at
   the latest after `timeouts.drain` (R13). Devices that answer later go back then.
2. Devices go back in the reverse order of their start unless the plan says otherwise, at most
   `rollback.max_parallel` at once, and at any hour unless it says otherwise: then one whose hours
   it is not lets others pass.
3. A device has gone back only when another connection read the previous artifact back and its
   checks passed there (`returned`).
4. What was proven and not committed goes back with any rollback, whatever its scope: nothing would
   ever commit it. So it does on an abort.
5. A device that cannot go back is quarantined and the others go on; the rollout then ends
   `failed`.

Source: design "rollout-rules" R13 and "States of a rollout".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import TRUST_REASONS, Reason
from orchestrator.plan.resolved import RollbackOrder, RollbackScope
from orchestrator.rollout import brakes, moves, returned
from orchestrator.rollout.events import DeviceReported, DeviceStatus
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.placement import Place, place_of
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import (
    AT_WORK,
    DONE_WAVE,
    DeviceState,
    RolloutState,
    WaveState,
)
from orchestrator.rollout.timers import DRAIN_TIMER, FOLLOW_TIMER, ZONE_TIMER

_BACK = frozenset({Place.NOT_ACTIVATED, Place.REVERTED, Place.WENT_BACK})
_KEPT = frozenset({DeviceState.ROLLBACK_FAILED, DeviceState.LOST})  # not asked again


def went_back(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """A device was asked to go back; only what was read back counts."""
    reason, detail, status = event.outcome.reason, event.outcome.detail, event.status
    if reason in TRUST_REASONS:
        moves.shun(led, rec, reason, detail)
    elif status is not None and _is_back(led, rec, status):
        returned.gone_back(led, rec, status, event.vouched)
    elif reason in returned.UNKNOWN or status is None:
        moves.doubt(led, rec, reason, detail)
    elif reason is Reason.NOTHING_TO_ROLL_BACK:
        _cannot_return(led, rec, status, detail)
    else:
        failed = reason if reason is not Reason.OK else Reason.READ_BACK
        told = _story_of(rec.cause_told, detail, returned.in_place(led, status))
        moves.finish(led, rec, DeviceState.ROLLBACK_FAILED, failed, told)


def _story_of(why: str, said: str, in_place: str) -> str:
    """Why it should go back, why it could not, and what was read back then; nothing twice."""
    return "; ".join(part for part in (why, "" if said in why else said, in_place) if part)


def _cannot_return(led: Ledger, rec: DeviceRecord, status: DeviceStatus, said: str) -> None:
    """The device has no way back from our transaction, mostly as it has had a later one."""
    rec.moved = status.manifest == led.plan.artifact.manifest_sha256
    detail = "; ".join(part for part in (said, f"it runs `{status.artifact}`") if part)
    moves.finish(led, rec, DeviceState.ROLLBACK_FAILED, Reason.NOTHING_TO_ROLL_BACK, detail)


def _is_back(led: Ledger, rec: DeviceRecord, status: DeviceStatus) -> bool:
    return place_of(led, rec, status) in _BACK and returned.is_back(led, rec, status)


def begin(
    led: Ledger, who: str | None, *, wave: int | None, devices: tuple[DeviceId, ...] = ()
) -> None:
    """Starts rolling back a wave, the given devices, or everything that this rollout moved.

    `who` is the person that asked for it, or None where the plan does.
    """
    led.state = RolloutState.ROLLING_BACK
    led.scope = scope_of(wave, devices) | {"asked": who is not None}
    led.drained = False
    led.drain_until = led.now + led.plan.timeouts.drain_s
    led.set_timer(DRAIN_TIMER, led.drain_until)
    led.set_timer(FOLLOW_TIMER, None)  # nobody follows any more
    name = "" if wave is None else led.waves[wave].name
    reason = Reason.ROLLOUT_HALTED if who is None else Reason.CANCELLED
    led.note("rollback_started", wave=name, data={"who": who or "plan", "devices": list(devices)})
    for record in led.waves:
        is_open = record.state not in DONE_WAVE and record.state is not WaveState.PENDING
        if is_open or led.follow_until is not None:
            brakes.cancel_unmoved(led, record, reason)


def begin_by_plan(led: Ledger) -> None:
    """Starts the rollback that the plan asks for after a halt."""
    whole = led.plan.rollback.scope is RollbackScope.ROLLOUT
    tripped = (wave.index for wave in led.under_way() if wave.tripped)
    begin(led, None, wave=None if whole else next(tripped, led.current))


def scope_of(wave: int | None, devices: Sequence[DeviceId]) -> dict[str, object]:
    """What a rollback concerns: of a wave or (None) of all, the given devices or (none) all."""
    return {"wave": wave, "devices": list(devices)}


def in_scope(scope: Mapping[str, object], rec: DeviceRecord) -> bool:
    """Whether a rollback of this scope concerns the device."""
    named, wave = scope.get("devices"), scope.get("wave")
    if isinstance(named, list) and named and rec.id not in named:
        return False
    return wave is None or rec.wave == wave


def returnable(led: Ledger, scope: Mapping[str, object]) -> list[DeviceRecord]:
    """Devices that a rollback of this scope would take back now, first started first."""
    found = [rec for rec in led.devices.values() if _may_return(rec) and in_scope(scope, rec)]
    return sorted(found, key=lambda rec: rec.started)


def advance(led: Ledger) -> None:
    """Drains, then keeps devices going back until all of the scope are done."""
    if not led.drained:
        if _flying(led) and led.drain_until is not None and led.now < led.drain_until:
            return
        _drained(led)
    while led.back_queue and _returning(led) < led.plan.rollback.max_parallel:
        rec = _next_back(led)
        if rec is None:
            return
        if _may_return(rec):
            rec.ends_as = ""
            moves.take_back(led, rec)
    if led.back_queue or _flying(led):
        return
    queue_scope(led)
    if led.back_queue:  # who got to the end of its way forward after the drain
        advance(led)
    else:
        _end(led)


def _next_back(led: Ledger) -> DeviceRecord | None:
    """The next of those whose hours it is; where it is nobody's, wants a tick for when it is.

    Constant time where a rollback minds no hours; else linear in devices whose zone is closed.
    """
    shut: dict[str, float] = {}
    for place in range(len(led.back_queue) - 1, -1, -1):
        rec = led.devices[led.back_queue[place]]
        zone = led.hours.zone_of(rec.id)
        if zone in shut:
            continue
        closed = led.hours.back(rec.id, led.now)
        if closed is None or closed.until_at is None:
            del led.back_queue[place]
            return rec
        shut[zone] = closed.until_at
    led.set_timer(ZONE_TIMER, min(shut.values()))
    return None


def waits(led: Ledger) -> bool:
    """Whether all that is left of a rollback waits for its hours."""
    returning = led.state is RolloutState.ROLLING_BACK and led.drained
    return returning and bool(led.back_queue) and not _flying(led)


def opens_at(led: Ledger, now: float) -> float | None:
    """When the hours of the first device that is to go back are there."""
    one_of = {led.hours.zone_of(device): device for device in led.back_queue}
    closed = (led.hours.back(device, now) for device in one_of.values())
    return min((each.until_at for each in closed if each and each.until_at), default=None)


def _flying(led: Ledger) -> int:
    return sum(wave.at_work + wave.reading for wave in led.waves)


def _returning(led: Ledger) -> int:
    return sum(wave.counts[DeviceState.ROLLING_BACK] for wave in led.waves)


def can_return(rec: DeviceRecord) -> bool:
    """Whether the device may run the new version, and may still be asked to go back."""
    return rec.moved and rec.state not in _KEPT and not rec.shunned


def _may_return(rec: DeviceRecord) -> bool:
    return can_return(rec) and rec.state not in AT_WORK


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
    unmade = [rec for rec in _unmade(led) if not in_scope(led.scope, rec)]
    found = sorted([*returnable(led, led.scope), *unmade], key=lambda rec: rec.started)
    scope = [rec.id for rec in found]
    if led.plan.rollback.order is RollbackOrder.FORWARD:
        scope.reverse()
    led.back_queue = scope


def _end(led: Ledger) -> None:
    stuck = False
    for wave in led.waves:
        members = [led.devices[device] for device in wave.members]
        scope = [rec for rec in members if in_scope(led.scope, rec)]
        if any(_is_stuck(rec) for rec in scope):
            stuck = True
            wave.state = WaveState.ROLLBACK_FAILED
        elif _went_back(scope) and not any(rec.moved for rec in members):
            wave.state = WaveState.ROLLED_BACK
    led.state = RolloutState.FAILED if stuck else RolloutState.ROLLED_BACK


def _unmade(led: Ledger) -> list[DeviceRecord]:
    """Devices that were proven and not committed (R17)."""
    if not any(wave.counts[DeviceState.CONFIRMED] for wave in led.waves):
        return []
    confirmed = (rec for rec in led.devices.values() if rec.state is DeviceState.CONFIRMED)
    return [rec for rec in confirmed if _may_return(rec)]


def _went_back(scope: Sequence[DeviceRecord]) -> bool:
    return any(rec.state is DeviceState.ROLLED_BACK for rec in scope)


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
        rec.excused = True  # nothing was wrong with it
        moves.roll_back(led, rec, Reason.TAKEN_BACK)
    if not waiting:
        led.state = RolloutState.SUPERSEDED if led.superseded else RolloutState.ABORTED
