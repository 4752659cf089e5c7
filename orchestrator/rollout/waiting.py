"""What a rollout waits for when nothing is at work, and until when, as data.

Laws:
1. A time is told only where something is known to be over then: what another plan, another rollout
   or a person has to do has none.
2. Where one closed time follows another, as a window a freeze, both are told, each with its end.

Source: design "rollout-rules" R12, "operator" exit code 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.device.model import DeviceId
from orchestrator.rollout import gating, opening, retreat, slots, turn
from orchestrator.rollout.hours import Closed
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import WaveRecord
from orchestrator.rollout.states import (
    BEFORE_START,
    PASSING,
    TERMINAL_ROLLOUT,
    DeviceState,
    RolloutState,
    WaveState,
)

APPROVAL = "approval"
DEFERRED = "deferred"
SOAK = "soak"
WINDOW = "window"
_RESTS = frozenset(
    {
        APPROVAL,
        DEFERRED,
        WINDOW,
        opening.TICKET,
        turn.START,
        turn.FREEZE,
        turn.REQUIRES,
        turn.ROLLOUT,
    }
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """`until` (UTC seconds) has those of `what` whose end is known.

    `next_at` is when something goes on by itself; None where that is not known.
    """

    what: tuple[str, ...]
    until: Mapping[str, float] = field(default_factory=dict)
    next_at: float | None = None


def waiting(led: Ledger, now: float) -> Waiting:
    """What it waits for at `now`, in UTC seconds; the books may be older."""
    if led.state is RolloutState.SCHEDULED and not led.waiting:
        return _for_hours(led, now)
    what = _what(led, now)
    until = {each: at for each in what if (at := _end(led, each, now)) is not None}
    return Waiting(what, until, min(until.values(), default=None))


def rests(led: Ledger, found: Waiting) -> bool:
    """Whether nothing is at work, and only people, hours, other plans or much time bring it on.

    Whoever drives it stays only where told to (exit code 7). The books may be older.
    """
    at_work = any(wave.at_work or wave.reading for wave in led.waves)
    served = led.state in BEFORE_START and turn.is_served(led)
    return bool(found.what) and _RESTS.issuperset(found.what) and not at_work and not served


def _for_hours(led: Ledger, now: float) -> Waiting:
    """Of one that has not begun: only its own times are in its way, or nobody drives it."""
    closed = led.hours.closed_by(now)
    until = {what: at for what, at in closed.items() if at is not None}
    opens_at = led.hours.opens_at(now) if closed else None
    return Waiting(tuple(closed) or (turn.START,), until, opens_at)


def _what(led: Ledger, now: float) -> tuple[str, ...]:
    match led.state:
        case state if state in TERMINAL_ROLLOUT:
            return ()
        case RolloutState.AWAITING_APPROVAL | RolloutState.SCHEDULED:
            approval = led.state is RolloutState.AWAITING_APPROVAL
            return (APPROVAL,) if approval else tuple(led.waiting)
        case RolloutState.PAUSED if led.causes and PASSING.issuperset(led.causes):
            return tuple(led.causes)
        case RolloutState.HALTED | RolloutState.PAUSED:
            return ("operator",)
        case RolloutState.ROLLING_BACK if retreat.waits(led):
            return (WINDOW,)
        case _:
            waits = slots.waits(led)
            wave = led.waves[led.current]
            return slots.waits_for(led) if waits else (_of_wave(led, wave, now),)


def _of_wave(led: Ledger, wave: WaveRecord, now: float) -> str:
    for what in (turn.REQUIRES, opening.TICKET):
        if what in led.waiting and not wave.at_work:
            return what
    if any(record.at_work for record in led.waves):
        return "devices"
    if wave.state is WaveState.SOAKING:
        return SOAK
    if wave.state is WaveState.JUDGING:
        return "read_back" if wave.reading else "gate"
    return WINDOW if _shut_out(led, wave, now) else "devices"


def _shut_out(led: Ledger, wave: WaveRecord, now: float) -> list[Closed]:
    """What keeps those devices that wait for nothing but their hours; empty where one may begin.

    The books of a stored rollout do not have who was let wait: an engine looks at that anew.
    """
    kinds: dict[tuple[str, bool], DeviceId] = {}  # one asks for all that have the same hours
    for device in (*wave.queue, *wave.staged):
        blocked = led.devices[device].state is DeviceState.BLOCKED
        kinds.setdefault((led.hours.zone_of(device), blocked), device)
    closed = [
        led.hours.change(device, now) if blocked else led.hours.start(device, now)
        for (_, blocked), device in kinds.items()
    ]
    shut = [each for each in closed if each is not None]
    return shut if len(shut) == len(closed) else []


def _end(led: Ledger, what: str, now: float) -> float | None:
    """When that is over, where anybody knows."""
    if what == turn.FREEZE:
        return _thawed_at(led, now)
    if what == WINDOW:
        return _opens_at(led, now)
    if what == opening.TICKET:
        return opening.next_at(led)
    if what == SOAK:
        return soak_until(led, led.waves[led.current])
    if what == DEFERRED:
        return asked_at(led)
    return None


def _opens_at(led: Ledger, now: float) -> float | None:
    if retreat.waits(led):
        return retreat.opens_at(led, now)
    if slots.waits(led):
        return slots.opens_at(led, now)
    shut = _shut_out(led, led.waves[led.current], now)
    return min((each.until_at for each in shut if each.until_at), default=None)


def _thawed_at(led: Ledger, now: float) -> float | None:
    """When the last freeze that is on is over; None where one has no end."""
    ours, all_ours = led.hours.freeze(now), turn.fleet_freeze(led)
    ends = ([ours.to_at] if ours else []) + ([all_ours.until_at] if all_ours else [])
    known = [at for at in ends if at is not None]
    return max(known) if known and len(known) == len(ends) else None


def soak_until(led: Ledger, wave: WaveRecord) -> float | None:
    """When its soak is over; stretches without a sample are made up for (R10)."""
    if wave.soak_until is None or wave.state is not WaveState.SOAKING:
        return None
    return wave.soak_until + gating.soak_gap_s(led, wave)


def asked_at(led: Ledger) -> float | None:
    """When the next device that was away is asked again."""
    away = (
        rec.due_at
        for rec in led.devices.values()
        if rec.state is DeviceState.DEFERRED and not rec.given_up
    )
    return min((at for at in away if at is not None), default=None)
