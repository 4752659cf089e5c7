"""The books of one rollout: records, counters, wanted actions, wake-ups and journal.

Laws:
1. A device's state changes only in `move`, which keeps every counter right in constant time.
2. A device wants at most one device action; each wanted action has a number of its own, so that
   a late report of an earlier one is recognised.
3. Nothing here decides: rules live in the modules above.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import Gate, OfflinePolicy, ProbeKind, ResolvedPlan, Stage
from orchestrator.rollout.actions import Action, DeviceAction, GateAction, Work
from orchestrator.rollout.around import Surroundings
from orchestrator.rollout.events import JournalEntry, OperatorAsked, Value
from orchestrator.rollout.hours import Hours
from orchestrator.rollout.ids import txn_id
from orchestrator.rollout.pacing import Slots
from orchestrator.rollout.record import DeviceRecord, GateRecord, Glass, WaveRecord
from orchestrator.rollout.states import (
    AT_WORK,
    BEFORE_RETURN,
    COUNTED,
    PAST_RETURN,
    PROVEN,
    SETTLED,
    DeviceState,
    RolloutState,
)
from orchestrator.rollout.timers import Timers

UNSIGNED = "-"  # in place of the key that should have signed a proof


class Moment(Enum):
    """When a device is asked about its health."""

    BEFORE = auto()  # it is started: health checks of stage `preflight`
    UPDATED = auto()  # it was activated: gates of stage `device`
    SOAKED = auto()  # its wave soaked: its other health checks, and nothing that is asked elsewhere


class Ledger:
    """Everything a rollout knows; see the module's laws."""

    def __init__(self, plan: ResolvedPlan, rollout_id: str, at: float) -> None:
        self.plan = plan
        self.rollout_id = rollout_id
        self.now = self.started_at = at
        self.author, self.plan_digest = "", ""  # who applied the plan; what approvals are for
        self.state = RolloutState.RUNNING
        self.causes: dict[str, str] = {}  # of a pause or halt: cause -> detail
        self.stopping = False  # the engine goes down; not stored
        self.attended = False  # no engine: requests are answered, nothing goes on; not stored
        self._stand_alone()
        self.current = 0
        self.epoch = 0
        self.seq = 0
        self.last_request = 0
        self.start_count = 0
        self.last_start_at: float | None = None
        self.begun_at: float | None = None  # when it was running for the first time
        self.deadline_at: float | None = None
        self.follow_until: float | None = None  # deferred devices follow; set after the last wave
        self.accepted: int | None = None  # failures of the whole rollout that were acknowledged
        self.approvals: list[dict[str, object]] = []  # given: wave ("": the rollout), who, at
        self.glass: Glass | None = None  # the last that was broken, over or not
        self.asked_at: float | None = None  # since when the present approval is waited for
        self.soaks_ended = False  # an operator ended all soaks to come
        self.failed_at: list[float] = []  # newest failures, for bursts
        self.hours = Hours(plan)
        self.slots = Slots(plan)
        self._stay_forward()
        self.devices: dict[DeviceId, DeviceRecord] = {}
        self.joined_count = 0  # of those, devices that joined later (R1)
        self.waves: list[WaveRecord] = []
        self.gates = [GateRecord(index) for index in range(len(plan.gates))]
        self.wanted: dict[str, Action] = {}
        self.journal: list[JournalEntry] = []
        self.dirty: dict[DeviceId, None] = {}
        self._keys: dict[DeviceId, str] = {}
        self._timers = Timers()
        self._device_gates: dict[tuple[int, Moment], tuple[int, ...]] = {}
        self._add_waves()

    @property
    def broken_glass(self) -> Glass | None:
        """The broken glass that still stands for missing approvals."""
        return self.glass if self.glass is not None and self.now < self.glass.until_at else None

    def _stay_forward(self) -> None:
        """What concerns a rollback: there is none."""
        self.drain_until: float | None = None
        self.drained = False
        self.scope: dict[str, object] = {}
        self.back_queue: list[DeviceId] = []

    def _stand_alone(self) -> None:
        """What concerns others: nothing is known of them."""
        self.around: Surroundings | None = None  # what the last look found; not stored
        self.unmet: dict[DeviceId, str] = {}  # devices that wait for other plans; not stored
        self.waiting: dict[str, str] = {}  # what others it waits for -> detail
        self.rivals: list[str] = []  # rollouts that have to be over first
        self.superseding: list[str] = []  # rollouts that it asked to end
        self.superseded = False  # a newer one asked it to end
        self.asks: list[tuple[str, OperatorAsked]] = []

    def _add_waves(self) -> None:
        place = 0
        for index, wave in enumerate(self.plan.waves):
            record = WaveRecord(index, wave, planned=len(wave.devices))
            self.waves.append(record)
            for device in wave.devices:
                late = not self.plan.devices[device].keeps_previous
                self.devices[device] = DeviceRecord(device, index, place, late=late)
                record.members.append(device)
                self.weigh(self.devices[device], 1)
                place += 1

    # --- devices ---------------------------------------------------------------------------

    @property
    def frozen_count(self) -> int:
        """Devices that the plan was made for: what shares of the whole rollout are of (R1, R6)."""
        return len(self.devices) - self.joined_count

    def wave_of(self, rec: DeviceRecord) -> WaveRecord:
        """The wave that counts the device."""
        return self.waves[rec.wave]

    def under_way(self) -> list[WaveRecord]:
        """Waves of which devices may be at work: the present one; all, while deferred ones follow."""
        return [self.waves[self.current]] if self.follow_until is None else self.waves

    def at_work_beside(self, wave: WaveRecord) -> int:
        """Devices at work that count against the wave's `max_parallel`."""
        return wave.at_work if self.follow_until is None else sum(w.at_work for w in self.waves)

    def move(
        self, rec: DeviceRecord, state: DeviceState, reason: Reason = Reason.OK, detail: str = ""
    ) -> None:
        """Brings a device into a state and journals it."""
        counted = self.waves[rec.wave].counted
        self.weigh(rec, -1)
        before, rec.state = rec.state, state
        on_its_way = rec.ends_as and (state is DeviceState.UNCERTAIN or reason is rec.cause)
        if reason not in (Reason.OK, rec.reason) and not on_its_way:
            rec.troubled_at = self.now
        rec.reason, rec.detail, rec.since = reason, detail[:1024], self.now
        if state is not DeviceState.UNCERTAIN:
            rec.dark = False
        self.weigh(rec, 1)
        self._time_failure(rec, counted)
        self.dirty[rec.id] = None
        data: dict[str, Value | list[Value]] = {
            "from": before.value,
            "to": state.value,
            "attempt": rec.attempt,
        }
        if reason is not Reason.OK:
            data["reason"] = reason.value
        if detail:
            data["detail"] = rec.detail
        if rec.boot:
            data["boot"] = rec.boot
        if state in PROVEN or state is DeviceState.ROLLED_BACK:
            data |= signature_of(rec)
        self.note("device_state", rec=rec, data=data)

    def mark_dark(self, rec: DeviceRecord) -> None:
        """Counts an uncertain device as failed until it answers (R6)."""
        counted = self.waves[rec.wave].counted
        self.weigh(rec, -1)
        rec.dark = True
        self.weigh(rec, 1)
        self._time_failure(rec, counted)
        self.dirty[rec.id] = None
        self.note("warning", rec=rec, data={"what": "dark"})

    def _time_failure(self, rec: DeviceRecord, counted_before: int) -> None:
        """Keeps the times of as many failures as a burst may have, and one more."""
        wave = self.waves[rec.wave]
        if wave.counted <= counted_before:
            return
        for burst, times in (
            (self.plan.budget.window, self.failed_at),
            (wave.plan.window, wave.failed_at),
        ):
            if burst is not None:
                times.append(self.now)
                del times[: -(burst.failures + 1)]

    def mark_proven(self, rec: DeviceRecord, *, proven: bool = True) -> None:
        """Its gates passed, or have to pass again: decides whether it is in flight (R16)."""
        if rec.proven is proven:
            return
        self.weigh(rec, -1)
        rec.proven = proven
        if proven and rec.took_s is None:
            rec.took_s = self.now - rec.begun_at
        self.weigh(rec, 1)
        self.dirty[rec.id] = None

    def transplant(self, rec: DeviceRecord, wave: WaveRecord) -> None:
        """Moves a pending device into another wave (R7 backfill)."""
        self.weigh(rec, -1)
        donor = self.waves[rec.wave]
        donor.members.remove(rec.id)
        donor.planned -= 1
        rec.wave = wave.index
        wave.members.append(rec.id)
        wave.backfilled += 1
        self.weigh(rec, 1)
        self.dirty[rec.id] = None

    def give_up(self, rec: DeviceRecord) -> None:
        """A deferred device is not asked again."""
        self.weigh(rec, -1)
        rec.given_up = True
        self.weigh(rec, 1)
        self.wake(rec, None)
        self.note("warning", rec=rec, data={"what": "given_up"})

    def weigh(self, rec: DeviceRecord, sign: int) -> None:
        """Adds a device to the counters of its wave, or takes it out."""
        wave = self.waves[rec.wave]
        state = rec.state
        self.slots.weigh(rec, sign)
        wave.total += sign
        wave.counts[state] += sign
        away = state is DeviceState.DEFERRED and not rec.given_up
        awaited = away and self.plan.offline is OfflinePolicy.WAIT
        if away:
            wave.away += sign
            wave.awaited += sign * awaited
        if state in SETTLED and not awaited:
            wave.settled += sign
            if state in COUNTED and not rec.excused:
                wave.counted += sign
        if state in PROVEN:
            wave.successes += sign
        if state in AT_WORK:
            wave.at_work += sign
            if state in BEFORE_RETURN:
                wave.ahead += sign
            if rec.dark:
                wave.counted += sign
        if state in PAST_RETURN and not rec.proven:
            wave.unproven += sign

    def new_attempt(self, rec: DeviceRecord) -> None:
        """Gives the device a transaction of its own."""
        rec.attempt += 1
        rec.txn = txn_id(self.rollout_id, rec.id, rec.attempt)
        rec.untried = True
        rec.cleared = False
        self.dirty[rec.id] = None

    def patrols(self, wave: WaveRecord) -> list[Gate]:
        """Health checks that speak later than a device's own gates: of stage wave or background."""
        return [
            gate
            for gate in self.plan.gates
            if gate.stage in (Stage.WAVE, Stage.BACKGROUND)
            and gate.probe.kind is ProbeKind.CHECK
            and speaks_for(gate, wave.name)
        ]

    def needs_reading(self, wave: WaveRecord) -> bool:
        """Whether its devices are read back before it passes: after a soak (R10), or for a check."""
        return wave.soaked or bool(self.patrols(wave))

    def to_read(self, wave: WaveRecord) -> list[DeviceId]:
        """Devices of the wave that are still to be read back after its soak (R10)."""
        return [
            device
            for device in wave.members
            if (rec := self.devices[device]).state in PROVEN
            and not rec.reading
            and rec.read_at < wave.judged_from
        ]

    # --- actions ---------------------------------------------------------------------------

    def want(
        self,
        rec: DeviceRecord,
        work: Work,
        timeout_s: float,
        *,
        checks: tuple[str, ...] = (),
        nonce: str = "",
        fresh: bool = False,
    ) -> None:
        """Makes this the one action of the device."""
        self.release(rec)
        rec.work = work
        rec.round += 1
        action = DeviceAction(work, rec.id, rec.txn, rec.round, checks, nonce, timeout_s, fresh)
        key = action.key
        self._keys[rec.id] = key
        self.wanted[key] = action
        self.dirty[rec.id] = None

    def release(self, rec: DeviceRecord) -> None:
        """The device wants no action any more."""
        rec.work = None
        key = self._keys.pop(rec.id, None)
        if key is not None:
            del self.wanted[key]
        self.dirty[rec.id] = None

    def want_sample(self, action: GateAction) -> None:
        """Makes one sample of a gate wanted."""
        self.wanted[action.key] = action

    def drop_sample(self, action: GateAction) -> None:
        """The sample is no longer wanted."""
        self.wanted.pop(action.key, None)

    def device_gates(self, wave: int, moment: Moment) -> tuple[int, ...]:
        """Indexes of the gates that a device of the wave must pass at that moment."""
        found = self._device_gates.get((wave, moment))
        if found is None:
            name = self.waves[wave].name
            found = tuple(
                index
                for index, gate in enumerate(self.plan.gates)
                if speaks_for(gate, name) and _concerns_device(gate, moment)
            )
            self._device_gates[wave, moment] = found
        return found

    # --- time ------------------------------------------------------------------------------

    def wake(self, rec: DeviceRecord, at: float | None) -> None:
        """Wants a tick for the device at that time, or none."""
        rec.due_at = at
        self.dirty[rec.id] = None
        self.set_timer(rec.id, at)

    def set_timer(self, key: str, at: float | None) -> None:
        """Sets or clears a wake-up."""
        self._timers.set(key, at)

    def next_due(self) -> float | None:
        """The earliest wake-up."""
        return self._timers.next_at()

    def due_keys(self) -> Iterator[str]:
        """Takes out the wake-ups that are due now."""
        return self._timers.take(self.now)

    # --- journal ---------------------------------------------------------------------------

    def note(
        self,
        kind: str,
        *,
        wave: str = "",
        rec: DeviceRecord | None = None,
        data: dict[str, Value | list[Value]] | None = None,
    ) -> None:
        """Appends a line to the journal."""
        self.seq += 1
        device = ""
        if rec is not None:
            wave, device = self.waves[rec.wave].name, rec.id
        self.journal.append(JournalEntry(self.seq, self.now, kind, wave, device, data or {}))


def signature_of(rec: DeviceRecord) -> dict[str, Value | list[Value]]:
    """What the journal tells of who signed what was read back; nothing where nobody was asked to."""
    if not rec.signer:
        return {}
    return {"signed": False} if rec.signer == UNSIGNED else {"signed": True, "key": rec.signer}


def speaks_for(gate: Gate, wave: str) -> bool:
    """Whether a gate applies to a wave."""
    return not gate.waves or wave in gate.waves


def _concerns_device(gate: Gate, moment: Moment) -> bool:
    check = gate.probe.kind is ProbeKind.CHECK
    match moment:
        case Moment.BEFORE:
            return check and gate.stage is Stage.PREFLIGHT
        case Moment.UPDATED:
            return gate.stage is Stage.DEVICE
        case Moment.SOAKED:
            return check and gate.stage is not Stage.PREFLIGHT
