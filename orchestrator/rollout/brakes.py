"""What stops a rollout: trips of budgets and gates, halts and pauses.

Laws:
1. A trip is decided in the step that records the outcome, before any start slot is granted, and
   is never undone by a correction (R6).
2. After a halt no device leaves `queued`; devices before the point of no return are cancelled,
   later ones finish their own way (R13). A pause cancels nothing; devices that stand ready when
   it comes to rest are queued again (`passage`).
3. Missing evidence pauses, it never trips (R7, R9).

Source: design "rollout-rules" R6, R7, R9, R13.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.device.reason import Reason
from orchestrator.plan.budget import allowed_in_all
from orchestrator.plan.resolved import Burst, DeadlineAction, OnFailure
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord, WaveRecord
from orchestrator.rollout.states import (
    BEFORE_RETURN,
    BEFORE_START,
    DONE_WAVE,
    UNBEGUN_WAVE,
    DeviceState,
    Halt,
    Pause,
    RolloutState,
    WaveState,
)
from orchestrator.units import format_duration

_MOVING = frozenset({RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.CATCHING_UP})
_STOPPABLE = _MOVING | BEFORE_START
_PARKED = frozenset({DeviceState.RETRY_WAIT, DeviceState.BLOCKED})


def check_budget(led: Ledger, wave: WaveRecord) -> None:
    """Trips the wave or the rollout when more devices failed than it allows, or too fast."""
    if led.state not in _MOVING:
        return
    _check_rollout(led)
    is_done = wave.state in DONE_WAVE and led.follow_until is None
    if is_done or led.state not in _MOVING:
        return
    if wave.counted <= wave.allowed:
        if wave.plan.window is not None and is_burst(wave.failed_at, wave.plan.window):
            _trip_wave(led, wave, f"{_burst_text(wave.plan.window)} in wave `{wave.name}`")
        return
    data: dict[str, object] = {
        "counted": wave.counted,
        "allowed": wave.allowed,
        "base": wave.base,
    }
    led.note("budget", wave=wave.name, data=data)  # type: ignore[arg-type]  # ints are values
    failures = "failure" if wave.counted == 1 else "failures"
    _trip_wave(led, wave, f"{wave.counted} {failures}, {wave.allowed} allowed")


def _trip_wave(led: Ledger, wave: WaveRecord, detail: str) -> None:
    wave.tripped = True
    if led.plan.on_failure is OnFailure.CONTINUE:
        wave.accepted = max(wave.counted, wave.allowed)
        wave.failed_at.clear()
        return
    halt(led, Halt.BUDGET, detail)


def _check_rollout(led: Ledger) -> None:
    """The budget of the whole rollout; it halts also where waves may fail (`continue`)."""
    budget = led.plan.budget
    counted = counted_in_all(led)
    allowed = allowed_in_all(budget, led.frozen_count)
    if led.accepted is not None and allowed is not None:
        allowed = max(allowed, led.accepted)
    if allowed is not None and counted > allowed:
        failures = "failure" if counted == 1 else "failures"
        halt(led, Halt.BUDGET, f"{counted} {failures} in the whole rollout, {allowed} allowed")
    elif budget.window is not None and is_burst(led.failed_at, budget.window):
        halt(led, Halt.BUDGET, f"{_burst_text(budget.window)} in the whole rollout")


def counted_in_all(led: Ledger) -> int:
    """Devices of all waves that count as failed now (R6)."""
    return sum(wave.counted for wave in led.waves)


def is_burst(failed_at: Sequence[float], burst: Burst) -> bool:
    """Whether more devices than allowed failed within the time of a burst."""
    if len(failed_at) <= burst.failures:
        return False
    return failed_at[-1] - failed_at[-(burst.failures + 1)] <= burst.in_s


def _burst_text(burst: Burst) -> str:
    failures = "failure" if burst.failures == 1 else "failures"
    return f"more than {burst.failures} {failures} within {format_duration(burst.in_s)}"


def halt(led: Ledger, cause: Halt, detail: str) -> None:
    """Stops the rollout until an operator decides, or rolls it back where the plan says so."""
    if led.state not in _STOPPABLE:
        if led.state is RolloutState.HALTED and cause.value not in led.causes:
            led.causes[cause.value] = detail
        return
    led.state = RolloutState.HALTED
    led.causes = {cause.value: detail}
    wave = led.waves[led.current]
    if (
        cause is not Halt.TRUST
        and cause is not Halt.ROLLBACK_FAILED
        and wave.state not in DONE_WAVE | UNBEGUN_WAVE
    ):
        wave.state = WaveState.TRIPPED
    led.note("halted", wave=wave.name, data={"cause": cause.value, "detail": detail})
    for each in led.under_way():
        cancel_unmoved(led, each, Reason.ROLLOUT_HALTED)


def deadline(led: Ledger, action: DeadlineAction, detail: str) -> None:
    """A deadline of the plan has passed."""
    if action is DeadlineAction.HALT:
        halt(led, Halt.DEADLINE, detail)
    else:
        pause(led, Pause.DEADLINE, detail)


def unpause(led: Ledger, cause: Pause, detail: str = "") -> None:
    """One cause is over, as the detail tells; with the last one the rollout goes on."""
    if led.causes.pop(cause.value, None) is None or led.state is not RolloutState.PAUSED:
        return
    wave = led.waves[led.current].name
    led.note(
        "resumed",
        wave=wave,
        data={"over": cause.value, "left": list(led.causes), "detail": detail},
    )
    if not led.causes:
        led.state = state_unstopped(led)


def state_unstopped(led: Ledger) -> RolloutState:
    """Where a rollout goes on that nothing stops any more: from before its start it begins there."""
    if led.begun_at is not None:
        return RolloutState.RUNNING
    return RolloutState.SCHEDULED if led.plan.approval is None else RolloutState.AWAITING_APPROVAL


def pause(led: Ledger, cause: Pause, detail: str = "") -> None:
    """Starts nothing new until an operator resumes, or the cause is over (`PASSING`)."""
    if led.state not in _STOPPABLE or cause.value in led.causes:
        return
    led.state = RolloutState.PAUSED
    led.causes[cause.value] = detail
    wave = led.waves[led.current]
    led.note("paused", wave=wave.name, data={"cause": cause.value, "detail": detail})


def doubt_wave(led: Ledger, wave: WaveRecord, cause: Pause, detail: str) -> None:
    """The wave has too little evidence to pass: pauses the rollout, also one that is paused.

    One that has not begun is paused too: the gate that said so is asked again when it is resumed.
    """
    if led.state not in _STOPPABLE:
        return
    if wave.state not in DONE_WAVE | UNBEGUN_WAVE:
        wave.state = WaveState.INCONCLUSIVE
    pause(led, cause, detail)


def cancel_unmoved(led: Ledger, wave: WaveRecord, reason: Reason) -> None:
    """Cancels the wave's devices that are at work but before the point of no return."""
    for device in wave.members:
        rec = led.devices[device]
        if rec.state in BEFORE_RETURN or rec.state in _PARKED:
            cancel(led, rec, reason)


def cancel(led: Ledger, rec: DeviceRecord, reason: Reason) -> None:
    """Takes a device out before anything changed on it; staged data goes with the connection."""
    led.release(rec)
    led.wake(rec, None)
    led.move(rec, DeviceState.CANCELLED, reason)
