"""What operators ask of a rollout under way.

Laws:
1. Each request is answered once, by its number, and journalled with who and why.
2. A halted rollout goes on only with `accept_failures`: the failures so far become the baseline
   (R6). A paused wave measures anew on resume.
3. What does not fit the state is journalled as refused and changes nothing.
4. A rollout that is over can only be rolled back, as far as devices still run its version: that
   takes it up again as `rolling_back`, and it ends anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import OfflinePolicy
from orchestrator.rollout import brakes, gating, moves, retreat
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord, WaveRecord
from orchestrator.rollout.states import (
    BEFORE_RETURN,
    PASSING,
    SETTLED,
    TERMINAL_ROLLOUT,
    WAITING,
    DeviceState,
    Pause,
    RolloutState,
    WaveState,
)

_STOPPED = frozenset({RolloutState.PAUSED, RolloutState.HALTED})
_ACTIVE = _STOPPED | {RolloutState.RUNNING, RolloutState.CATCHING_UP}
_RETRIABLE = frozenset({
    DeviceState.FAILED, DeviceState.ROLLED_BACK, DeviceState.LOST, DeviceState.SKIPPED,
    DeviceState.DEFERRED, DeviceState.CANCELLED, DeviceState.ROLLBACK_FAILED,
})  # fmt: skip
_REOPENED = frozenset({
    WaveState.RUNNING, WaveState.SOAKING, WaveState.JUDGING, WaveState.INCONCLUSIVE,
    WaveState.TRIPPED,
})  # fmt: skip


def asked(led: Ledger, event: OperatorAsked) -> None:
    """Answers one request."""
    if event.request and event.request <= led.last_request:
        return
    led.last_request = max(led.last_request, event.request)
    answer = _ANSWERS[event.ask](led, event)
    data = {"ask": event.ask.value, "who": event.who, "why": event.why, "done": bool(answer)}
    led.note("operator", data=dict(data))
    if answer is not None:
        answer()


Answer = Callable[[], None]  # what a request does, once it was found to fit


def _pause(led: Ledger, event: OperatorAsked) -> Answer | None:
    if led.state not in _ACTIVE - {RolloutState.HALTED}:
        return None
    return lambda: brakes.pause(led, Pause.OPERATOR, event.why)


def _resume(led: Ledger, event: OperatorAsked) -> Answer | None:
    halted = led.state is RolloutState.HALTED
    if led.state not in _STOPPED or (halted and not event.accept_failures):
        return None
    return lambda: _go_on(led, accept_failures=event.accept_failures)


def _go_on(led: Ledger, *, accept_failures: bool) -> None:
    wave = led.waves[led.current]
    for each in led.under_way():
        if accept_failures:
            _accept(led, each)
        each.tripped = False
    if led.follow_until is None and wave.state in (WaveState.INCONCLUSIVE, WaveState.TRIPPED):
        wave.state = WaveState.RUNNING
    led.causes = {cause: text for cause, text in led.causes.items() if cause in PASSING}
    led.state = RolloutState.PAUSED if led.causes else RolloutState.RUNNING
    if led.begun_at is None:
        led.state = RolloutState.SCHEDULED
    led.note("resumed", wave=wave.name, data={"accept_failures": accept_failures})
    gating.reset(led)
    for each in led.under_way():
        if not accept_failures:
            _try_again(led, each, lambda rec: rec.state is DeviceState.DEFERRED or rec.excused)
        _try_again(led, each, _was_cancelled)


def _accept(led: Ledger, wave: WaveRecord) -> None:
    """What went wrong so far is the baseline; devices that the wave waits for are given up."""
    waits = led.plan.offline is OfflinePolicy.WAIT
    awaited = [rec for device in wave.members if waits and (rec := led.devices[device]).deferrals]
    for rec in awaited:
        if rec.state is DeviceState.DEFERRED and not rec.given_up:
            led.give_up(rec)
    asked = sum(rec.state not in SETTLED for rec in awaited)  # just now, perhaps in vain
    wave.accepted = max(wave.counted, wave.allowed)
    wave.accepted_unreachable = max(wave.unreachable + asked, wave.allowed_unreachable)
    wave.promised = True
    led.accepted = brakes.counted_in_all(led)
    led.failed_at.clear()
    wave.failed_at.clear()


def _was_cancelled(rec: DeviceRecord) -> bool:
    return rec.state is DeviceState.CANCELLED and rec.reason is Reason.ROLLOUT_HALTED


def _try_again(led: Ledger, wave: WaveRecord, fits: Callable[[DeviceRecord], bool]) -> int:
    count = 0
    for device in tuple(wave.members):
        rec = led.devices[device]
        if rec.state in _RETRIABLE and not rec.shunned and fits(rec):
            again(led, rec)
            count += 1
    return count


def again(led: Ledger, rec: DeviceRecord) -> None:
    """Another attempt; a device that may still run the new version is asked first."""
    rec.tries, rec.ends_as, rec.repeats = 0, "", 0
    if rec.moved:
        moves.doubt(led, rec, Reason.OK)
        rec.excused = False
        return
    led.new_attempt(rec)
    moves.enqueue(led, rec)
    rec.excused = rec.given_up = False
    rec.deferrals, rec.deferred_at = 0, None


def _abort(led: Ledger, event: OperatorAsked) -> Answer | None:
    del event
    return (lambda: _leave(led)) if led.state in _ACTIVE else None


def _leave(led: Ledger) -> None:
    led.state = RolloutState.ABORTING
    led.causes.clear()
    for rec in led.devices.values():
        if rec.state in WAITING or rec.state in BEFORE_RETURN:
            brakes.cancel(led, rec, Reason.CANCELLED)
        elif rec.reading:
            _stop_reading(led, rec)


def _stop_reading(led: Ledger, rec: DeviceRecord) -> None:
    led.release(rec)
    led.wake(rec, None)
    rec.reading = False
    rec.tallies = {}
    led.wave_of(rec).reading -= 1


def _retry(led: Ledger, event: OperatorAsked) -> Answer | None:
    wave = led.waves[led.current]
    follows = led.follow_until is not None
    if led.state not in _ACTIVE or not (follows or wave.state in _REOPENED):
        return None
    names = frozenset(event.devices)

    def again_all() -> None:
        count = sum(
            _try_again(led, each, lambda rec: not names or rec.id in names)
            for each in led.under_way()
        )
        if count and not follows and wave.state not in (WaveState.TRIPPED, WaveState.INCONCLUSIVE):
            wave.state = WaveState.RUNNING

    return again_all


def _roll_back(led: Ledger, event: OperatorAsked) -> Answer | None:
    index = None if event.wave is None else _index_of(led.waves, event.wave)
    if event.wave is not None and index is None:
        return None
    is_over = led.state in TERMINAL_ROLLOUT
    if is_over and not retreat.returnable(led, retreat.scope_of(index, event.devices)):
        return None
    if not is_over and led.state not in _ACTIVE:
        return None

    def begin() -> None:
        led.causes.clear()
        retreat.begin(led, event.who, wave=index, devices=event.devices)

    return begin


def _index_of(waves: Iterable[WaveRecord], name: str) -> int | None:
    return next((wave.index for wave in waves if wave.name == name), None)


_ANSWERS: dict[Ask, Callable[[Ledger, OperatorAsked], Answer | None]] = {
    Ask.PAUSE: _pause,
    Ask.RESUME: _resume,
    Ask.ABORT: _abort,
    Ask.RETRY: _retry,
    Ask.ROLLBACK: _roll_back,
}
