"""Why one device is where it is, and what it waits for, as data.

Computed from the plan and the books alone, so that it is the same whether an engine is at work or
not. Renderers turn it into words.

Source: the rules named at each wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.requires import Running, unmet
from orchestrator.rollout import approving, moves, opening, pacing, slots, turn
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.record import DeviceRecord, WaveRecord
from orchestrator.rollout.states import (
    TERMINAL_ROLLOUT,
    WAITING,
    DeviceState,
    RolloutState,
    WaveState,
)

_STOPPED = frozenset({RolloutState.PAUSED, RolloutState.HALTED})
_STARTABLE = frozenset({DeviceState.PENDING, DeviceState.QUEUED})
_NEVER_BEGUN = _STARTABLE | {DeviceState.CANCELLED}
_BEGUN = frozenset({WaveState.RUNNING, WaveState.WAITING})


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that keeps a device where it is.

    `what` is one of a closed set: rollout_stopped, start, freeze, rollout, requires, wave,
    preflight, hours, slots, parallel, ahead, rate, bound, retry, answer, gate, deferred, follow.
    `until_at` is UTC seconds where
    the end is known.
    """

    what: str
    detail: str = ""
    until_at: float | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """How the rollout ended before it was a device's turn, and what had stopped it."""

    state: RolloutState
    stops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceStory:
    """One device of a rollout. `wave` is "" and `state` skipped for one left out of the plan.

    `missed` is told of one that was never begun in a rollout that is over.
    """

    device: DeviceId
    wave: str
    state: DeviceState
    reason: Reason
    detail: str
    since: float | None
    attempt: int
    may_run_new: bool
    waits: tuple[Wait, ...]
    missed: Missed | None = None


def why(
    rollout: Rollout, device: DeviceId, *, now: float, running: Running | None = None
) -> DeviceStory | None:
    """The story of a device at `now` (UTC seconds); None when the plan does not know it.

    `running` are the releases of other plans on its devices, where the plan requires some.
    """
    led = rollout.ledger
    rec = led.devices.get(device)
    if rec is None:
        return _left_out(led, device)
    return DeviceStory(
        device=device,
        wave=led.wave_of(rec).name,
        state=rec.state,
        reason=rec.reason,
        detail=rec.detail,
        since=rec.since or None,
        attempt=rec.attempt,
        may_run_new=rec.moved,
        waits=(*_waits(led, rec, now), *_of_plans(led, rec, running or {})),
        missed=_missed(led, rec),
    )


def _left_out(led: Ledger, device: DeviceId) -> DeviceStory | None:
    for skipped in led.plan.skipped:
        if skipped.device == device:
            return DeviceStory(
                device, "", DeviceState.SKIPPED, skipped.reason, skipped.detail, None, 0, False, ()
            )
    return None


def _missed(led: Ledger, rec: DeviceRecord) -> Missed | None:
    if led.state not in TERMINAL_ROLLOUT or rec.state not in _NEVER_BEGUN or rec.started > 0:
        return None
    return Missed(led.state, tuple(_stops(led)))


def _waits(led: Ledger, rec: DeviceRecord, now: float) -> Iterator[Wait]:
    if led.state in TERMINAL_ROLLOUT:
        return
    if rec.state in WAITING:
        yield from _of_rollout(led, now)
        yield from _of_wave(led, rec, now)
    match rec.state:
        case DeviceState.RETRY_WAIT:
            yield Wait("retry", rec.reason.value, rec.due_at)
        case DeviceState.DEFERRED if not rec.given_up:
            yield from _of_rollout(led, now)
            yield from _to_be_asked_again(led, rec)
        case DeviceState.UNCERTAIN:
            what = "it is counted as failed until it answers" if rec.dark else ""
            yield Wait("answer", what, rec.lost_at if rec.dark else rec.dark_at)
        case DeviceState.VERIFYING | DeviceState.PREFLIGHT if rec.work is None:
            yield Wait("gate", _open_gates(led, rec), rec.due_at)
        case DeviceState.STAGED | DeviceState.BLOCKED:
            yield from _for_the_go(led, rec, now)
        case _:
            pass


def _to_be_asked_again(led: Ledger, rec: DeviceRecord) -> Iterator[Wait]:
    end_at = moves.away_until(led, rec)
    if end_at is None:
        yield Wait("deferred", "before the last wave has passed")
    else:
        yield Wait("deferred", "", rec.due_at)
        yield Wait("follow", "", end_at)


def _of_plans(led: Ledger, rec: DeviceRecord, running: Running) -> Iterator[Wait]:
    """A requirement that the device does not meet, while it has not started."""
    if rec.state in _STARTABLE and led.state not in TERMINAL_ROLLOUT and led.plan.requires:
        lack = unmet(led.plan, running).get(rec.id)
        if lack is not None:
            yield Wait(turn.REQUIRES, lack)


def _of_rollout(led: Ledger, now: float) -> Iterator[Wait]:
    if led.state is RolloutState.SCHEDULED:
        opens_at = led.hours.opens_at(now)
        yield Wait("start", "", None if opens_at == now else opens_at)
        for what, detail in led.waiting.items():
            if what != turn.REQUIRES:  # the device has its own lack of that
                yield Wait(what, detail)
    elif led.state is RolloutState.AWAITING_APPROVAL:
        yield Wait("start", approving.progress(led, approving.START))
    elif led.state in _STOPPED:
        for stop in _stops(led):
            yield Wait("rollout_stopped", stop)


def _stops(led: Ledger) -> Iterator[str]:
    """What stopped the rollout, each in words."""
    for cause, detail in led.causes.items():
        yield f"{cause}: {detail}" if detail else cause


def _of_wave(led: Ledger, rec: DeviceRecord, now: float) -> Iterator[Wait]:
    """What stands between a device that waits and its start, in the order it is asked."""
    wave, present = led.wave_of(rec), led.waves[led.current]
    if rec.state not in _STARTABLE:
        return
    if wave.index > led.current:
        yield Wait("wave", f"`{present.name}` is {present.state.value.replace('_', ' ')}")
        return
    if wave.state not in _BEGUN and led.follow_until is None:
        return
    if not wave.cleared:
        yield Wait("preflight", wave.name)
    if (closed := led.hours.start(rec.id, now)) is not None:
        yield Wait("hours", closed.zone, closed.until_at)
    if (at := opening.shut_until(led, rec)) is not None:
        yield Wait(opening.TICKET, "", at)
    yield from _of_those_at_work(led, rec)
    is_full = led.at_work_beside(wave) >= wave.plan.max_parallel
    if not is_full and wave.ahead >= slots.AHEAD_FACTOR * wave.bound:
        yield Wait("ahead", f"{wave.ahead} others are being prepared")
    yield from _of_rate(led, now)


def _of_those_at_work(led: Ledger, rec: DeviceRecord) -> Iterator[Wait]:
    """Limits of how many may be at work at once."""
    wave = led.wave_of(rec)
    if (slot := led.slots.full(rec.id, was_away=slots.was_away(led, rec))) is not None:
        limit = led.plan.max_parallel_per[slot[0]]
        yield Wait("slots", f"all {limit} of {slot[0]} `{slot[1]}` are taken")
    if (at_work := led.at_work_beside(wave)) >= wave.plan.max_parallel:
        yield Wait("parallel", f"{at_work} of {wave.plan.max_parallel} are at work")


def _of_rate(led: Ledger, now: float) -> Iterator[Wait]:
    if led.plan.rate is None:
        return
    successes = sum(wave.successes for wave in led.waves)
    at = pacing.next_start_at(led.plan.rate, led.last_start_at, successes)
    if at is not None and at > now:
        per_minute = pacing.per_minute(led.plan.rate, successes)
        yield Wait("rate", f"{per_minute:g} per minute", at)


def _for_the_go(led: Ledger, rec: DeviceRecord, now: float) -> Iterator[Wait]:
    wave = led.wave_of(rec)
    if rec.state is DeviceState.STAGED:
        yield from _of_rollout(led, now)
    if (closed := led.hours.change(rec.id, now)) is not None:
        yield Wait("hours", closed.zone, closed.until_at)
    elif rec.state is DeviceState.BLOCKED:  # it takes a slot when it is changed
        yield from _of_those_at_work(led, rec)
    if wave.unproven >= wave.bound:
        yield Wait("bound", _bound_text(wave))


def _bound_text(wave: WaveRecord) -> str:
    return f"{wave.unproven} of at most {wave.bound} devices are not proven yet"


def _open_gates(led: Ledger, rec: DeviceRecord) -> str:
    names = [led.plan.gates[index].name for index in rec.tallies]
    return ", ".join(f"`{name}`" for name in names)
