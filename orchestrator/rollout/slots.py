"""Who may start and who may be activated: the bounds of a wave, and backfill.

Laws:
1. A slot is granted in the step that reads the trip flag (R6): `fill` runs after every event and
   grants nothing unless the rollout is running.
2. Past the point of no return and unproven: at most the bound of R16. Before it: at most twice
   that, so that a bad release wastes few transfers. At work in all: at most `max_parallel`.
3. A device that was never reached is replaced by the next one in order, as often as the wave
   allows (R7).
"""

from __future__ import annotations

from orchestrator.rollout import brakes, moves
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import WaveRecord
from orchestrator.rollout.states import DeviceState, Pause, WaveState

AHEAD_FACTOR = 2
_STARTABLE = frozenset({DeviceState.PENDING, DeviceState.QUEUED})


def fill(led: Ledger) -> None:
    """Grants slots of the running wave."""
    wave = led.waves[led.current]
    if wave.state is not WaveState.RUNNING or not moves.may_start(led):
        return
    while wave.staged and wave.unproven < wave.bound:
        rec = led.devices[wave.staged.popleft()]
        if rec.state is DeviceState.STAGED and rec.wave == wave.index:
            moves.activate(led, rec)
    ahead_max = AHEAD_FACTOR * wave.bound
    while wave.queue and wave.at_work < wave.plan.max_parallel and wave.ahead < ahead_max:
        rec = led.devices[wave.queue.popleft()]
        if rec.state in _STARTABLE and rec.wave == wave.index:
            moves.transfer(led, rec)


def check_unreachable(led: Ledger, wave: WaveRecord) -> None:
    """Replaces devices that were never reached; pauses when too many remain."""
    while wave.counts[DeviceState.DEFERRED] > wave.backfilled:
        if wave.backfilled >= wave.plan.backfill_limit or not _backfill(led, wave):
            break
    if wave.unreachable > wave.allowed_unreachable:
        count = wave.unreachable
        devices = "device" if count == 1 else "devices"
        detail = f"{count} {devices} not reached, {wave.allowed_unreachable} allowed"
        brakes.pause(led, Pause.UNREACHABLE, detail)


def _backfill(led: Ledger, wave: WaveRecord) -> bool:
    for donor in led.waves[wave.index + 1 :]:
        if donor.state is not WaveState.PENDING or donor.plan.backfill_limit == 0:
            continue  # a wave with hosts of its own neither takes nor gives
        for device in donor.members:
            rec = led.devices[device]
            if rec.state is DeviceState.PENDING:
                led.transplant(rec, wave)
                led.move(rec, DeviceState.QUEUED, detail=f"takes a place in wave `{wave.name}`")
                wave.queue.append(device)
                return True
    return False
