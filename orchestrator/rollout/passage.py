"""How waves begin, settle, soak, prove themselves and pass; how a rollout ends.

Laws:
1. A wave passes only when it is settled, has the successes R8 requires, has soaked, was read back
   anew, and every deciding gate passed. What is missing is never success: it pauses. Failures that
   an operator accepts are allowed from then on, and still one success is wanted. A wave
   whose devices all ran the target before needs no successes of its own once an earlier wave has
   had one; it opens nothing that was not tried.
2. The soak ends with fresh evidence; without a soak the proofs of the devices are fresh (R10).
3. Modules that cannot go back commit after that, before the next wave begins (R17).
4. A pause by rule comes to rest: once nothing is at work but devices that stand ready, these go
   back into the queue. Whoever pauses by hand will resume, so then they stand ready on.

Source: design "rollout-rules" R8, R10, R17, "States of a wave" and "of a rollout".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import OnFailure, Stage
from orchestrator.rollout import (
    approving,
    brakes,
    catching_up,
    gating,
    moves,
    proof,
    retreat,
    slots,
    turn,
)
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import WaveRecord
from orchestrator.rollout.states import (
    DONE_WAVE,
    PROVEN,
    TERMINAL_ROLLOUT,
    DeviceState,
    Halt,
    Pause,
    RolloutState,
    WaveState,
)
from orchestrator.rollout.timers import (
    DEADLINE_TIMER,
    FREEZE_TIMER,
    GATE_TIMER,
    PATROL_TIMER,
    SOAK_TIMER,
    START_TIMER,
)

NOTHING_TO_UPDATE = "nothing to update"

_FREEZING = frozenset({RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.CATCHING_UP})
_BY_PERSON = frozenset({Halt.TRUST.value, Halt.OPERATOR.value})
_GOOD_END = frozenset({DeviceState.SUCCEEDED, DeviceState.UNCHANGED})


def advance(led: Ledger) -> None:
    """Goes on as far as the state allows; constant time when nothing is to be done."""
    _go_on(led)
    while slots.fill(led):  # a device that is left out may settle its wave
        _go_on(led)


def _go_on(led: Ledger) -> None:
    while True:
        before = (led.state, led.current, led.waves[led.current].state)
        approving.look(led)
        _look_at_freezes(led)
        _look_at_deadlines(led)
        if (step := _STEPS.get(led.state)) is not None:
            step(led)
        if before == (led.state, led.current, led.waves[led.current].state):
            break
        if led.state in TERMINAL_ROLLOUT:
            break


def _look_at_freezes(led: Ledger) -> None:
    """A freeze pauses for as long as it lasts: the plan's, or that of all rollouts."""
    if led.state not in _FREEZING or led.begun_at is None:
        return
    ours, all_ours = led.hours.freeze(led.now), turn.fleet_freeze(led)
    if ours is None and all_ours is None:
        if led.around is not None:  # after a restart the one of all rollouts is not known yet
            brakes.unpause(led, Pause.FREEZE, turn.freeze_lifted(led))
        led.set_timer(FREEZE_TIMER, led.hours.next_freeze_at(led.now))
        return
    texts = ([ours.reason] if ours else []) + ([all_ours.text] if all_ours else [])
    brakes.pause(led, Pause.FREEZE, "; ".join(texts))
    if Pause.FREEZE.value in led.causes:
        led.causes[Pause.FREEZE.value] = "; ".join(texts)
    ends = ([ours.to_at] if ours else []) + ([all_ours.until_at] if all_ours else [])
    led.set_timer(FREEZE_TIMER, min((at for at in ends if at is not None), default=None))


def begin_in_time(led: Ledger) -> None:
    """Leaves `scheduled` when the first device may start, and it is this rollout's turn."""
    if led.stopping:
        return
    at = led.hours.opens_at(led.now)
    if at is None or at > led.now:
        led.set_timer(START_TIMER, at)
        turn.not_now(led)
        return
    if not turn.has_come(led):
        return
    led.state = RolloutState.RUNNING
    if led.begun_at is None:
        led.begun_at = led.now
        limit_s = led.plan.schedule.deadline_s
        led.deadline_at = None if limit_s is None else led.now + limit_s
        led.set_timer(DEADLINE_TIMER, led.deadline_at)


def _look_at_deadlines(led: Ledger) -> None:
    """Acts once on a deadline that has passed, before anything is started after it.

    Whatever event comes first after it: an engine that was away begins with no tick.
    """
    if led.deadline_at is not None and led.now >= led.deadline_at:
        led.deadline_at = None
        brakes.deadline(led, led.plan.schedule.deadline_action, "deadline of the rollout")
    wave = led.waves[led.current]
    if wave.deadline_at is not None and led.now >= wave.deadline_at:
        wave.deadline_at = None
        if wave.state not in DONE_WAVE:
            detail = f"deadline of wave `{wave.name}`"
            brakes.deadline(led, wave.plan.deadline_action, detail)


def _rest(led: Ledger) -> None:
    """Lets no device stand ready for a go that only a person can bring about (law 4)."""
    for wave in led.under_way():
        _withdraw_staged(led, wave)


def _withdraw_staged(led: Ledger, wave: WaveRecord) -> None:
    staged = wave.counts[DeviceState.STAGED]
    if not staged or wave.at_work > staged or Pause.OPERATOR.value in led.causes:
        return
    for device in reversed(wave.members):  # each goes in front of those before it
        rec = led.devices[device]
        if rec.state is DeviceState.STAGED:
            moves.withdraw(led, rec)


def _react(led: Ledger) -> None:
    """Rolls back by itself where the plan says so; a trust failure waits for a person.

    So does a halt by a person, who may want to look first.
    """
    by_rule = led.begun_at is not None and _BY_PERSON.isdisjoint(led.causes)
    if led.plan.on_failure is OnFailure.ROLLBACK and by_rule:
        retreat.begin_by_plan(led)


def _follow(led: Ledger) -> None:
    if catching_up.settle(led):
        _end(led)


def _run(led: Ledger) -> None:
    _step(led, led.waves[led.current])


def _step(led: Ledger, wave: WaveRecord) -> None:
    match wave.state:
        case WaveState.PENDING | WaveState.AWAITING_APPROVAL:
            _begin(led, wave)
        case WaveState.RUNNING | WaveState.WAITING if not wave.cleared:
            wave.cleared = gating.before_wave(led, wave)
            if wave.cleared:
                _step(led, wave)
        case WaveState.RUNNING | WaveState.WAITING:
            slots.check_unreachable(led, wave)
            if wave.settled == wave.total and led.state is RolloutState.RUNNING:
                _settle(led, wave)
        case WaveState.SOAKING:
            _soak(led, wave)
        case WaveState.JUDGING:
            _judge(led, wave)
        case WaveState.COMMITTING:
            _commit(led, wave)
        case _:
            _next(led)


def _begin(led: Ledger, wave: WaveRecord) -> None:
    if led.stopping:
        return
    if not approving.is_given(led, wave.name):
        approving.ask_for(led, wave)
        return
    approving.pass_over(led, wave.name)
    gating.enter_wave(led)
    if wave.total == 0:
        wave.state = WaveState.SKIPPED_EMPTY
        led.note("warning", wave=wave.name, data={"what": "wave_is_empty"})
        return
    wave.state = WaveState.RUNNING
    wave.queue = deque(wave.members)
    if wave.plan.deadline_s is not None:
        wave.deadline_at = led.now + wave.plan.deadline_s
        led.set_timer(f"{DEADLINE_TIMER}/{wave.index}", wave.deadline_at)
    led.note("wave_started", wave=wave.name, data={"devices": wave.total, "allowed": wave.allowed})


def _settle(led: Ledger, wave: WaveRecord) -> None:
    if not _has_evidence(led, wave):
        return
    wave.soak_ended, wave.passed_by = False, []
    if wave.plan.soak_s > 0 and wave.successes and not led.soaks_ended:
        wave.state = WaveState.SOAKING
        wave.soaked = True
        wave.soak_until = led.now + wave.plan.soak_s
        led.set_timer(SOAK_TIMER, wave.soak_until)
        wave.judged_from = led.now
        gating.begin_soak(led)
        led.note("soak_started", wave=wave.name, data={"soak_s": wave.plan.soak_s})
    else:
        wave.soaked = False
        _begin_judging(led, wave)


def _has_evidence(led: Ledger, wave: WaveRecord) -> bool:
    """Whether enough devices succeeded (R8); pauses when not."""
    if wave.passed_by or wave.tripped or wave.successes >= wave.required:
        return True
    if _has_nothing_to_update(wave) and _was_tried(led):
        return True
    if wave.base == 0 and _whole_rollout_unchanged(led):
        return True
    detail = f"{wave.successes} succeeded, {wave.required} required"
    if _has_nothing_to_update(wave):
        devices = "the one device runs" if wave.total == 1 else f"all {wave.total} devices run"
        detail = f"nothing was tried: {devices} it already"
    brakes.doubt_wave(led, wave, Pause.INSUFFICIENT_EVIDENCE, detail)
    return False


def _has_nothing_to_update(wave: WaveRecord) -> bool:
    """Whether each of its devices was read back on the target before anything was done to it."""
    return wave.counts[DeviceState.UNCHANGED] == wave.total


def _was_tried(led: Ledger) -> bool:
    """Whether a device of an earlier wave succeeded: only then there is any evidence (R8)."""
    return any(wave.successes for wave in led.waves[: led.current])


def _whole_rollout_unchanged(led: Ledger) -> bool:
    target = led.plan.artifact.manifest_sha256
    return all(
        rec.state is DeviceState.UNCHANGED
        or (
            rec.state is DeviceState.PENDING and led.plan.devices[rec.id].current_manifest == target
        )
        for rec in led.devices.values()
    )


def _soak(led: Ledger, wave: WaveRecord) -> None:
    if wave.settled < wave.total:
        wave.state = WaveState.RUNNING  # a device was tried again: the soak starts over
        return
    if wave.soak_until is None:
        return
    until = wave.soak_until + gating.soak_gap_s(led, wave)
    if led.now < until and not wave.soak_ended:
        led.set_timer(SOAK_TIMER, until)
        _patrol(led, wave)
        return
    wave.to_read.clear()  # a patrol under way ends; all are read back anew now
    if not wave.reading and (wave.soak_ended or gating.heard_lately(led, wave)):
        _begin_judging(led, wave)


def _patrol(led: Ledger, wave: WaveRecord) -> None:
    """Reads devices back while the wave soaks, as often as background checks want it."""
    every_s = min(
        (gate.interval_s for gate in led.patrols(wave) if gate.stage is Stage.BACKGROUND),
        default=None,
    )
    if every_s is None:
        return
    if led.now >= wave.judged_from + every_s and not wave.reading:
        wave.judged_from = led.now
        wave.to_read = deque(led.to_read(wave))
    _read_some(led, wave)
    if not wave.reading:  # otherwise the reports bring us back here
        led.set_timer(PATROL_TIMER, wave.judged_from + every_s)


def _read_some(led: Ledger, wave: WaveRecord) -> None:
    while wave.to_read and wave.reading < wave.plan.max_parallel:
        rec = led.devices[wave.to_read.popleft()]
        if rec.state in PROVEN and not rec.reading:
            wave.reading += 1
            proof.begin_reading(led, rec)


def _begin_judging(led: Ledger, wave: WaveRecord) -> None:
    led.set_timer(SOAK_TIMER, None)
    wave.soak_until = None
    wave.state = WaveState.JUDGING
    wave.judged_from = led.now
    led.set_timer(PATROL_TIMER, None)
    if led.needs_reading(wave):
        wave.to_read = deque(led.to_read(wave))


def _judge(led: Ledger, wave: WaveRecord) -> None:
    _read_some(led, wave)
    if wave.reading:
        return
    if wave.settled < wave.total:
        wave.state = WaveState.RUNNING
    elif _has_evidence(led, wave) and _gates_passed(led, wave):
        wave.state = WaveState.COMMITTING


def _gates_passed(led: Ledger, wave: WaveRecord) -> bool:
    """Whether its gates let it pass, or a person did in spite of them."""
    if wave.passed_by:
        return True
    own_passed = gating.wave_gates_passed(led, wave, Stage.WAVE)
    return own_passed and gating.background_passed(led, wave)


def _commit(led: Ledger, wave: WaveRecord) -> None:
    confirmed = DeviceState.CONFIRMED
    if wave.counts[confirmed] and not wave.to_commit:
        states = ((device, led.devices[device].state) for device in wave.members)
        wave.to_commit.extend(device for device, state in states if state is confirmed)
    while wave.to_commit and wave.at_work < wave.plan.max_parallel:
        rec = led.devices[wave.to_commit.popleft()]
        if rec.state is confirmed:
            moves.commit(led, rec)
    if wave.at_work or wave.counts[confirmed]:
        return
    if wave.settled < wave.total:
        wave.state = WaveState.RUNNING  # a device fell back to its start while it committed
    elif _has_evidence(led, wave):  # again: a commit may have failed within what is allowed
        wave.state = WaveState.TRIPPED if wave.tripped else WaveState.PASSED
        data = {"state": wave.state.value, "succeeded": wave.successes, "failed": wave.counted}
        if _has_nothing_to_update(wave):
            data["note"] = NOTHING_TO_UPDATE
        if wave.passed_by:
            data["promoted_by"], data["why"] = wave.passed_by
        led.note("wave_done", wave=wave.name, data=dict(data))


def _next(led: Ledger) -> None:
    if led.current + 1 < len(led.waves):
        gating.drop_samples(led)
        led.current += 1
    elif not catching_up.begin(led):
        _end(led)


def _end(led: Ledger) -> None:
    exceptions = bool(
        any(rec.state not in _GOOD_END for rec in led.devices.values())
        or any(skipped.reason is not Reason.UNCHANGED for skipped in led.plan.skipped)
    )
    led.state = RolloutState.SUCCEEDED_WITH_EXCEPTIONS if exceptions else RolloutState.SUCCEEDED


def close(led: Ledger) -> None:
    """The rollout has come to its end: nothing is wanted any more."""
    gating.drop_samples(led)
    for record in led.gates:
        record.due_at = None
        led.set_timer(f"{GATE_TIMER}{record.index}", None)
    for wave in led.waves:
        if wave.state not in DONE_WAVE:
            wave.state = WaveState.CANCELLED
    led.note("rollout_done", data={"state": led.state.value})


_STEPS: Mapping[RolloutState, Callable[[Ledger], None]] = {
    RolloutState.SCHEDULED: begin_in_time,
    RolloutState.RUNNING: _run,
    RolloutState.PAUSED: _rest,
    RolloutState.CATCHING_UP: _follow,
    RolloutState.HALTED: _react,
    RolloutState.ROLLING_BACK: retreat.advance,
    RolloutState.ABORTING: retreat.leave,
}
