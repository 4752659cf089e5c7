"""Why a rollout is where it is, as data: for `status`, live output and the last words of `apply`.

Renderers turn a `Story` into text or JSON; nothing here formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.rollout import approving, moves, retreat
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.outcome import exit_code
from orchestrator.rollout.record import DeviceRecord, Glass, WaveRecord
from orchestrator.rollout.runs import Runs, runs
from orchestrator.rollout.states import (
    AT_WORK,
    TERMINAL_ROLLOUT,
    TROUBLED,
    DeviceState,
    Halt,
    Pause,
    RolloutState,
    WaveState,
)
from orchestrator.rollout.waiting import asked_at, rests, soak_until, waiting

_STOPS_NOTHING = frozenset({Pause.APPROVAL.value})
_GOES_BACK = frozenset({RolloutState.ROLLING_BACK, RolloutState.ROLLED_BACK, RolloutState.FAILED})
_LEFT = frozenset({Runs.UNTOUCHED, Runs.UNSEEN})  # nothing was activated on these


@dataclass(frozen=True, slots=True)
class WaveStory:
    """One wave: `counts` by device state (only those that are not 0)."""

    name: str
    state: WaveState
    devices: int
    counts: Mapping[DeviceState, int]
    failures: int
    allowed: int
    required: int
    bound: int
    soak_until: float | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Devices in the same state for the same reason, in the same words (`detail`, untrusted).

    `first_at` is when the first of them came into this trouble; None where a version that did not
    keep it wrote that.
    """

    state: DeviceState
    reason: Reason
    detail: str
    devices: tuple[DeviceId, ...]
    first_at: float | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """What halted or paused the rollout: a value of `Halt` or `Pause`, with the figures."""

    cause: Halt | Pause
    detail: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """Devices that were away before their start.

    `devices` are asked again, `given_up` are not. `next_at` and `until_at` (UTC seconds): when the
    next is asked, and when the last is given up; None before that is known.
    """

    devices: int
    given_up: int
    next_at: float | None
    until_at: float | None


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a person asked to take back: a wave by name, so many devices, or (neither) all."""

    wave: str = ""
    devices: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """Where a rollout stands and why.

    Attributes:
        begun: it was running once, whatever it is now.
        wave: name of the present wave.
        runs: devices by what they run; they add up to all.
        back_on: devices that run again what they did before, by the name of that artifact as the
            plan knew it; "" where it knew none.
        begun_on: devices that were begun, and left before anything was activated on them.
        on_new: devices that run, or may run, the new version because of this rollout.
        glass: the last that was broken to go on without approvals, over or not.
        held_up: other rollouts, plans and freezes that it waits for, each in words.
        rivals: the ids of those rollouts.
        taken_back: what a person asked for, of one that goes or went back.
        waits_for: what it waits for when nothing is at work: `start`, `freeze` or `window` before
            it begins, `soak`, `gate`, `deferred`, `window`, `ticket`, ... later.
        until: when each of these is over, where that is known (UTC seconds).
        rests: only that brings it on, and nothing is at work: who drives it may leave (exit code 7).
        next_at: when it goes on by itself; None where nobody knows, or nothing has to come.
        next_commands: what an operator may do now, as `rollout` commands.
    """

    rollout_id: str
    plan: str
    state: RolloutState
    begun: bool
    wave: str
    stops: tuple[Stop, ...]
    waves: tuple[WaveStory, ...]
    troubles: tuple[Trouble, ...]
    devices: int
    succeeded: int
    unchanged: int
    at_work: int
    runs: Mapping[Runs, int]
    back_on: Mapping[str, int]
    begun_on: int
    on_new: int
    excluded: int
    deferred: Deferred
    held_up: tuple[str, ...]
    waits_for: tuple[str, ...]
    exit_code: ExitCode
    next_commands: tuple[str, ...]
    started_at: float
    at: float
    glass: Glass | None = None
    until: Mapping[str, float] = field(default_factory=dict)
    next_at: float | None = None
    rests: bool = False
    rivals: tuple[str, ...] = ()
    taken_back: TakenBack | None = None

    @property
    def untouched(self) -> int:
        """Devices on which nothing was activated, that neither failed nor ran the version before."""
        return sum(self.runs.get(what, 0) for what in _LEFT)


def tell(rollout: Rollout, *, now: float | None = None) -> Story:
    """The story so far; what it waits for is told as of `now` (UTC seconds), or the last event.

    Cost: linear in devices; for live output use `WaveStory` counts of `tell_waves`.
    """
    led = rollout.ledger
    waits = waiting(led, led.now if now is None else now)
    total = {state: sum(wave.counts[state] for wave in led.waves) for state in DeviceState}
    found = {device: runs(led, rec) for device, rec in led.devices.items()}
    back = (led.plan.devices[device].current for device, what in found.items() if what is Runs.BACK)
    return Story(
        rollout_id=led.rollout_id,
        plan=led.plan.name,
        state=led.state,
        begun=led.begun_at is not None,
        wave=led.waves[led.current].name,
        stops=_stops(led),
        waves=tell_waves(rollout),
        troubles=_troubles(led),
        devices=len(led.devices),
        succeeded=total[DeviceState.SUCCEEDED],
        unchanged=total[DeviceState.UNCHANGED],
        at_work=sum(total[state] for state in AT_WORK),
        runs=Counter(found.values()),
        back_on=Counter(name or "" for name in back),
        begun_on=sum(
            led.devices[device].started > 0 for device, what in found.items() if what in _LEFT
        ),
        on_new=sum(rec.moved for rec in led.devices.values()),
        excluded=len(led.plan.skipped),
        deferred=_deferred(led),
        glass=led.glass,
        held_up=() if led.state in TERMINAL_ROLLOUT else tuple(led.waiting.values()),
        rivals=() if led.state in TERMINAL_ROLLOUT else tuple(led.rivals),
        taken_back=_taken_back(led),
        waits_for=waits.what,
        until=waits.until,
        next_at=waits.next_at,
        rests=rests(led, waits),
        exit_code=exit_code(led),
        next_commands=_next_commands(led),
        started_at=led.started_at,
        at=led.now,
    )


def tell_waves(rollout: Rollout) -> tuple[WaveStory, ...]:
    """The waves with their counters.

    Cost: constant per wave, fit for live output.
    """
    led = rollout.ledger
    return tuple(_wave(led, wave) for wave in led.waves)


def _wave(led: Ledger, wave: WaveRecord) -> WaveStory:
    return WaveStory(
        name=wave.name,
        state=wave.state,
        devices=wave.total,
        counts={state: count for state, count in wave.counts.items() if count},
        failures=wave.counted,
        allowed=wave.allowed,
        required=wave.required,
        bound=wave.bound,
        soak_until=soak_until(led, wave),
    )


def _stops(led: Ledger) -> tuple[Stop, ...]:
    return tuple(Stop(_cause(led, cause), detail) for cause, detail in led.causes.items())


def _taken_back(led: Ledger) -> TakenBack | None:
    if led.state not in _GOES_BACK or not led.scope.get("asked"):
        return None
    wave, devices = led.scope.get("wave"), led.scope.get("devices")
    return TakenBack(
        led.waves[wave].name if isinstance(wave, int) else "",
        len(devices) if isinstance(devices, list) else 0,
    )


def _cause(led: Ledger, cause: str) -> Halt | Pause:
    """A person can halt as well as pause: the state tells which of the two it was."""
    is_halt = led.state is not RolloutState.PAUSED and cause in set(Halt)
    return Halt(cause) if is_halt else Pause(cause)


def _troubles(led: Ledger) -> tuple[Trouble, ...]:
    found: dict[tuple[DeviceState, Reason, str], list[DeviceRecord]] = {}
    for rec in led.devices.values():
        if rec.state in TROUBLED:
            found.setdefault((rec.state, rec.reason, rec.detail), []).append(rec)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        Trouble(state, reason, detail, tuple(rec.id for rec in records), _first_at(records))
        for (state, reason, detail), records in ordered
    )


def _first_at(records: Sequence[DeviceRecord]) -> float | None:
    return min((rec.troubled_at for rec in records if rec.troubled_at is not None), default=None)


def _deferred(led: Ledger) -> Deferred:
    away = [
        rec
        for rec in led.devices.values()
        if rec.state is DeviceState.DEFERRED and not rec.given_up
    ]
    over = led.state in TERMINAL_ROLLOUT
    ends = [] if over else [at for rec in away if (at := moves.away_until(led, rec)) is not None]
    return Deferred(
        devices=0 if over else len(away),
        given_up=sum(wave.counts[DeviceState.DEFERRED] for wave in led.waves)
        - (0 if over else len(away)),
        next_at=None if over else asked_at(led),
        until_at=max(ends, default=None),
    )


def _next_commands(led: Ledger) -> tuple[str, ...]:
    run, devices = led.rollout_id, led.devices.values()
    if led.state is RolloutState.HALTED:
        commands = [f"rollout status {run}", f"rollout resume {run} --accept-failures"]
        if any(map(retreat.can_return, devices)):
            commands.append(f"rollout rollback {run}")
        return (*commands, f"rollout abort {run}")
    if approving.waited_for(led) is not None and _STOPS_NOTHING.issuperset(led.causes):
        return (f"rollout status {run}", f"rollout approve {run}", f"rollout abort {run}")
    if led.state is RolloutState.PAUSED:
        return _after_a_pause(led)
    if led.state in TERMINAL_ROLLOUT:
        kept = led.state is RolloutState.ROLLED_BACK and any(map(retreat.can_return, devices))
        return (*([f"rollout rollback {run} --all"] if kept else []), f"rollout events {run}")
    return _in_between(led)


def _in_between(led: Ledger) -> tuple[str, ...]:
    """Of one that is neither stopped nor over."""
    run = led.rollout_id
    if led.rivals:  # they have the devices, so what they wait for comes first
        others = (f"rollout status {rival}" for rival in led.rivals)
        return (*others, f"rollout status {run}", f"rollout abort {run}")
    if led.waves[led.current].state is WaveState.SOAKING:
        promote = f"rollout promote {run}"
        return (f"rollout status {run}", f"rollout pause {run}", promote)
    return (f"rollout status {run}", f"rollout pause {run}", f"rollout halt {run}")


def _after_a_pause(led: Ledger) -> tuple[str, ...]:
    run, wave = led.rollout_id, led.waves[led.current]
    resume = [f"rollout resume {run}"]
    deferred = wave.counts[DeviceState.DEFERRED]
    if Pause.INSUFFICIENT_EVIDENCE.value in led.causes and not deferred:
        # there is nothing that it could try again, and without a success nothing to accept
        resume = [f"{resume[0]} --accept-failures"] if wave.successes else []
    commands = [f"rollout status {run}", *resume]
    if wave.state is WaveState.INCONCLUSIVE and wave.settled == wave.total:
        commands.append(f"rollout promote {run} --reason TEXT")
    return (*commands, f"rollout abort {run}")
