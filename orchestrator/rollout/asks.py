"""What operators ask of a rollout under way.

Laws:
1. Each request is answered once, by its number, and journalled with who and why.
2. A halted rollout goes on only with `accept_failures`: the failures so far become the baseline
   (R6). A paused wave measures anew on resume.
3. What is so already, or does not fit the state, is journalled with that answer and changes
   nothing. `judge` gives the same answer beforehand.
4. A rollout that is over can only be rolled back, as far as devices still run its version: that
   takes it up again as `rolling_back`, and it ends anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.device.reason import CLASS_OF, Reason
from orchestrator.plan.resolved import OfflinePolicy
from orchestrator.rollout import (
    approving,
    brakes,
    gating,
    glass,
    joining,
    moves,
    promoting,
    retreat,
    turn,
)
from orchestrator.rollout.answers import Answer, Kind, already, done, refused
from orchestrator.rollout.events import Ask, OperatorAsked, TakeBack, Value
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord, WaveRecord
from orchestrator.rollout.states import (
    BEFORE_RETURN,
    BEFORE_START,
    PASSING,
    SETTLED,
    TERMINAL_ROLLOUT,
    WAITING,
    DeviceState,
    Halt,
    Pause,
    RolloutState,
    WaveState,
)

_STOPPED = frozenset({RolloutState.PAUSED, RolloutState.HALTED})
_ACTIVE = _STOPPED | {RolloutState.RUNNING, RolloutState.CATCHING_UP}
_STOPPABLE = BEFORE_START | (_ACTIVE - {RolloutState.HALTED})
_ENDS = {Ask.ABORT: RolloutState.ABORTED, Ask.DENY: RolloutState.REJECTED}
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
    answer = judge(led, event)
    data: dict[str, Value | list[Value]] = {
        "ask": event.ask.value,
        "who": event.who,
        "why": event.why,
        "request": event.request,
        "answer": answer.kind.value,
        "done": answer.kind is Kind.DONE,
    }
    if answer.text:
        data["detail"] = answer.text
    led.note("operator", data=data)
    answer.do()


def judge(led: Ledger, event: OperatorAsked) -> Answer:
    """What comes of a request in the present state; changes nothing by itself."""
    if led.state in TERMINAL_ROLLOUT:
        return _after_the_end(led, event)
    return _JUDGES[event.ask](led, event)


def _after_the_end(led: Ledger, event: OperatorAsked) -> Answer:
    """A rollout that is over can be rolled back, as far as devices still run its version."""
    over = f"it is over: {_words(led.state)}"
    if event.ask is Ask.ROLLBACK:
        index = _index_of(led.waves, event.wave)
        known = event.wave is None or index is not None
        if led.around is not None and led.around.busy:
            return refused(f"{over}, and rollout `{led.around.busy[0].rollout_id}` has its devices")
        if known and retreat.returnable(led, retreat.scope_of(index, event.devices)):
            return done(lambda: _begin_return(led, event))
        if known and led.state is RolloutState.ROLLED_BACK:
            return already(over)
        return refused(f"{over}, and nothing is there to take back")
    if _ENDS.get(event.ask) is led.state or _was_taken_back(led, event):
        return already(over)
    return refused(over, "start a new one with `rollout apply`")


def _was_taken_back(led: Ledger, event: OperatorAsked) -> bool:
    wants = event.ask is Ask.ABORT and event.take_back is not TakeBack.NONE
    return wants and led.state is RolloutState.ROLLED_BACK and _takes_back(led, event.take_back)


def _words(state: RolloutState) -> str:
    return state.value.replace("_", " ")


def _pause(led: Ledger, event: OperatorAsked) -> Answer:
    if led.state is RolloutState.PAUSED and Pause.OPERATOR.value in led.causes:
        return already("it is paused by an operator")
    if led.state in _STOPPABLE:
        return done(lambda: brakes.pause(led, Pause.OPERATOR, _said(event)))
    return refused(f"it is {_words(led.state)}: no device is started in any case")


def _halt(led: Ledger, event: OperatorAsked) -> Answer:
    if led.state is RolloutState.HALTED:
        return already("it is halted")
    if led.state in _STOPPABLE:
        return done(lambda: brakes.halt(led, Halt.OPERATOR, _said(event)))
    return refused(f"it is {_words(led.state)}: no device is started in any case")


def _said(event: OperatorAsked) -> str:
    return ": ".join(part for part in (event.who, event.why) if part)


def _resume(led: Ledger, event: OperatorAsked) -> Answer:
    if led.state is RolloutState.HALTED and not event.accept_failures:
        hint = f"`rollout resume {led.rollout_id} --accept-failures` goes on in spite of it"
        return refused("it is halted", hint)
    if led.state is RolloutState.PAUSED and PASSING.issuperset(led.causes):
        return already(f"it waits for {' and '.join(led.causes)}, and then goes on by itself")
    if led.state not in _STOPPED:
        return already(f"it is {_words(led.state)}")
    return done(lambda: _go_on(led, accept_failures=event.accept_failures))


def _go_on(led: Ledger, *, accept_failures: bool) -> None:
    wave = led.waves[led.current]
    for each in led.under_way():
        if accept_failures:
            _accept(led, each)
        each.tripped = False
    if led.follow_until is None and wave.state in (WaveState.INCONCLUSIVE, WaveState.TRIPPED):
        wave.state = WaveState.RUNNING
    led.causes = {cause: text for cause, text in led.causes.items() if cause in PASSING}
    led.state = RolloutState.PAUSED if led.causes else brakes.state_unstopped(led)
    approving.ask_anew(led)
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


def _try_again(led: Ledger, wave: WaveRecord, fits: Callable[[DeviceRecord], bool]) -> None:
    for device in tuple(wave.members):
        rec = led.devices[device]
        if _may_try_again(led, rec) and fits(rec):
            again(led, rec)


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


def _abort(led: Ledger, event: OperatorAsked) -> Answer:
    if led.state is RolloutState.ABORTING and event.take_back is TakeBack.NONE:
        return already("it is aborting")
    if led.state in _ACTIVE or led.state in BEFORE_START or led.state is RolloutState.ABORTING:
        return done(lambda: _give_up(led, event))
    if event.take_back is not TakeBack.NONE and _takes_back(led, event.take_back):
        return already("it is rolling back, and ends with that")
    return refused(f"it is {_words(led.state)}, which ends it too")


def _takes_back(led: Ledger, what: TakeBack) -> bool:
    """Whether the rollback under way, or the one that ended it, is of these devices or of more."""
    scope = retreat.scope_of(_scope_of(led, what), ())
    whole = retreat.scope_of(None, ())
    return any(each.items() <= led.scope.items() for each in (scope, whole))


def _scope_of(led: Ledger, what: TakeBack) -> int | None:
    return led.current if what is TakeBack.WAVE else None


def _supersede(led: Ledger, event: OperatorAsked) -> Answer:
    """A newer rollout takes its place: as an abort, under another name."""
    del event
    if led.state is RolloutState.ABORTING:
        return already("it is aborting")
    if led.state is RolloutState.CATCHING_UP:
        return done(lambda: _stop_following(led))
    if led.state in _ACTIVE or led.state in BEFORE_START:
        return done(lambda: _make_room(led))
    return refused(f"it is {_words(led.state)}, which ends it too")


def _stop_following(led: Ledger) -> None:
    """All its waves have passed: whoever was away is left to the newer one."""
    for rec in led.devices.values():
        if rec.state in BEFORE_RETURN:
            brakes.cancel(led, rec, Reason.CANCELLED)
    led.follow_until = led.now


def _make_room(led: Ledger) -> None:
    led.superseded = True
    _leave(led)


def _give_up(led: Ledger, event: OperatorAsked) -> None:
    _leave(led)
    if event.take_back is not TakeBack.NONE and any(rec.moved for rec in led.devices.values()):
        retreat.begin(led, event.who, wave=_scope_of(led, event.take_back))


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


def _retry(led: Ledger, event: OperatorAsked) -> Answer:
    wave = led.waves[led.current]
    follows = led.follow_until is not None
    if led.state not in _ACTIVE or not (follows or wave.state in _REOPENED):
        where = f"wave `{wave.name}` is {wave.state.value.replace('_', ' ')}"
        return refused(f"it is {_words(led.state)} and {where}: nothing can be tried again")
    if not (found := retriable(led, event)):
        which = f" of class {event.only}" if event.only is not None else ""
        return already(f"no device is left to be tried again{which}")

    def again_all() -> None:
        for rec in found:
            again(led, rec)
        if not follows and wave.state not in (WaveState.TRIPPED, WaveState.INCONCLUSIVE):
            wave.state = WaveState.RUNNING

    return done(again_all)


def retriable(led: Ledger, event: OperatorAsked) -> list[DeviceRecord]:
    """Devices of the waves under way that a retry of this kind would try again now, in order."""
    names = frozenset(event.devices)
    members = (led.devices[device] for wave in led.under_way() for device in wave.members)
    return [
        rec
        for rec in members
        if _may_try_again(led, rec)
        and (event.only is None or CLASS_OF.get(rec.reason) is event.only)
        and (not names or rec.id in names)
    ]


def _may_try_again(led: Ledger, rec: DeviceRecord) -> bool:
    held = turn.held_by_others(led, rec.id) is not None
    return rec.state in _RETRIABLE and not rec.shunned and not held


def _roll_back(led: Ledger, event: OperatorAsked) -> Answer:
    if event.wave is not None and _index_of(led.waves, event.wave) is None:
        return refused(f"there is no wave `{event.wave}`")
    if led.state in _ACTIVE:
        return done(lambda: _begin_return(led, event))
    if led.state is RolloutState.ROLLING_BACK:
        scope = retreat.scope_of(_index_of(led.waves, event.wave), event.devices)
        if scope.items() <= led.scope.items():
            return already("it is rolling back")
        return refused("it is rolling back other devices", "ask again when that is over")
    return refused(f"it is {_words(led.state)}: nothing is there to take back")


def _begin_return(led: Ledger, event: OperatorAsked) -> None:
    led.causes.clear()
    index = _index_of(led.waves, event.wave)
    retreat.begin(led, event.who, wave=index, devices=event.devices)


def _index_of(waves: Iterable[WaveRecord], name: str | None) -> int | None:
    return next((wave.index for wave in waves if wave.name == name), None)


def _approve(led: Ledger, event: OperatorAsked) -> Answer:
    return approving.judge(led, event, denies=False)


def _deny(led: Ledger, event: OperatorAsked) -> Answer:
    return approving.judge(led, event, denies=True)


_JUDGES: dict[Ask, Callable[[Ledger, OperatorAsked], Answer]] = {
    Ask.PAUSE: _pause,
    Ask.RESUME: _resume,
    Ask.HALT: _halt,
    Ask.ABORT: _abort,
    Ask.PROMOTE: promoting.judge,
    Ask.RETRY: _retry,
    Ask.ROLLBACK: _roll_back,
    Ask.APPROVE: _approve,
    Ask.DENY: _deny,
    Ask.BREAK_GLASS: glass.judge,
    Ask.JOIN: joining.judge,
    Ask.SUPERSEDE: _supersede,
}
