"""The rollout: a pure object. `apply(event)` changes it, `in_flight` says what must be going on.

Laws:
1. Time and the world enter only in events; the same events give the same rollout and journal.
2. An event that the rollout does not wait for changes nothing: duplicates, late reports.
3. The engine writes the changes of `apply` before it starts anything of `in_flight`.
4. One event costs constant time, but for the few that concern every device of a wave: engine
   start, halt, resume, begin of a wave, begin and end of a rollback.

Reading order: `states`, `record`, `ledger` (books), `moves` (steps of a device), `forward`,
`proof`, `retreat`, `returned`, `recovery` (its reports), `slots`, `gating`, `passage`,
`brakes` (rules of waves), `catching_up` (devices that were away), `joining` (devices that came later), `asks`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import assert_never

from orchestrator.device.model import DeviceId
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import ResolvedPlan, Stage
from orchestrator.rollout import (
    approving,
    around,
    asks,
    codec,
    comparing,
    forward,
    gating,
    opening,
    passage,
    proof,
    recovery,
    retreat,
    returned,
    slots,
    turn,
)
from orchestrator.rollout.actions import Action, Work
from orchestrator.rollout.answers import Answer
from orchestrator.rollout.around import Surroundings
from orchestrator.rollout.changes import Changes, Row
from orchestrator.rollout.events import (
    Ask,
    DeviceReported,
    EngineStarted,
    EngineStopping,
    Event,
    GateSampled,
    LookedAround,
    OperatorAsked,
    Tick,
    Value,
)
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.outcome import exit_code
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.states import (
    BEFORE_START,
    PASSING,
    TERMINAL_ROLLOUT,
    DeviceState,
    Pause,
    RolloutState,
    WaveState,
)
from orchestrator.rollout.timers import GATE_TIMER, OPENING_TIMER, ZONE_TIMER


class Rollout:
    """One execution of a resolved plan; see the module's laws."""

    def __init__(self, ledger: Ledger) -> None:
        self._led = ledger
        self._held = _holds(ledger)  # as it was last collected

    @classmethod
    def start(
        cls, plan: ResolvedPlan, rollout_id: str, *, at: float, author: str = "", digest: str = ""
    ) -> Rollout:
        """A new rollout; its first `collect` holds all rows.

        It begins its first wave with `EngineStarted`, unless it has to wait for its time, its
        turn or an approval. `author` is who applies the plan, `digest` what its approvals are for.
        """
        led = Ledger(plan, rollout_id, at)
        led.author, led.plan_digest = author, digest
        led.dirty = dict.fromkeys(led.devices)
        told: dict[str, Value | list[Value]] = {"plan": plan.name, "devices": len(led.devices)}
        if author:
            told["author"] = author
        if plan.commit is not None:
            told |= {"commit": plan.commit.id, "signer": plan.commit.signer}
        led.note("rollout_started", data=told)
        if plan.approval is not None:
            approving.ask_for_start(led)
        else:
            led.state = RolloutState.SCHEDULED
        gating.start_background(led)
        return cls(led)

    @classmethod
    def restore(
        cls, plan: ResolvedPlan, rollout_id: str, rollout: Row, devices: Mapping[DeviceId, Row]
    ) -> Rollout:
        """The rollout of a snapshot; `EngineStarted` must be its next event."""
        led = codec.restore(plan, rollout_id, rollout, devices)
        if led.state is RolloutState.ROLLING_BACK and led.drained:
            retreat.queue_scope(led)
        return cls(led)

    def attend(self) -> None:
        """From here on it only answers requests: nothing goes on until an engine takes over."""
        self._led.stopping = self._led.attended = True

    def look_on(self, found: Surroundings, *, at: float) -> None:
        """Takes in what is around now, only to tell of it: one that nobody drives knows the past."""
        self._led.now = max(self._led.now, at)
        turn.look_on(self._led, found)

    def judge(self, event: OperatorAsked) -> Answer:
        """What would come of a request now; changes nothing."""
        return asks.judge(self._led, event)

    def apply(self, event: Event) -> Changes:
        """Takes one event; see law 2."""
        self.handle(event)
        return self.collect()

    def apply_all(self, events: Iterable[Event]) -> Changes:
        """Takes events in order and gives their changes together (group commit)."""
        for event in events:
            self.handle(event)
        return self.collect()

    def takes_long(self, event: Event) -> bool:
        """Whether it may take so long to take this event that nothing should have to wait for it."""
        if not isinstance(event, GateSampled):
            return False
        compare = self._led.plan.gates[event.gate].compare
        if compare is None:
            return False
        values_count = len(event.series) + sum(len(past.series) for past in event.past or ())
        return comparing.takes_long(compare, values_count)

    def handle(self, event: Event) -> None:
        """Takes one event; its changes come with the next `collect`."""
        led = self._led
        led.now = max(led.now, event.at)  # R15: time never goes back
        before = led.state
        if before in TERMINAL_ROLLOUT and not isinstance(event, EngineStarted | OperatorAsked):
            return
        self._take(event)
        if led.attended:
            approving.look(led)
        else:
            passage.advance(led)
        if led.state in TERMINAL_ROLLOUT and led.state is not before:
            passage.close(led)

    def _take(self, event: Event) -> None:
        led = self._led
        match event:
            case DeviceReported():
                self._reported(event)
            case Tick():
                self._tick()
            case GateSampled():
                self._sampled(event)
            case EngineStarted():
                led.attended = False
                turn.looked(led, event.around)
                recovery.engine_started(led, event)
                gating.restart(led)
            case EngineStopping():
                recovery.engine_stopping(led, told=event.told)
            case LookedAround():
                turn.looked(led, event.around)
            case OperatorAsked():
                asks.asked(led, event)
            case _:
                assert_never(event)

    def collect(self) -> Changes:
        """Rows and journal lines since the last call."""
        led = self._led
        rows = {device: codec.device_row(led.devices[device]) for device in led.dirty}
        holds = _holds(led)
        claims = holds and not self._held
        self._held = holds
        changes = Changes(
            codec.rollout_row(led), rows, tuple(led.journal), claims=claims, asks=tuple(led.asks)
        )
        led.dirty = {}
        led.journal, led.asks = [], []
        return changes

    def _reported(self, event: DeviceReported) -> None:
        led = self._led
        rec = led.devices.get(event.device)
        if rec is None or not _is_awaited(rec, event):
            return
        if rec.state is not DeviceState.TRANSFERRING or not event.outcome.ok:
            led.release(rec)  # a delivery that stands ready goes on
        led.dirty[rec.id] = None
        _REPORTS[event.work](led, rec, event)

    def _sampled(self, event: GateSampled) -> None:
        led = self._led
        if event.device is None:
            gating.sampled(led, event)
        elif (rec := led.devices.get(event.device)) is not None:
            proof.device_sampled(led, rec, event)

    def _tick(self) -> None:
        led = self._led
        for key in tuple(led.due_keys()):
            if key.startswith(GATE_TIMER):
                gating.gate_woke(led, int(key.removeprefix(GATE_TIMER)))
            elif key.startswith(ZONE_TIMER):
                led.slots.freed[slots.HOURS, key.removeprefix(ZONE_TIMER)] = None
            elif key.startswith(OPENING_TIMER):
                led.slots.freed[opening.TICKET_LABEL, key.removeprefix(OPENING_TIMER)] = None
            elif (rec := led.devices.get(key)) is not None:  # type: ignore[call-overload]  # a key
                rec.due_at = None
                recovery.device_woke(led, rec)

    # --- what the engine and renderers read --------------------------------------------------

    @property
    def in_flight(self) -> Collection[Action]:
        """Actions that must be going on now."""
        return self._led.wanted.values()

    @property
    def next_wakeup(self) -> float | None:
        """When a `Tick` is wanted, in UTC seconds."""
        return self._led.next_due()

    @property
    def state(self) -> RolloutState:
        """Where the rollout stands."""
        return self._led.state

    @property
    def plan(self) -> ResolvedPlan:
        """What it carries out, with the devices that joined."""
        return self._led.plan

    @property
    def is_terminal(self) -> bool:
        """Nothing changes any more, unless an operator rolls it back."""
        return self._led.state in TERMINAL_ROLLOUT

    @property
    def is_quiet(self) -> bool:
        """No device is at work."""
        return not any(wave.at_work or wave.reading for wave in self._led.waves)

    @property
    def is_resting(self) -> bool:
        """Nothing is at work, and it takes a person or much time to bring it on.

        An operator's own pause is no rest for who stays: whoever paused will resume.
        """
        led = self._led
        if not self.is_quiet:
            return False
        if led.state is RolloutState.PAUSED:
            return Pause.OPERATOR.value not in led.causes
        return led.state is RolloutState.HALTED or self._waits

    @property
    def is_put_down(self) -> bool:
        """Paused, by whomever, and nothing is at work but devices that stand ready for their go."""
        led = self._led
        idle = all(
            wave.at_work == wave.counts[DeviceState.STAGED] and not wave.reading
            for wave in led.waves
        )
        return led.state is RolloutState.PAUSED and idle

    @property
    def is_measuring(self) -> bool:
        """A background gate is about to speak; once it is halted nobody waits for that."""
        led = self._led
        return led.state is not RolloutState.HALTED and gating.is_measuring(led)

    @property
    def is_waiting(self) -> bool:
        """It rests, and goes on by itself: at its time, or with an approval."""
        led = self._led
        if led.state is RolloutState.PAUSED:
            return self.is_resting and PASSING.issuperset(led.causes)
        return self.is_resting and self._waits and not self.orphans

    @property
    def is_soaking(self) -> bool:
        """All that it waits for is the time of a soak that nobody has to watch."""
        led = self._led
        wave = led.waves[led.current]
        watched = any(gate.stage is Stage.BACKGROUND for gate in led.plan.gates)
        soaking = led.state is RolloutState.RUNNING and wave.state is WaveState.SOAKING
        return soaking and not watched and self.is_quiet

    @property
    def _waits(self) -> bool:
        led = self._led
        if led.state in BEFORE_START:
            return not turn.is_served(led)
        return slots.waits(led) or retreat.waits(led)

    @property
    def orphans(self) -> tuple[str, ...]:
        """Rollouts that it asked to end, and that no engine drives."""
        return turn.orphans(self._led)

    @property
    def exit_code(self) -> ExitCode:
        """What `apply` would exit with now."""
        return exit_code(self._led)

    @property
    def returnable(self) -> Mapping[DeviceId, str]:
        """Devices that a rollback would take back, those at work too, each with its wave's name."""
        led = self._led
        return {
            rec.id: led.wave_of(rec).name for rec in led.devices.values() if retreat.can_return(rec)
        }

    def exit_code_of(self, asked: Ask | None) -> ExitCode:
        """What a command exits with that asked this of the rollout and carried it out."""
        return exit_code(self._led, asked)

    @property
    def ledger(self) -> Ledger:
        """The books, for `story` and tests; not to be changed."""
        return self._led


def _holds(led: Ledger) -> bool:
    return around.holds(led.state, begun=led.begun_at is not None)


def _read_back(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    if rec.state is DeviceState.ROLLING_BACK:
        returned.checked(led, rec, event)
    else:
        proof.read_back(led, rec, event)


_REPORTS: dict[Work, Callable[[Ledger, DeviceRecord, DeviceReported], None]] = {
    Work.PREFLIGHT: forward.preflighted,
    Work.DELIVER: forward.delivered,
    Work.ACTIVATE: forward.activated,
    Work.KEEP: forward.kept,
    Work.PROVE: proof.proved,
    Work.CONFIRM: proof.confirmed,
    Work.COMMIT: proof.committed,
    Work.READ_BACK: _read_back,
    Work.ROLL_BACK: retreat.went_back,
    Work.INQUIRE: recovery.inquired,
}


def _is_awaited(rec: DeviceRecord, event: DeviceReported) -> bool:
    return rec.work is event.work and rec.round == event.round and rec.txn == event.txn
