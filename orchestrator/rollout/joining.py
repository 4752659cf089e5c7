"""Devices that join a rollout under way: at the end of its last wave, where the plan says so.

Laws:
1. Only the last wave grows, and only before it has passed; its base grows by those that join. The
   number that the budget of the whole rollout is a share of stays as it was approved (R1, R6).
2. Nobody who joined takes a place in an earlier wave: such a device was in no preview.
3. An approval is of the devices that there were: one that is being gathered is gathered anew, and
   a last wave that was approved takes nobody any more.
4. Whoever is in the rollout already joins nothing: the same request twice is one.

Source: design "rollout-rules" R1.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.device.model import DeviceId
from orchestrator.plan.controls import LateJoiners
from orchestrator.plan.joiners import Joiner, amended, target_set_digest
from orchestrator.rollout import approving, turn
from orchestrator.rollout.answers import Answer, already, done, refused
from orchestrator.rollout.events import OperatorAsked, Value
from orchestrator.rollout.hours import Hours
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import BEFORE_START, DONE_WAVE, RolloutState, WaveState

_OPEN = BEFORE_START | {RolloutState.RUNNING, RolloutState.PAUSED}
_CLOSED = DONE_WAVE | {WaveState.COMMITTING}  # it commits what it was judged by


def judge(led: Ledger, event: OperatorAsked) -> Answer:
    """What comes of devices that want to join."""
    if led.plan.late_joiners is LateJoiners.IGNORE:
        return refused("its plan ignores devices that join later")
    new = {device: one for device, one in event.joiners.items() if device not in led.devices}
    if not new:
        return already("all of these devices are in it")
    closed = _closed(led)
    if closed:
        return refused(f"{closed}: nobody joins any more")
    count = f"{len(new)} device{'s' if len(new) > 1 else ''}"
    return done(lambda: _join(led, new), f"{count} in wave `{led.waves[-1].name}`")


def _closed(led: Ledger) -> str:
    """Why nobody may join; empty while devices may."""
    last = led.waves[-1]
    if led.state not in _OPEN:
        return f"it is {led.state.value.replace('_', ' ')}"
    if last.state in _CLOSED:
        return f"its last wave `{last.name}` is done"
    if last.plan.approval is not None and approving.is_given(led, last.name):
        return f"its last wave `{last.name}` was approved as it is"
    return ""


def _join(led: Ledger, new: Mapping[DeviceId, Joiner]) -> None:
    led.plan = amended(led.plan, new)
    led.hours = Hours(led.plan)
    led.slots.know(led.plan)
    wave = led.waves[-1]
    wave.plan = led.plan.waves[-1]
    for device, joiner in new.items():
        rec = DeviceRecord(device, wave.index, len(led.devices), joiner=joiner)
        rec.late = not joiner.device.keeps_previous
        led.devices[device] = rec
        led.joined_count += 1
        led.dirty[device] = None
        led.weigh(rec, 1)
        wave.members.append(device)
        wave.planned += 1
        if wave.state is not WaveState.PENDING:
            wave.queue.append(device)
    turn.require(led)
    name = approving.waited_for(led)
    if name in (approving.START, wave.name):
        approving.gather_anew(led, name)
    data: dict[str, Value | list[Value]] = {
        "devices": [*new],
        "base": wave.base,
        "target_set_sha256": target_set_digest(led.plan),
    }
    led.note("devices_joined", wave=wave.name, data=data)
