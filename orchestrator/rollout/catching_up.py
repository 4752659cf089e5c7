"""Devices that were away: waited for by their wave, or followed after the last one.

Laws:
1. A deferred device is asked again after 1, 2, 4, 8 and then 15 minutes, for as long as
   `offline.for` says: from the pass of the last wave (`defer`), or, where its wave waits for it
   (`wait`), from when it was first found away. Then it is given up.
2. Whoever follows goes the whole way of a device of its wave: bound, limits, hours, rate, gates
   and budgets hold. Nothing of the wave is repeated: it had its soak and its gates.
3. The rollout ends when nobody is left to follow and nothing is at work.

Source: design "rollout-rules" R7, R8, "States of a rollout".
"""

from __future__ import annotations

from orchestrator.device.reason import Reason
from orchestrator.rollout import moves
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import WAITING, DeviceState, RolloutState
from orchestrator.rollout.timers import DEADLINE_TIMER, FOLLOW_TIMER

_STOPPED = frozenset({RolloutState.HALTED, RolloutState.ROLLING_BACK, RolloutState.ABORTING})


def begin(led: Ledger) -> bool:
    """After the last wave: begins, or goes on, to catch up; False when nobody is left."""
    if not _is_anybody_left(led):
        return False
    led.state = RolloutState.CATCHING_UP
    if led.follow_until is None:
        led.follow_until = led.now + led.plan.offline_for_s
        led.set_timer(FOLLOW_TIMER, led.follow_until)
        led.deadline_at = None  # it was met: what follows now has a time of its own
        led.set_timer(DEADLINE_TIMER, None)
        away = sum(wave.away for wave in led.waves)
        data = {"devices": away, "until": led.follow_until}
        led.note("catching_up", data=dict(data))
    for rec in led.devices.values():
        if rec.state is DeviceState.DEFERRED and not rec.given_up and rec.due_at is None:
            moves.ask_again(led, rec)
    return True


def _is_anybody_left(led: Ledger) -> bool:
    return any(wave.away or wave.settled < wave.total for wave in led.waves) or _unmade(led)


def _unmade(led: Ledger) -> bool:
    """Whether a device that followed was proven and is not committed yet (R17)."""
    return any(wave.counts[DeviceState.CONFIRMED] for wave in led.waves)


def settle(led: Ledger) -> bool:
    """Commits what was proven, gives up what took too long; True when nothing is left."""
    assert led.follow_until is not None
    if _unmade(led):
        for rec in led.devices.values():
            if rec.state is DeviceState.CONFIRMED:
                moves.commit(led, rec)
    if led.now >= led.follow_until:
        _give_up_all(led)
    return not _is_anybody_left(led)


def _give_up_all(led: Ledger) -> None:
    for rec in led.devices.values():
        if rec.state in WAITING:
            reason = rec.reason if rec.reason is not Reason.OK else Reason.INTERRUPTED
            moves.finish(led, rec, DeviceState.DEFERRED, reason, rec.detail)
        if rec.state is DeviceState.DEFERRED and not rec.given_up:
            led.give_up(rec)


def device_woke(led: Ledger, rec: DeviceRecord) -> None:
    """It is time to ask a deferred device again, or to give it up."""
    until = moves.away_until(led, rec)
    if until is not None and led.now >= until:
        led.give_up(rec)
    elif led.state in _STOPPED:
        led.wake(rec, led.now + moves.AGAIN_MAX_S)
    else:
        # behind those that wait already: with a slow rate, nobody is passed over for ever
        moves.enqueue(led, rec, rec.reason, rec.detail, last=True)
