"""Gates that speak for a wave or for the whole rollout, sampled from the controller.

Laws:
1. A background gate is sampled until the rollout ends, also when nothing else goes on: an engine
   that comes only now and then takes one sample each time, if it is due. It halts when it failed,
   pauses when it is inconclusive, and lets a wave pass only with samples taken inside that wave
   (R9). What it looks at is in `subjects`.
2. A stretch of soak without a sample longer than twice the interval does not count (R10). What
   was missed is asked for where the source remembers (`missed`).
3. A gate on a dry run is sampled and journalled, and decides nothing.
"""

from __future__ import annotations

import dataclasses

from orchestrator.plan.resolved import CompareTo, Gate, ProbeKind, Stage
from orchestrator.rollout import brakes, missed, readings, subjects
from orchestrator.rollout.actions import GateAction
from orchestrator.rollout.events import GateSampled
from orchestrator.rollout.ledger import Ledger, speaks_for
from orchestrator.rollout.record import GateRecord, WaveRecord
from orchestrator.rollout.states import Halt, Pause, WaveState
from orchestrator.rollout.timers import GATE_TIMER
from orchestrator.rollout.verdict import Reading, Tally, Verdict

_NEVER = 2**62  # a background gate has no last sample


def start_background(led: Ledger) -> None:
    """Schedules the first samples of background gates."""
    for record in led.gates:
        gate = led.plan.gates[record.index]
        if is_background(gate):
            record.last_at = led.now
            _schedule(led, record, led.now + gate.initial_delay_s)


def is_background(gate: Gate) -> bool:
    """Whether the controller samples it all the time."""
    return gate.stage is Stage.BACKGROUND and gate.probe.kind is not ProbeKind.CHECK


def is_wave_gate(gate: Gate, wave: str, stage: Stage = Stage.WAVE) -> bool:
    """Whether the controller samples it in this stage of the wave."""
    controller = gate.probe.kind is not ProbeKind.CHECK
    return gate.stage is stage and controller and speaks_for(gate, wave)


def _schedule(led: Ledger, record: GateRecord, at: float) -> None:
    record.due_at = at
    led.set_timer(f"{GATE_TIMER}{record.index}", at)


def is_measuring(led: Ledger) -> bool:
    """Whether a sample of a background gate is due now, or being taken."""
    return any(
        record.in_flight or (record.due_at is not None and record.due_at <= led.now)
        for record in led.gates
        if is_background(led.plan.gates[record.index])
    )


def gate_woke(led: Ledger, index: int) -> None:
    """A sample is due."""
    record = led.gates[index]
    record.due_at = None
    gate = led.plan.gates[index]
    if record.tally.verdict not in (Verdict.OPEN, Verdict.PASSED):
        return
    nothing = is_background(gate) and subjects.subject(led, gate) is None
    if nothing and not _wants_baseline(led, record):
        _schedule(led, record, led.now + gate.interval_s)
    else:
        take_sample(led, record)


def take_sample(led: Ledger, record: GateRecord) -> None:
    """Wants the next sample of the gate."""
    gate = led.plan.gates[record.index]
    if record.in_flight:
        led.drop_sample(_action(led, record))
    record.round += 1
    record.in_flight = True
    if gate.probe.kind is ProbeKind.STATS:  # asked of the books, not of the world
        sampled(led, readings.stats_sample(led, _subject(led, gate), record))
        return
    stretch = missed.stretch(led, record) if is_background(gate) else None
    action = GateAction(record.index, led.current, record.round, None, gate.timeout_s, stretch)
    led.want_sample(action)


def _action(led: Ledger, record: GateRecord) -> GateAction:
    return GateAction(record.index, led.current, record.round)


def drop_samples(led: Ledger) -> None:
    """No sample is wanted any more: the rollout ended, or begins another wave."""
    for record in led.gates:
        if record.in_flight:
            led.drop_sample(_action(led, record))
            record.in_flight = False
            if is_background(led.plan.gates[record.index]):
                _schedule(led, record, led.now)


def sampled(led: Ledger, event: GateSampled) -> None:
    """A sample came in."""
    record = led.gates[event.gate]
    expected = record.in_flight and event.round == record.round and event.wave == led.current
    if not expected:
        return
    led.drop_sample(_action(led, record))
    record.in_flight = False
    gate, wave = led.plan.gates[event.gate], led.waves[led.current]
    if _takes_baseline(led, wave, record, event):
        if is_background(gate):
            _schedule(led, record, led.now + gate.interval_s)
        return
    if is_background(gate):
        _heard_background(led, _subject(led, gate), record, event)
        return
    reading, data = readings.reading_of(led, readings.updated(led, wave), record, event)
    verdict = record.tally.add(gate, reading, led.now)
    _tell(led, wave, gate, reading, verdict, data)
    if verdict is Verdict.OPEN:
        _schedule(led, record, record.tally.due_at)
    _act(led, wave, gate, verdict, data)


def _heard_background(
    led: Ledger, wave: WaveRecord, record: GateRecord, event: GateSampled
) -> None:
    gate = led.plan.gates[record.index]
    if event.past is None and missed.stretch(led, record) is not None:
        take_sample(led, record)  # it came so late that others are missing before it
        return
    ours = subjects.watched(led, gate, wave)
    for past in missed.samples(led, record, event):
        reading, data = readings.reading_of(led, ours, record, past)
        if reading is not Reading.NO_DATA:
            _count(led, wave, record, reading, past.at, data | {"measured_at": past.at})
    reading, data = readings.reading_of(led, ours, record, event)
    if _count(led, wave, record, reading, led.now, data) is Verdict.OPEN:
        _schedule(led, record, led.now + gate.interval_s)


def _count(
    led: Ledger,
    wave: WaveRecord,
    record: GateRecord,
    reading: Reading,
    at: float,
    data: readings.Data,
) -> Verdict:
    """Counts a sample of a background gate at its time, and does what follows from it."""
    gate = led.plan.gates[record.index]
    if record.tally.verdict is not Verdict.OPEN:
        return record.tally.verdict
    limits = dataclasses.replace(gate, count=_NEVER, consecutive_success_limit=None)
    verdict = record.tally.add(limits, reading, at)
    _tell(led, wave, gate, reading, verdict, data)
    _heard(led, record, gate, at)
    present = led.waves[led.current]
    if wave is present:
        record.inside.add(limits, reading, at)
    _act(led, present, gate, verdict, data)
    return verdict


def _subject(led: Ledger, gate: Gate) -> WaveRecord:
    """The wave that a sample is about; the present one where there is none any more."""
    present = led.waves[led.current]
    return (subjects.subject(led, gate) if is_background(gate) else None) or present


def _tell(
    led: Ledger,
    wave: WaveRecord,
    gate: Gate,
    reading: Reading,
    verdict: Verdict,
    data: readings.Data,
) -> None:
    said: readings.Data = {
        "gate": gate.name,
        "reading": reading.value,
        "verdict": verdict.value,
    }
    led.note("gate_result", wave=wave.name, data=said | data)


def _takes_baseline(led: Ledger, wave: WaveRecord, record: GateRecord, event: GateSampled) -> bool:
    """Keeps the values from before a wave, for a gate that compares with them (R11)."""
    if wave.cleared or not _compares_with_before(led.plan.gates[record.index]):
        return False
    if event.error:
        return False  # as any error of the gate: too many in a row pause the rollout (R9)
    record.before = {str(device): value for device, value in event.series.items()}
    record.measured = wave.index
    if not is_background(led.plan.gates[record.index]):
        record.tally = Tally()
    return True


def _wants_baseline(led: Ledger, record: GateRecord) -> bool:
    """Whether a wave is about to start its devices, and nothing is known of them from before."""
    wave, gate = led.waves[led.current], led.plan.gates[record.index]
    begins = wave.state in (WaveState.RUNNING, WaveState.WAITING) and not wave.cleared
    missing = record.measured != wave.index and speaks_for(gate, wave.name)
    return begins and missing and _compares_with_before(gate)


def _compares_with_before(gate: Gate) -> bool:
    return gate.compare is not None and gate.compare.to is CompareTo.BEFORE


def _heard(led: Ledger, record: GateRecord, gate: Gate, at: float) -> None:
    is_gap = missed.is_gap(at - record.last_at, gate.interval_s)
    if is_gap and led.waves[led.current].state is WaveState.SOAKING:
        missed.note_gap(record, at)
    record.last_at = at


def _act(led: Ledger, wave: WaveRecord, gate: Gate, verdict: Verdict, data: readings.Data) -> None:
    if gate.dry_run:
        return
    numbers = readings.in_words(data)  # of the sample that decided; people read them first of all
    why = f": {numbers}" if numbers else ""
    if verdict is Verdict.FAILED:
        brakes.halt(led, Halt.GATE, f"gate `{gate.name}` failed{why}")
    elif verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR):
        detail = f"gate `{gate.name}` is {verdict.value}{why}"
        brakes.doubt_wave(led, wave, Pause.GATE_INCONCLUSIVE, detail)


def enter_wave(led: Ledger) -> None:
    """A wave begins: evidence inside it starts from nothing."""
    for record in led.gates:
        gate = led.plan.gates[record.index]
        record.inside = Tally()
        record.gaps.clear()
        if not is_background(gate):
            record.tally = Tally()


def begin_soak(led: Ledger) -> None:
    """The soak begins: gaps are counted from here."""
    for record in led.gates:
        record.gaps.clear()
        record.last_at = max(record.last_at, led.now)


def soak_gap_s(led: Ledger, wave: WaveRecord) -> float:
    """Seconds of the soak that do not count for want of samples."""
    return missed.missing_s(led.gates[index] for index in _deciding(led, wave))


def heard_lately(led: Ledger, wave: WaveRecord) -> bool:
    """Whether no deciding background gate is silent for too long right now."""
    return not any(
        missed.is_gap(led.now - led.gates[index].last_at, led.plan.gates[index].interval_s)
        for index in _deciding(led, wave)
    )


def _deciding(led: Ledger, wave: WaveRecord) -> list[int]:
    return [
        index
        for index, gate in enumerate(led.plan.gates)
        if is_background(gate) and not gate.dry_run and speaks_for(gate, wave.name)
    ]


def background_passed(led: Ledger, wave: WaveRecord) -> bool:
    """Whether each deciding background gate measured the wave and found it good."""
    for index in _deciding(led, wave):
        inside = led.gates[index].inside
        if not inside.successes > inside.failed + inside.inconclusive:
            return False
    return True


def before_wave(led: Ledger, wave: WaveRecord) -> bool:
    """Takes what has to be known before the wave's first device starts; True when all is well."""
    baselines = True
    for record in led.gates:
        if _wants_baseline(led, record):
            gate, is_open = led.plan.gates[record.index], record.tally.verdict is Verdict.OPEN
            baselines = baselines and gate.dry_run and not is_open
            if is_open and not record.in_flight and record.due_at is None:
                take_sample(led, record)
    return wave_gates_passed(led, wave, Stage.PREFLIGHT) and baselines


def wave_gates_passed(led: Ledger, wave: WaveRecord, stage: Stage) -> bool:
    """Takes the samples of the wave's own gates; True when all that decide have passed."""
    passed = True
    for record in led.gates:
        gate = led.plan.gates[record.index]
        if not is_wave_gate(gate, wave.name, stage):
            continue
        idle = not record.in_flight and record.due_at is None
        if record.tally.verdict is Verdict.OPEN and idle:
            if record.tally.measurements == 0 and gate.initial_delay_s and not record.tally.due_at:
                record.tally.due_at = led.now + gate.initial_delay_s
                _schedule(led, record, record.tally.due_at)
            else:
                take_sample(led, record)
        if record.tally.verdict is not Verdict.PASSED and not gate.dry_run:
            passed = False
    return passed


def reset(led: Ledger) -> None:
    """An operator resumed: gates that stopped the rollout measure anew."""
    for record in led.gates:
        gate = led.plan.gates[record.index]
        if record.tally.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.ERROR):
            record.tally = Tally()
            record.inside = Tally()
            if is_background(gate) and not record.in_flight:
                _schedule(led, record, led.now)


def restart(led: Ledger) -> None:
    """An engine took over: samples that were being taken are taken anew."""
    for record in led.gates:
        if record.in_flight:
            led.drop_sample(_action(led, record))
            take_sample(led, record)
