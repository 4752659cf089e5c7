"""Whether it is this rollout's turn: what keeps it from beginning beside its own schedule.

Laws:
1. It begins only after a look at what is around; a freeze of all rollouts, unmet requirements of
   all its devices and rollouts that go first keep it scheduled, and it tells which.
2. Another rollout is superseded only where this one's priority is not lower, and where it works
   on the devices already or is older. It ends by itself, after its devices in flight have
   finished; this one begins after that.
   One that only waits for devices that were away gives way like that also to one that queues: it
   could keep the others for days.
3. Who could not begin anyway, outside its hours or without what it requires, keeps no place in
   the queue. A freeze of all rollouts costs nobody the place.
4. The store looks once more in the transaction in which it begins: of two, one begins.

Source: design "rollout-rules", "States of a rollout" and "Further behaviour": conflicts.
"""

from __future__ import annotations

from orchestrator.device.model import DeviceId
from orchestrator.plan.requires import unmet
from orchestrator.plan.resolved import OnConflict
from orchestrator.rollout.around import FleetFreeze, Neighbour, Surroundings
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.held import Held
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.states import RolloutState
from orchestrator.rollout.timers import START_TIMER

START = "start"
FREEZE = "freeze"
REQUIRES = "requires"
ROLLOUT = "rollout"
REQUIRES_SLOT = ("/requires", "")  # of devices that wait for other plans; no label has a slash


def looked(led: Ledger, around: Surroundings) -> None:
    """Takes in what is around now."""
    known = None if led.around is None else led.around.running
    led.around = around
    if around.running != known:
        require(led)


def look_on(led: Ledger, around: Surroundings) -> None:
    """Finds anew what keeps it from beginning; only to be shown, and decides nothing."""
    looked(led, around)
    if led.state is not RolloutState.SCHEDULED:
        return
    led.waiting, led.rivals = {}, []
    if led.hours.closed_by(led.now):
        return
    if frozen := fleet_freeze(led):
        led.waiting[FREEZE] = frozen.text
    if len(led.unmet) == len(led.devices):
        led.waiting[REQUIRES] = next(iter(led.unmet.values()))
    elif rivals := _rivals(led):
        led.waiting[ROLLOUT] = _texts(led, rivals)
        led.rivals = [one.rollout_id for one in rivals]


def require(led: Ledger) -> None:
    """Judges anew which devices lack what the plan requires: it is known of others, or of more."""
    if not led.plan.requires or led.around is None:
        return
    led.unmet = unmet(led.plan, led.around.running)
    led.slots.freed[REQUIRES_SLOT] = None
    if not led.unmet:
        led.waiting.pop(REQUIRES, None)


def fleet_freeze(led: Ledger) -> FleetFreeze | None:
    """The freeze of all rollouts that is on now."""
    frozen = None if led.around is None else led.around.frozen
    return frozen if frozen is not None and frozen.is_on(led.now) else None


def freeze_lifted(led: Ledger) -> str:
    """Who lifted the last freeze of all rollouts, and why; empty when nobody did."""
    frozen = None if led.around is None else led.around.frozen
    return "" if frozen is None else frozen.lifted_text


def held_by_others(led: Ledger, device: DeviceId) -> Held | None:
    """What another rollout's end keeps the device from: this artifact, or everything."""
    return None if led.around is None else led.around.held.get(device)


def has_come(led: Ledger) -> bool:
    """Whether it may begin as far as others are concerned; otherwise says what it waits for."""
    if led.around is None:
        return False
    frozen = fleet_freeze(led)
    if frozen is not None:
        led.set_timer(START_TIMER, frozen.until_at)
        wait_for(led, FREEZE, frozen.text)
        return False
    led.waiting.pop(FREEZE, None)
    if len(led.unmet) == len(led.devices):
        _stand_behind_nobody(led)
        wait_for(led, REQUIRES, next(iter(led.unmet.values())))
        return False
    if rivals := _rivals(led):
        _stand_behind(led, rivals)
        return False
    _stand_behind_nobody(led)
    led.superseding = []
    return True


def not_now(led: Ledger) -> None:
    """Outside its own hours it waits for nobody, and nobody waits for it."""
    if led.waiting:
        led.waiting.clear()
        led.rivals = []
        led.note("waiting", data={"for": START, "detail": "its own hours"})


def _rivals(led: Ledger) -> tuple[Neighbour, ...]:
    """Rollouts that have to be over before this one begins."""
    if led.around is None:
        return ()
    if led.plan.on_conflict is not OnConflict.SUPERSEDE:
        return led.around.busy
    older = (one for one in led.around.older if led.plan.priority >= one.priority)
    return (*led.around.busy, *older)


def wait_for(led: Ledger, what: str, detail: str) -> None:
    """Keeps what it waits for, and journals it where that is news."""
    if led.waiting.get(what) != detail:
        led.waiting[what] = detail
        led.note("waiting", data={"for": what, "detail": detail})


def _stand_behind_nobody(led: Ledger) -> None:
    led.waiting.pop(ROLLOUT, None)
    led.rivals = []


def _stand_behind(led: Ledger, rivals: tuple[Neighbour, ...]) -> None:
    led.rivals = [one.rollout_id for one in rivals]
    wait_for(led, ROLLOUT, _texts(led, rivals))
    led.set_timer(START_TIMER, led.hours.changes_at(led.now))
    if led.plan.on_conflict is OnConflict.FAIL:
        led.state = RolloutState.REJECTED
    if led.state is RolloutState.REJECTED:
        return
    for one in rivals:
        ends = one.follows or led.plan.on_conflict is OnConflict.SUPERSEDE
        if ends and led.plan.priority >= one.priority and one.rollout_id not in led.superseding:
            led.superseding.append(one.rollout_id)
            led.note("superseding", data={"rollout": one.rollout_id, "plan": one.plan})
            who = f"rollout {led.rollout_id}"
            why = f"superseded by plan `{led.plan.name}`, release {led.plan.release}"
            led.asks.append((one.rollout_id, OperatorAsked(led.now, Ask.SUPERSEDE, who, why)))


def _texts(led: Ledger, rivals: tuple[Neighbour, ...]) -> str:
    return "; ".join(_text(led, one) for one in rivals)


def _text(led: Ledger, one: Neighbour) -> str:
    devices = f"`{one.device}`" if one.shared == 1 else f"{one.shared} of its devices"
    first = led.around is not None and one in led.around.busy
    does = "works on" if one.begun else "comes first for" if first else "was made earlier for"
    return f"rollout `{one.rollout_id}` of plan `{one.plan}` {does} {devices}"


def is_served(led: Ledger) -> bool:
    """Whether an engine is ending every rollout that it waits for: that does not take long."""
    rivals = _rivals(led)
    return bool(rivals) and all(one.driven and one.rollout_id in led.superseding for one in rivals)


def orphans(led: Ledger) -> tuple[str, ...]:
    """Rollouts that were asked to end, and that no engine drives."""
    return tuple(
        one.rollout_id
        for one in _rivals(led)
        if not one.driven and one.rollout_id in led.superseding
    )
