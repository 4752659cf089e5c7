"""Promoting: a person ends the present wait of one wave.

Laws:
1. It ends a soak, or lets a settled wave pass whose evidence was found inconclusive; the second
   wants a reason, which stays in the journal with who gave it.
2. The read-back at the end of a soak is never left out (R10), and gates that failed still halt.
3. It never overrides signatures, budgets, approvals, windows, freezes, the slow start, or what a
   device refuses.

Source: design "rollout-rules", "States of a wave" and "promote".
"""

from __future__ import annotations

from orchestrator.rollout import gating
from orchestrator.rollout.answers import Answer, already, done, refused
from orchestrator.rollout.brakes import state_unstopped
from orchestrator.rollout.events import OperatorAsked
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import WaveRecord
from orchestrator.rollout.states import DONE_WAVE, Pause, RolloutState, WaveState

_UNDER_WAY = frozenset({RolloutState.RUNNING, RolloutState.PAUSED})
_EVIDENCE = frozenset({
    Pause.GATE_INCONCLUSIVE.value, Pause.INSUFFICIENT_EVIDENCE.value, Pause.UNREACHABLE.value,
})  # fmt: skip
_BEGUN = frozenset({WaveState.RUNNING, WaveState.WAITING})
_ENDED = frozenset({WaveState.SOAKING, WaveState.JUDGING, WaveState.COMMITTING})


def judge(led: Ledger, event: OperatorAsked) -> Answer:
    """What comes of the request."""
    wave = led.waves[led.current]
    if event.wave not in (None, wave.name):
        return _another(led, str(event.wave))
    if led.state not in _UNDER_WAY:
        return refused(f"it is {led.state.value.replace('_', ' ')}: no wave waits for its time")
    if wave.state is WaveState.INCONCLUSIVE or _is_unreached(led, wave):
        return _inconclusive(led, wave, event)
    if wave.state is WaveState.SOAKING and not wave.soak_ended:
        return done(lambda: _end_soak(led, wave, event))
    if event.full and not led.soaks_ended:
        return done(lambda: _end_soaks(led))
    return _nothing_left(led, wave, event)


def _is_unreached(led: Ledger, wave: WaveRecord) -> bool:
    """Whether too many of its devices were never reached: inconclusive too (R7)."""
    return wave.state in _BEGUN and Pause.UNREACHABLE.value in led.causes


def _nothing_left(led: Ledger, wave: WaveRecord, event: OperatorAsked) -> Answer:
    """No wait that could be ended: it was before, or there is none."""
    if wave.soak_ended and wave.state in _ENDED:
        return already(f"the soak of wave `{wave.name}` was ended already")
    if led.soaks_ended and event.full:
        return already("all soaks were ended already")
    return refused(
        f"wave `{wave.name}` is {wave.state.value.replace('_', ' ')}: nothing that can be cut short",
        "it ends soaks and inconclusive waves, no other wait",
    )


def _another(led: Ledger, name: str) -> Answer:
    """A wave that is not the present one: over already, or not its turn."""
    for wave in led.waves:
        if wave.name == name and wave.state in DONE_WAVE:
            return already(f"wave `{name}` is {wave.state.value.replace('_', ' ')}")
    return refused(f"wave `{name}` has not begun, or there is no such wave")


def _inconclusive(led: Ledger, wave: WaveRecord, event: OperatorAsked) -> Answer:
    if wave.settled < wave.total:
        hint = f"`rollout resume {led.rollout_id}` measures anew"
        return refused(f"not all devices of wave `{wave.name}` are done", hint)
    if not event.why:
        what = f"wave `{wave.name}` is inconclusive"
        return refused(f"{what}: to let it pass, say why", "add `--reason TEXT`")
    return done(lambda: _let_pass(led, wave, event))


def _end_soak(led: Ledger, wave: WaveRecord, event: OperatorAsked) -> None:
    wave.soak_ended = True
    if event.full:
        led.soaks_ended = True


def _end_soaks(led: Ledger) -> None:
    led.soaks_ended = True


def _let_pass(led: Ledger, wave: WaveRecord, event: OperatorAsked) -> None:
    wave.passed_by = [event.who, event.why]
    wave.accepted_unreachable = max(wave.unreachable, wave.allowed_unreachable)
    wave.promised = True
    wave.soak_ended = True
    wave.state = WaveState.SOAKING  # of which nothing is left: what soaked is read back once more
    wave.soak_until = led.now
    if event.full:
        led.soaks_ended = True
    gating.reset(led)  # a background gate that stopped it measures on, for the waves to come
    over = [cause for cause in led.causes if cause in _EVIDENCE]
    for cause in over:
        del led.causes[cause]
    led.note("resumed", wave=wave.name, data={"over": "promoted", "left": list(led.causes)})
    if not led.causes:
        led.state = state_unstopped(led)
