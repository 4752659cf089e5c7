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

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import OnFailure
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord, WaveRecord
from orchestrator.rollout.states import (
    BEFORE_RETURN,
    DONE_WAVE,
    DeviceState,
    Halt,
    Pause,
    RolloutState,
    WaveState,
)

_MOVING = frozenset({RolloutState.RUNNING, RolloutState.PAUSED})


def check_budget(led: Ledger, wave: WaveRecord) -> None:
    """Trips the wave when more devices failed than it allows."""
    if wave.counted <= wave.allowed or wave.state in DONE_WAVE or led.state not in _MOVING:
        return
    data: dict[str, object] = {
        "counted": wave.counted,
        "allowed": wave.allowed,
        "base": wave.base,
    }
    led.note("budget", wave=wave.name, data=data)  # type: ignore[arg-type]  # ints are values
    wave.tripped = True
    if led.plan.on_failure is OnFailure.CONTINUE:
        wave.accepted = wave.counted
        return
    failures = "failure" if wave.counted == 1 else "failures"
    halt(led, Halt.BUDGET, f"{wave.counted} {failures}, {wave.allowed} allowed")


def halt(led: Ledger, cause: Halt, detail: str) -> None:
    """Stops the rollout until an operator decides, or rolls it back where the plan says so."""
    if led.state not in _MOVING:
        if led.state is RolloutState.HALTED and cause.value not in led.causes:
            led.causes[cause.value] = detail
        return
    led.state = RolloutState.HALTED
    led.causes = {cause.value: detail}
    wave = led.waves[led.current]
    if cause in (Halt.BUDGET, Halt.GATE) and wave.state not in DONE_WAVE:
        wave.state = WaveState.TRIPPED
    led.note("halted", wave=wave.name, data={"cause": cause.value, "detail": detail})
    cancel_unmoved(led, wave, Reason.ROLLOUT_HALTED)


def pause(led: Ledger, cause: Pause, detail: str = "") -> None:
    """Starts nothing new until an operator resumes."""
    if led.state not in _MOVING or cause.value in led.causes:
        return
    led.state = RolloutState.PAUSED
    led.causes[cause.value] = detail
    wave = led.waves[led.current]
    led.note("paused", wave=wave.name, data={"cause": cause.value, "detail": detail})


def doubt_wave(led: Ledger, wave: WaveRecord, cause: Pause, detail: str) -> None:
    """The wave has too little evidence to pass: pauses the rollout."""
    if led.state is not RolloutState.RUNNING:
        return
    wave.state = WaveState.INCONCLUSIVE
    pause(led, cause, detail)


def cancel_unmoved(led: Ledger, wave: WaveRecord, reason: Reason) -> None:
    """Cancels the wave's devices that are at work but before the point of no return."""
    for device in wave.members:
        rec = led.devices[device]
        if rec.state in BEFORE_RETURN or rec.state is DeviceState.RETRY_WAIT:
            cancel(led, rec, reason)


def cancel(led: Ledger, rec: DeviceRecord, reason: Reason) -> None:
    """Takes a device out before anything changed on it; staged data goes with the connection."""
    led.release(rec)
    led.wake(rec, None)
    led.move(rec, DeviceState.CANCELLED, reason)
