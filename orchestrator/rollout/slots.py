"""Who may start and who may be activated: the bounds of a wave, its hours and pace, and backfill.

Laws:
1. A slot is granted in the step that reads the trip flag (R6): `fill` runs after every event and
   grants nothing unless the rollout is running.
2. Past the point of no return and unproven: at most the bound of R16. Before it: at most twice
   that, so that a bad release wastes few transfers. At work in all: at most `max_parallel`.
3. A device that has to wait for a slot of its label, its hours, a line of the ticket, or another plan,
   lets others pass. It is looked at again when a slot becomes free or its time comes, so that one
   event costs constant time.
4. A device that was never reached is replaced by the next one in order, as often as the wave
   allows (R7).

Source: design "rollout-rules" R6, R7, R12, R16 and "Further behaviour the field taught".
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable, Sequence

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import CONNECT_REASONS, Reason
from orchestrator.rollout import brakes, moves, opening, pacing, turn
from orchestrator.rollout.hours import Closed
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.pacing import Slot
from orchestrator.rollout.record import DeviceRecord, WaveRecord
from orchestrator.rollout.states import DeviceState, Pause, RolloutState, WaveState
from orchestrator.rollout.timers import RATE_TIMER, ZONE_TIMER

AHEAD_FACTOR = 2
HOURS = ""  # stands where a label does in the key of devices that wait for their hours
# nothing of the rollout ends such a wait
_OUTSIDE = frozenset({HOURS, turn.REQUIRES_SLOT[0], opening.TICKET_LABEL})
_STARTABLE = frozenset({DeviceState.PENDING, DeviceState.QUEUED})
_GOING = frozenset({DeviceState.STAGED, DeviceState.BLOCKED})
_OPEN = frozenset({WaveState.RUNNING, WaveState.WAITING})


def fill(led: Ledger) -> bool:
    """Grants slots of the running wave; whether a device was left out instead."""
    if not moves.may_start(led):
        return False
    follow = led.state is RolloutState.CATCHING_UP
    waves = [wave for wave in led.under_way() if follow or (wave.state in _OPEN and wave.cleared)]
    if waves:
        freed, led.slots.freed = led.slots.freed, {}
    left_out = False
    for wave in waves:
        _unpark(led, wave, freed)
        _activate(led, wave)
        left_out |= _start(led, wave)
    opening.look(led)
    if not follow and waves:
        _look_at_waiting(led, waves[0])
    return left_out


def _look_at_waiting(led: Ledger, wave: WaveRecord) -> None:
    if wave.state is WaveState.RUNNING and wave.parked and not _has_begun(wave):
        wave.state = WaveState.WAITING
    _check_slots(led, wave)


def waits(led: Ledger) -> bool:
    """Whether all that is left waits for its hours, a ticket, other plans, or devices that are away.

    What waits for a slot beside them gets none before: nobody is at work who could free it.
    """
    waves = led.under_way()
    if any(wave.at_work or wave.queue or wave.counts[DeviceState.RETRY_WAIT] for wave in waves):
        return False
    if led.state is RolloutState.CATCHING_UP:
        return True
    wave = waves[0]
    if led.state is not RolloutState.RUNNING or wave.state not in _OPEN:
        return False
    return bool(wave.awaited) or any(key[0] in _OUTSIDE for key in wave.parked)


def waits_for(led: Ledger) -> tuple[str, ...]:
    """What it is that `waits` says all waits for."""
    waves = led.under_way()
    away = any(wave.away if led.follow_until is not None else wave.awaited for wave in waves)
    parked = {label for wave in waves for label, _value in wave.parked}
    return (
        ("deferred",) * away
        + ("window",) * (HOURS in parked)
        + (opening.TICKET,) * (opening.TICKET_LABEL in parked)
        + (turn.REQUIRES,) * (turn.REQUIRES_SLOT[0] in parked)
    )


def opens_at(led: Ledger, now: float) -> float | None:
    """When the hours of the first device that waits for them are there."""
    kinds: dict[tuple[str, bool], DeviceRecord] = {}  # one asks for all that have the same hours
    for wave in led.under_way():
        for (label, zone), row in wave.parked.items():
            for rec in (led.devices[device] for device in row if label == HOURS):
                kinds.setdefault((zone, rec.state is DeviceState.BLOCKED), rec)
    closed = (
        led.hours.change(rec.id, now) if is_staged else led.hours.start(rec.id, now)
        for (_, is_staged), rec in kinds.items()
    )
    return min((each.until_at for each in closed if each and each.until_at), default=None)


def _activate(led: Ledger, wave: WaveRecord) -> None:
    later = []
    while wave.staged and wave.unproven < wave.bound:
        rec = led.devices[wave.staged.popleft()]
        if rec.state not in _GOING or rec.wave != wave.index:
            continue
        blocked = rec.state is DeviceState.BLOCKED
        if blocked and led.at_work_beside(wave) >= wave.plan.max_parallel:
            later.append(rec.id)  # it is not at work yet; those that are go on
            if not wave.counts[DeviceState.STAGED]:
                break
        elif (closed := led.hours.change(rec.id, led.now)) is not None:
            if not blocked:
                moves.keep(led, rec)
            _park_for_hours(led, wave, rec, closed)
            _unpark(led, wave, led.slots.of(rec.id))
        elif blocked and _parked_for_slot(led, wave, rec):
            _unpark(led, wave, led.slots.of(rec.id))
        else:
            moves.activate(led, rec)
    wave.staged.extendleft(reversed(later))


def _start(led: Ledger, wave: WaveRecord) -> bool:
    left_out = False
    while wave.queue and _has_room(led, wave) and moves.may_start(led):
        rec = led.devices[wave.queue[0]]
        is_stale = rec.state not in _STARTABLE or rec.wave != wave.index
        is_held = not is_stale and _left_out(led, rec)  # may trip a budget: the base is smaller
        left_out |= is_held
        if is_stale or is_held or _parked(led, wave, rec):
            wave.queue.popleft()
            _unpark(led, wave, led.slots.of(rec.id))
        elif not _paced(led):
            break
        else:
            wave.queue.popleft()
            if wave.state is WaveState.WAITING:
                wave.state = WaveState.RUNNING
            led.last_start_at = led.now
            moves.transfer(led, rec)
    return left_out


def _has_room(led: Ledger, wave: WaveRecord) -> bool:
    is_full = led.at_work_beside(wave) >= wave.plan.max_parallel
    return not is_full and wave.ahead < AHEAD_FACTOR * wave.bound


def _left_out(led: Ledger, rec: DeviceRecord) -> bool:
    """Whether another rollout holds the device, which then has no part in this one."""
    held = turn.held_by_others(led, rec.id)
    if held is None:
        return False
    moves.finish(led, rec, DeviceState.SKIPPED, Reason.HELD, held.text)
    return True


def _parked(led: Ledger, wave: WaveRecord, rec: DeviceRecord) -> bool:
    """Whether the device has to wait and lets others pass."""
    if (closed := led.hours.start(rec.id, led.now)) is not None:
        _park_for_hours(led, wave, rec, closed)
        return True
    if (lack := led.unmet.get(rec.id)) is not None:
        wave.parked.setdefault(turn.REQUIRES_SLOT, []).append(rec.id)
        turn.wait_for(led, turn.REQUIRES, lack)
        return True
    if (at := opening.shut_until(led, rec)) is not None:
        opening.park(led, wave, rec, at)
        return True
    return _parked_for_slot(led, wave, rec)


def _parked_for_slot(led: Ledger, wave: WaveRecord, rec: DeviceRecord) -> bool:
    """Whether the device waits for a slot of its labels now.

    In a row stand those first that were down themselves, as they came, so that nobody is passed
    over for ever; then the others in the plan's order. What keeps the first of them from starting
    keeps all others too.
    """
    slot = led.slots.full(rec.id, was_away=was_away(led, rec))
    if slot is None:
        return False
    insort(wave.parked.setdefault(slot, []), rec.id, key=lambda one: _rank(led, one))
    return True


def was_away(led: Ledger, rec: DeviceRecord) -> bool:
    """Whether the device was down itself before it is asked now."""
    return rec.deferrals > 0 or led.follow_until is not None


def _paced(led: Ledger) -> bool:
    """Whether the rate lets another device start now; otherwise wants a tick for when it does."""
    if led.plan.rate is None:
        return True
    successes = sum(wave.successes for wave in led.waves)
    at = pacing.next_start_at(led.plan.rate, led.last_start_at, successes)
    if at is None or at <= led.now:
        return True
    led.set_timer(RATE_TIMER, at)
    return False


def _park_for_hours(led: Ledger, wave: WaveRecord, rec: DeviceRecord, closed: Closed) -> None:
    key = (HOURS, closed.zone)
    wave.parked.setdefault(key, []).append(rec.id)
    if closed.until_at is None:
        detail = f"no window is long enough for device `{rec.id}`"
        brakes.pause(led, Pause.DEADLINE, detail)
        return
    led.set_timer(f"{ZONE_TIMER}{closed.zone}", closed.until_at)


def _unpark(led: Ledger, wave: WaveRecord, freed: Iterable[Slot]) -> None:
    """Puts devices back in front whose wait may be over: of a label, as many as have a place now.

    Whoever is let go and does not take its place has to offer it to the next. Those of several
    rows, and those that were put back before, stand in the plan's order (R3).
    """
    back: list[DeviceId] = []
    for key in freed:
        row = wave.parked.get(key)
        if row is None:
            continue
        free = len(row) if key[0] in _OUTSIDE else _places(led, key, row)
        let_go = row[:free]
        del row[:free]
        if not row:
            del wave.parked[key]
        back += let_go
    for queue, blocked in ((wave.queue, False), (wave.staged, True)):
        some = [one for one in back if (led.devices[one].state is DeviceState.BLOCKED) is blocked]
        if some:
            _put_back(led, queue, some)


def _put_back(led: Ledger, queue: deque[DeviceId], devices: Iterable[DeviceId]) -> None:
    """Puts devices in front, but behind those before them that were put back and have not begun."""
    front: list[DeviceId] = []
    for device in sorted(devices, key=lambda one: _rank(led, one)):
        count = _before(led, queue, device)
        front += [queue.popleft() for _ in range(count)]
        front.append(device)
    queue.extendleft(reversed(front))


def _before(led: Ledger, queue: Iterable[DeviceId], device: DeviceId) -> int:
    """How far devices before this one reach from the front; those asked anew hold up nobody."""
    reach = 0
    for count, one in enumerate(queue, 1):
        rec = led.devices[one]
        if rec.state not in _STARTABLE:
            break
        fresh = rec.state is DeviceState.PENDING
        if (fresh or rec.tries) and _rank(led, one) <= _rank(led, device):
            reach = count
        elif fresh:
            break
    return reach


def _rank(led: Ledger, device: DeviceId) -> int:
    """Its place in a row."""
    rec = led.devices[device]
    return -1 if was_away(led, rec) else rec.place


def _places(led: Ledger, slot: Slot, row: Sequence[DeviceId]) -> int:
    """How many of a row have a free slot; those that were down themselves stand first in it."""
    count = 0
    while count < len(row):
        if count >= led.slots.free(slot, was_away=was_away(led, led.devices[row[count]])):
            break
        count += 1
    return count


def _has_begun(wave: WaveRecord) -> bool:
    waiting = sum(wave.counts[state] for state in _STARTABLE)
    return waiting < wave.total


def _check_slots(led: Ledger, wave: WaveRecord) -> None:
    """Pauses when devices that are down keep all others of the wave from starting."""
    if wave.at_work or wave.queue or wave.counts[DeviceState.RETRY_WAIT] or not wave.parked:
        return
    if wave.awaited:
        return  # they are asked again, and free their slots when they answer
    slots = [key for key in wave.parked if key[0] not in _OUTSIDE]
    if len(slots) == len(wave.parked):
        label, value = slots[0]
        detail = f"all slots of {label} `{value}` are taken by devices that are down"
        brakes.pause(led, Pause.SLOTS, detail)


def check_unreachable(led: Ledger, wave: WaveRecord) -> None:
    """Replaces devices that were never reached; pauses when too many remain."""
    while wave.not_reached > wave.backfilled:
        if wave.backfilled >= wave.plan.backfill_limit or not _backfill(led, wave):
            break
    if wave.unreachable > wave.allowed_unreachable:
        brakes.pause(led, Pause.UNREACHABLE, _not_started(led, wave))


def _not_started(led: Ledger, wave: WaveRecord) -> str:
    """How many devices are missing; where some answered and refused for now, that and why."""
    deferred = (led.devices[device] for device in wave.members)
    reasons = Counter(rec.reason for rec in deferred if rec.state is DeviceState.DEFERRED)
    devices = "device" if wave.unreachable == 1 else "devices"
    missing, allowed = f"{wave.unreachable} {devices}", f"{wave.allowed_unreachable} allowed"
    if CONNECT_REASONS | {Reason.AUTHENTICATION} >= reasons.keys():
        return f"{missing} not reached, {allowed}"
    shown = ", ".join(f"{count} {reason.value}" for reason, count in reasons.most_common())
    return f"{missing} not started, {allowed} ({shown})"


def _backfill(led: Ledger, wave: WaveRecord) -> bool:
    for donor in led.waves[wave.index + 1 :]:
        if donor.state is not WaveState.PENDING or donor.plan.hosts:
            continue  # a wave with hosts of its own neither takes nor gives
        for device in donor.members:
            rec = led.devices[device]
            if rec.state is DeviceState.PENDING and rec.joiner is None:
                led.transplant(rec, wave)
                led.move(rec, DeviceState.QUEUED, detail=f"takes a place in wave `{wave.name}`")
                wave.queue.append(device)
                return True
    return False
