"""R9 and R10: device, wave and background gates, soaks with fresh evidence at their end."""

from orchestrator.device.model import DeviceId
from orchestrator.device.protocol import CheckResult
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.gate import StatName
from orchestrator.plan.resolved import (
    Gate,
    OnFailure,
    Probe,
    ProbeKind,
    ResolvedWave,
    Schedule,
    Stage,
)
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask, GateSampled
from orchestrator.rollout.missed import missing_s
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B = device_ids(2)
SERVICE = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
)


def http(name, stage, **choices):
    fields = {"success_when": "value > 0", "interval_s": 10.0} | choices
    return Gate(name, stage, Probe(ProbeKind.HTTP, url="http://x/"), **fields)


def check(name, stage, **choices):
    fields = {"success_when": "result.exit == 0"} | choices
    return Gate(name, stage, Probe(ProbeKind.CHECK, check=name), **fields)


def hand(*gates, soak_s=0.0, devices=(A,), more=(), **choices):
    waves = [ResolvedWave("canary", "1", tuple(devices), soak_s=soak_s, **choices)]
    if more:
        waves.append(ResolvedWave("rest", "rest", tuple(more)))
    return Hand(make_plan(waves, gates=gates))


# --- device gates ----------------------------------------------------------------------------


def test_rounds_follow_count_and_interval():
    rollout = hand(check("service", Stage.DEVICE, count=2, interval_s=5.0))
    rollout.activate(A)
    first = rollout.action(A)
    rollout.prove(A)
    wakeup = rollout.rollout.next_wakeup
    between = rollout.wanted()
    rollout.tick(5.0)
    second = rollout.action(A)
    rollout.prove(A)

    assert wakeup == 5.0
    assert between == {}
    assert (first.work, second.work) == (Work.PROVE, Work.PROVE)
    assert first.round != second.round
    assert rollout.wanted() == {A: Work.COMMIT}


def test_check_with_initial_delay_is_not_asked_at_once():
    rollout = hand(check("service", Stage.DEVICE, initial_delay_s=8.0))
    rollout.activate(A)

    first = rollout.action(A).checks
    rollout.prove(A)
    rollout.tick(8.0)

    assert first == ()
    assert rollout.action(A).checks == ("service",)


def test_missing_check_is_no_evidence_and_pauses():
    rollout = hand(check("service", Stage.DEVICE, consecutive_error_limit=0), more=(B,))
    rollout.activate(A)

    rollout.prove(A, 127)

    assert rollout.rollout.state is RolloutState.PAUSED
    assert rollout.wanted() == {A: Work.ROLL_BACK}
    rollout.go_back(A)
    assert rollout.rollout.ledger.waves[0].counted == 0
    assert rollout.rollout.exit_code is ExitCode.WAITING


def test_check_absent_from_the_reply_is_no_success():
    rollout = hand(SERVICE)
    rollout.activate(A)

    rollout.report(A, status=rollout.status(A, "probation"))

    assert rollout.state(A) is DeviceState.VERIFYING


def test_fields_of_a_check_are_used_by_conditions():
    rollout = hand(check("mem", Stage.DEVICE, success_when="result.free > 10"))
    rollout.activate(A)

    results = (CheckResult("mem", 0, '{"free": 11}'),)
    rollout.report(A, status=rollout.status(A, "probation"), checks=results)

    assert rollout.state(A) is DeviceState.COMMITTING


def test_dry_run_gate_decides_nothing():
    rollout = hand(check("service", Stage.DEVICE, dry_run=True))
    rollout.activate(A)

    rollout.prove(A, 1)

    assert rollout.state(A) is DeviceState.COMMITTING
    assert rollout.lines("gate_result")[0].data["verdict"] == "failed"


def test_controller_gate_of_a_device_is_sampled_after_the_proof():
    rollout = hand(http("api", Stage.DEVICE))
    rollout.activate(A)
    before = rollout.samples()
    rollout.prove(A)
    [sample] = rollout.samples()

    rollout.sample(1)

    assert before == []
    assert sample.device == A
    assert rollout.state(A) is DeviceState.COMMITTING


def test_failed_controller_gate_of_a_device_takes_it_back():
    rollout = hand(http("api", Stage.DEVICE))
    rollout.activate(A)
    rollout.prove(A)

    rollout.sample(0)

    assert rollout.wanted() == {A: Work.ROLL_BACK}
    assert rollout.samples() == []


def test_gate_of_another_wave_is_not_asked():
    rollout = hand(check("service", Stage.DEVICE, waves=("rest",)))
    rollout.activate(A)

    assert rollout.action(A).checks == ()


# --- soak ------------------------------------------------------------------------------------


def test_soak_ends_with_a_fresh_read_back():
    rollout = hand(SERVICE, soak_s=60.0, more=(B,))
    rollout.succeed(A)
    soaking = rollout.rollout.ledger.waves[0].state
    rollout.tick(59.0)
    early = rollout.wanted()
    rollout.tick(60.0)
    reading = rollout.action(A)

    rollout.prove(A)

    assert soaking is WaveState.SOAKING
    assert early == {}
    assert (reading.work, reading.checks) == (Work.READ_BACK, ("service",))
    assert rollout.wanted() == {B: Work.DELIVER}


def test_device_whose_check_fails_at_the_end_of_the_soak_regressed():
    rollout = hand(SERVICE, soak_s=60.0, more=(B,))
    rollout.succeed(A)
    rollout.tick(60.0)

    rollout.prove(A, 1)

    assert (rollout.state(A), rollout.rollout.ledger.devices[A].reason) == (
        DeviceState.FAILED,
        Reason.REGRESSED,
    )
    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.rollout.exit_code is ExitCode.HALTED


def test_regressed_device_that_a_person_takes_back_stays_a_failure_and_is_counted_once():
    rollout = hand(SERVICE, soak_s=60.0, more=(B,))
    rollout.succeed(A)
    rollout.tick(60.0)
    rollout.prove(A, 1)
    counted = rollout.rollout.ledger.waves[0].counted

    rollout.ask(Ask.ROLLBACK)
    on_the_way = rollout.rollout.ledger.waves[0].counted
    rollout.go_back(A)

    assert rollout.state(A) is DeviceState.ROLLED_BACK
    assert (counted, on_the_way, rollout.rollout.ledger.waves[0].counted) == (1, 0, 1)
    assert rollout.rollout.ledger.devices[A].reason is Reason.REGRESSED


def test_regressed_device_keeps_its_reason_when_the_plan_takes_its_wave_back():
    waves = [ResolvedWave("canary", "2", (A, B), soak_s=60.0)]
    rollout = Hand(make_plan(waves, gates=(SERVICE,), on_failure=OnFailure.ROLLBACK))
    rollout.succeed(A)
    rollout.succeed(B)
    rollout.tick(60.0)
    rollout.prove(A, 1)
    rollout.prove(B)

    rollout.go_back(A)
    rollout.go_back(B)

    records = rollout.rollout.ledger.devices
    assert rollout.rollout.exit_code is ExitCode.ROLLED_BACK
    assert (records[A].reason, records[B].reason) == (Reason.REGRESSED, Reason.ROLLOUT_HALTED)
    assert "service" in records[A].detail


def test_device_on_another_artifact_at_the_end_of_the_soak_regressed():
    rollout = hand(SERVICE, soak_s=60.0)
    rollout.succeed(A)
    rollout.tick(60.0)

    rollout.report(A, status=rollout.status(A, "rolled-back"))

    assert rollout.rollout.ledger.devices[A].reason is Reason.REGRESSED


def test_device_that_does_not_answer_is_asked_again_before_it_regressed():
    rollout = hand(SERVICE, soak_s=60.0)
    rollout.succeed(A)
    rollout.tick(60.0)

    rollout.report(A, Reason.UNREACHABLE)
    waiting = rollout.state(A)
    rollout.tick(70.0)
    again = rollout.wanted()
    rollout.tick(60.0 + rollout.plan.timeouts.reboot_s)
    rollout.report(A, Reason.UNREACHABLE)

    assert waiting is DeviceState.SUCCEEDED
    assert again == {A: Work.READ_BACK}
    assert rollout.state(A) is DeviceState.FAILED


def test_confirmed_device_that_regresses_goes_back():
    waves = [ResolvedWave("canary", "1", (A,), soak_s=60.0)]
    rollout = Hand(make_plan(waves, gates=(SERVICE,), late=True))
    rollout.activate(A)
    rollout.prove(A)
    rollout.report(A)
    rollout.tick(60.0)

    rollout.prove(A, 1)

    assert rollout.wanted() == {A: Work.ROLL_BACK}


def test_soak_of_zero_needs_no_read_back():
    rollout = hand(SERVICE, more=(B,))

    rollout.succeed(A)

    assert rollout.wanted() == {B: Work.DELIVER}


def test_soak_counts_engine_downtime():
    rollout = hand(SERVICE, soak_s=60.0)
    rollout.succeed(A)
    rollout.now = 100.0

    rollout.restart()
    rollout.tick(100.0)

    assert rollout.wanted() == {A: Work.READ_BACK}


# --- wave gates ------------------------------------------------------------------------------


def test_wave_gate_is_sampled_after_the_soak():
    rollout = hand(http("load", Stage.WAVE, count=2), more=(B,))
    rollout.succeed(A)
    [first] = rollout.samples()

    rollout.sample(1)
    rollout.tick(10.0)
    rollout.sample(1)

    assert first.device is None
    assert rollout.wanted() == {B: Work.DELIVER}


def test_failed_wave_gate_halts():
    rollout = hand(http("load", Stage.WAVE), more=(B,))
    rollout.succeed(A)

    rollout.sample(0)

    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.rollout.ledger.causes == {"gate": "gate `load` failed: value 0"}
    assert rollout.rollout.exit_code is ExitCode.HALTED


def test_wave_gate_without_data_pauses_and_measures_anew_on_resume():
    rollout = hand(http("load", Stage.WAVE), more=(B,))
    rollout.succeed(A)
    rollout.sample(None)
    paused = rollout.rollout.state

    rollout.ask(Ask.RESUME)
    rollout.sample(1)

    assert paused is RolloutState.PAUSED
    assert rollout.wanted() == {B: Work.DELIVER}


def test_wave_check_is_asked_of_the_devices_even_without_a_soak():
    rollout = hand(check("memory", Stage.WAVE), more=(B,))

    rollout.succeed(A)

    assert rollout.action(A).work is Work.READ_BACK
    assert rollout.action(A).checks == ("memory",)


# --- background gates ------------------------------------------------------------------------


def test_background_gate_is_sampled_from_the_start():
    rollout = hand(http("alerts", Stage.BACKGROUND))
    rollout.tick(0.0)

    [sample] = rollout.samples()
    rollout.sample(1)

    assert sample.round == 1
    assert rollout.rollout.next_wakeup == 10.0


def test_failed_background_gate_halts_at_once():
    rollout = hand(http("alerts", Stage.BACKGROUND))
    rollout.tick(0.0)

    rollout.sample(0)

    assert rollout.rollout.state is RolloutState.HALTED


def test_wave_needs_a_background_sample_of_its_own():
    rollout = hand(http("alerts", Stage.BACKGROUND), more=(B,))
    rollout.succeed(A)
    before = rollout.wanted()

    rollout.tick(0.0)
    rollout.sample(1)

    assert before == {}
    assert rollout.wanted() == {B: Work.DELIVER}


def test_background_errors_pause_and_never_halt():
    rollout = hand(http("alerts", Stage.BACKGROUND, consecutive_error_limit=0))
    rollout.tick(0.0)

    rollout.sample(None, error="refused")

    assert rollout.rollout.state is RolloutState.PAUSED


def test_stretch_without_background_samples_does_not_count_as_soak():
    rollout = hand(http("alerts", Stage.BACKGROUND), soak_s=60.0)
    rollout.tick(0.0)
    rollout.sample(1)
    rollout.succeed(A)

    rollout.tick(60.0)  # 60 s of silence, the interval is 10 s
    silent = rollout.rollout.ledger.waves[0].state
    rollout.sample(1)
    rollout.tick(61.0)
    later = rollout.rollout.ledger.waves[0].state

    assert silent is WaveState.SOAKING
    assert later is WaveState.SOAKING
    assert missing_s(rollout.rollout.ledger.gates) == 60.0


def before_start(*gates):
    opens = Schedule(start_at=3600.0)
    return Hand(make_plan([ResolvedWave("all", "all", (A,))], gates=gates, schedule=opens))


def test_background_gate_that_is_inconclusive_before_the_start_pauses_and_is_asked_again():
    rollout = before_start(http("alerts", Stage.BACKGROUND, fail_when="value < 0"))
    rollout.tick(0.0)
    rollout.sample(None)
    paused = rollout.rollout.state

    rollout.ask(Ask.RESUME)
    rollout.tick(1.0)

    assert paused is RolloutState.PAUSED
    assert rollout.rollout.state is RolloutState.SCHEDULED
    assert len(rollout.samples()) == 1


def test_the_rollouts_own_counts_are_not_asked_before_there_is_anything_to_count():
    counts = Probe(ProbeKind.STATS, stat=StatName.DURATION)
    gate = Gate("counts", Stage.BACKGROUND, counts, success_when="value < 60", interval_s=10.0)
    rollout = before_start(gate)

    rollout.tick(0.0)
    rollout.tick(20.0)

    assert rollout.rollout.state is RolloutState.SCHEDULED
    assert rollout.lines("gate_result") == []
    assert rollout.rollout.next_wakeup == 30.0


def test_background_check_is_asked_while_the_wave_soaks():
    rollout = hand(check("memory", Stage.BACKGROUND, interval_s=20.0), soak_s=100.0)
    rollout.succeed(A)

    rollout.tick(20.0)
    asked = rollout.action(A)
    rollout.prove(A, 1)

    assert (asked.work, asked.checks) == (Work.READ_BACK, ("memory",))
    assert rollout.state(A) is DeviceState.FAILED


def test_sample_that_is_not_waited_for_changes_nothing():
    rollout = hand(http("alerts", Stage.BACKGROUND))
    rollout.tick(0.0)
    action = rollout.samples()[0]
    rollout.sample(1)
    lines = len(rollout.journal)

    rollout.apply(GateSampled(0.0, action.gate, action.wave, action.round, None, {"value": 0}))
    rollout.apply(GateSampled(0.0, 0, 0, 9, DeviceId(A), {"value": 0}))

    assert len(rollout.journal) == lines
