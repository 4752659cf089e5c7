"""Rows of a rollout and back: what a store keeps, JSON-able, without defaults.

Laws:
1. `restore` of the rows of `collect` gives the same rollout: same states, counters, timers.
2. A row holds plain JSON values only; fields with their default value are left out, so that a
   newer version may add fields without touching running rollouts.
3. Wanted actions are not stored: an engine that takes over asks first (`EngineStarted`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import cast

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.joiners import amended, joiner_of, joiner_row
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.actions import Work
from orchestrator.rollout.changes import Row
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.outcome import exit_code
from orchestrator.rollout.record import DeviceRecord, GateRecord, Glass, WaveRecord
from orchestrator.rollout.states import TERMINAL_ROLLOUT, DeviceState, RolloutState, WaveState
from orchestrator.rollout.timers import (
    DEADLINE_TIMER,
    DRAIN_TIMER,
    FOLLOW_TIMER,
    GATE_TIMER,
    GLASS_TIMER,
    SOAK_TIMER,
)
from orchestrator.rollout.verdict import Tally, Verdict

_ALWAYS = frozenset({"state", "wave", "place"})
_BY_PLAN = frozenset({"id", "late"})
_PLAIN: tuple[tuple[str, object], ...] = tuple(
    (field.name, None if field.name in _ALWAYS else field.default)
    for field in dataclasses.fields(DeviceRecord)
    if field.name not in _BY_PLAN | {"asked", "tallies", "sampling", "work", "joiner"}
)
_values = attrgetter(*(name for name, _ in _PLAIN))  # one call for all: half the time of a row
_WAVE_FIELDS = (
    "planned", "state", "accepted", "accepted_unreachable", "promised", "tripped", "backfilled",
    "soak_until", "soaked", "judged_from", "deadline_at", "failed_at", "cleared",
    "soak_ended", "passed_by",
)  # fmt: skip


def device_row(rec: DeviceRecord) -> Row:
    """The row of one device."""
    values = zip(_PLAIN, _values(rec), strict=True)
    row: dict[str, object] = {name: value for (name, default), value in values if value != default}
    if rec.work is not None:
        row["work"] = rec.work
    if rec.joiner is not None:
        row["joiner"] = joiner_row(rec.joiner)
    if rec.tallies:
        row["tallies"] = {str(index): _tally_row(tally) for index, tally in rec.tallies.items()}
    return row


def rollout_row(led: Ledger) -> Row:
    """The row of the rollout: its state, its waves and gates; small."""
    return {
        "state": led.state.value,
        "causes": dict(led.causes),
        "at": led.now,
        "started_at": led.started_at,
        "current": led.current,
        "epoch": led.epoch,
        "seq": led.seq,
        "last_request": led.last_request,
        "start_count": led.start_count,
        "drain_until": led.drain_until,
        "drained": led.drained,
        "last_start_at": led.last_start_at,
        "begun_at": led.begun_at,
        "deadline_at": led.deadline_at,
        "accepted": led.accepted,
        "follow_until": led.follow_until,
        "failed_at": list(led.failed_at),
        "author": led.author,
        "plan_digest": led.plan_digest,
        "approvals": [dict(approval) for approval in led.approvals],
        "asked_at": led.asked_at,
        "glass": None if led.glass is None else dataclasses.asdict(led.glass),
        "soaks_ended": led.soaks_ended,
        "scope": led.scope,
        "waiting": dict(led.waiting),
        "rivals": list(led.rivals),
        "superseding": list(led.superseding),
        "superseded": led.superseded,
        "exit_code": int(exit_code(led)) if led.state in TERMINAL_ROLLOUT else None,
        "waves": [_wave_row(wave) for wave in led.waves],
        "gates": [_gate_row(gate) for gate in led.gates],
    }


def _wave_row(wave: WaveRecord) -> Row:
    row = {name: getattr(wave, name) for name in _WAVE_FIELDS}
    return row | {"failed_at": list(wave.failed_at), "passed_by": list(wave.passed_by)}


def _gate_row(gate: GateRecord) -> Row:
    return {
        "tally": _tally_row(gate.tally),
        "inside": _tally_row(gate.inside),
        "round": gate.round,
        "in_flight": gate.in_flight,
        "due_at": gate.due_at,
        "before": dict(gate.before),
        "measured": gate.measured,
        "last_at": gate.last_at,
        "gaps": [list(gap) for gap in gate.gaps],
    }


def _tally_row(tally: Tally) -> list[object]:
    return [
        tally.due_at,
        tally.successes,
        tally.failed,
        tally.inconclusive,
        tally.no_data,
        tally.errors_in_row,
        tally.successes_in_row,
        tally.verdict.value,
    ]


def _tally(row: object) -> Tally:
    due_at, successes, failed, inconclusive, no_data, errors, good, verdict = cast(
        "tuple[float, int, int, int, int, int, int, str]", row
    )
    return Tally(due_at, successes, failed, inconclusive, no_data, errors, good, Verdict(verdict))


def restore(
    plan: ResolvedPlan, rollout_id: str, rollout: Row, devices: Mapping[DeviceId, Row]
) -> Ledger:
    """The books of a snapshot.

    Cost: linear in devices.
    """
    led = Ledger(plan_of_rows(plan, devices), rollout_id, cast("float", rollout["at"]))
    led.state = RolloutState(cast("str", rollout["state"]))
    led.causes = dict(cast("Mapping[str, str]", rollout["causes"]))
    for name in (
        "started_at", "current", "epoch", "seq", "last_request", "start_count", "drain_until",
        "drained", "last_start_at", "begun_at", "deadline_at", "accepted",
        "failed_at",
    ):  # fmt: skip
        setattr(led, name, rollout[name])
    led.follow_until = cast("float | None", rollout.get("follow_until"))
    for name in ("author", "plan_digest", "asked_at", "soaks_ended"):
        if name in rollout:  # else the row is older than the field
            setattr(led, name, rollout[name])
    approvals = cast("list[Mapping[str, object]]", rollout.get("approvals", []))
    led.approvals = [dict(approval) for approval in approvals]
    if (glass := cast("Mapping[str, object] | None", rollout.get("glass"))) is not None:
        led.glass = Glass(
            str(glass["who"]),
            str(glass["why"]),
            cast("float", glass["at"]),
            cast("float", glass["until_at"]),
        )
        led.set_timer(GLASS_TIMER, led.glass.until_at)
    led.scope = dict(cast("Mapping[str, object]", rollout["scope"]))
    led.waiting = dict(cast("Mapping[str, str]", rollout.get("waiting", {})))
    led.rivals = list(cast("list[str]", rollout.get("rivals", [])))
    led.superseding = list(cast("list[str]", rollout.get("superseding", [])))
    led.superseded = bool(rollout.get("superseded"))
    _restore_devices(led, devices)
    for wave, row in zip(led.waves, cast("list[Row]", rollout["waves"]), strict=True):
        _restore_wave(led, wave, row)
    for gate, row in zip(led.gates, cast("list[Row]", rollout["gates"]), strict=True):
        _restore_gate(led, gate, row)
    if led.drain_until is not None and not led.drained:
        led.set_timer(DRAIN_TIMER, led.drain_until)
    led.set_timer(DEADLINE_TIMER, led.deadline_at)
    if led.state is not RolloutState.ROLLING_BACK:
        led.set_timer(FOLLOW_TIMER, led.follow_until)
    return led


def plan_of_rows(plan: ResolvedPlan, devices: Mapping[DeviceId, Row]) -> ResolvedPlan:
    """The plan with the devices that joined its rollout, which only their rows know (R1)."""
    rows = [(device, row) for device, row in devices.items() if "joiner" in row]
    rows.sort(key=lambda item: cast("int", item[1]["place"]))
    return amended(plan, {device: joiner_of(row["joiner"]) for device, row in rows})


def _restore_devices(led: Ledger, devices: Mapping[DeviceId, Row]) -> None:
    for wave in led.waves:
        wave.members.clear()
    for rec in led.devices.values():
        led.weigh(rec, -1)
        row = devices.get(rec.id)
        if row is not None:
            _fill_record(rec, row)
            led.joined_count += rec.joiner is not None
    for rec in sorted(led.devices.values(), key=lambda rec: rec.place):
        led.waves[rec.wave].members.append(rec.id)
        led.weigh(rec, 1)
        led.waves[rec.wave].reading += rec.reading
        if rec.due_at is not None:
            led.set_timer(rec.id, rec.due_at)
        if rec.state in (DeviceState.STAGED, DeviceState.BLOCKED):
            led.waves[rec.wave].staged.append(rec.id)


def _fill_record(rec: DeviceRecord, row: Row) -> None:
    for name, _default in _PLAIN:
        if name in row:
            setattr(rec, name, row[name])
    rec.state = DeviceState(cast("str", row["state"]))
    rec.reason = Reason(cast("str", row.get("reason", Reason.OK)))
    rec.cause = Reason(cast("str", row.get("cause", Reason.OK)))
    rec.work = Work(cast("str", row["work"])) if "work" in row else None
    rec.joiner = joiner_of(row["joiner"]) if "joiner" in row else None
    tallies = cast("Mapping[str, object]", row.get("tallies", {}))
    rec.tallies = {int(index): _tally(value) for index, value in tallies.items()}


def _restore_wave(led: Ledger, wave: WaveRecord, row: Row) -> None:
    for name in _WAVE_FIELDS:
        if name in row:  # else the row is older than the field
            setattr(wave, name, row[name])
    wave.state = WaveState(cast("str", row["state"]))
    wave.failed_at, wave.passed_by = list(wave.failed_at), list(wave.passed_by)
    led.set_timer(f"{DEADLINE_TIMER}/{wave.index}", wave.deadline_at)
    if wave.state is WaveState.JUDGING and led.needs_reading(wave):
        wave.to_read.extend(led.to_read(wave))
    if wave.soak_until is not None:
        led.set_timer(SOAK_TIMER, wave.soak_until)
    if wave.state is not WaveState.PENDING:
        waiting = [led.devices[device] for device in wave.members]
        again = [rec for rec in waiting if rec.state is DeviceState.QUEUED]
        fresh = [rec for rec in waiting if rec.state is DeviceState.PENDING]
        wave.queue.extend(rec.id for rec in again + fresh)


def _gaps(row: Row) -> list[tuple[float, float]]:
    """Stretches without samples; rows of before they were kept one by one have their sum."""
    last_at = cast("float", row["last_at"])
    whole = [(last_at - cast("float", row["gap_s"]), last_at)] if row.get("gap_s") else []
    gaps = cast("Sequence[tuple[float, float]]", row.get("gaps", whole))
    return [(start, end) for start, end in gaps]


def _restore_gate(led: Ledger, gate: GateRecord, row: Row) -> None:
    gate.tally, gate.inside = _tally(row["tally"]), _tally(row["inside"])
    for name in ("round", "in_flight", "due_at", "last_at", "measured"):
        setattr(gate, name, row[name])
    gate.gaps = _gaps(row)
    gate.before = dict(cast("Mapping[str, float]", row["before"]))
    if gate.due_at is not None:
        led.set_timer(f"{GATE_TIMER}{gate.index}", gate.due_at)
