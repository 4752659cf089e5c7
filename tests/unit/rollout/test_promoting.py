"""A person ends the present wait of a wave: what that cuts short, and what it never does."""

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import Budget, Gate, Probe, ProbeKind, ResolvedWave, Retries, Stage
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C = device_ids(3)
SOAKING = {"soak_s": 600.0}


def gate(stage=Stage.WAVE, **limits):
    probe = Probe(ProbeKind.HTTP, url="http://127.0.0.1/")
    limits = {"count": 1, "inconclusive_limit": 0, "failure_limit": 0} | limits
    return Gate("site", stage, probe, success_when="value == 1", fail_when="value == 2", **limits)


def hand(*gates, limits=SOAKING, **choices):
    waves = [ResolvedWave("canary", "1", (A,), **limits), ResolvedWave("rest", "rest", (B, C))]
    return Hand(make_plan(waves, gates=gates, **choices))


def waves(rollout):
    return [wave.state for wave in rollout.rollout.ledger.waves]


def test_soak_ends_with_the_same_read_back_as_after_its_time():
    rollout = hand()
    rollout.succeed(A)

    rollout.ask(Ask.PROMOTE, why="good enough")

    assert waves(rollout)[0] is WaveState.JUDGING
    assert rollout.wanted() == {A: Work.READ_BACK}
    rollout.prove(A)
    assert waves(rollout) == [WaveState.PASSED, WaveState.RUNNING]


def test_device_that_is_not_well_at_the_end_of_a_promoted_soak_still_trips():
    rollout = hand()
    rollout.succeed(A)
    rollout.ask(Ask.PROMOTE)

    rollout.report(A, status=rollout.status(A, "none"))

    assert rollout.rollout.state is RolloutState.HALTED


def test_promoting_ends_the_soak_of_one_wave_only():
    limits = {"max_failures": 1, **SOAKING}
    rollout = Hand(
        make_plan(
            [ResolvedWave("one", "1", (A,), **limits), ResolvedWave("two", "1", (B,), **limits)]
        )
    )
    rollout.succeed(A)
    rollout.ask(Ask.PROMOTE)
    rollout.prove(A)
    rollout.succeed(B)

    rollout.ask(Ask.PROMOTE, wave="one")

    assert rollout.lines("operator")[-1].data["answer"] == "already"
    assert waves(rollout) == [WaveState.PASSED, WaveState.SOAKING]


def test_promoting_in_full_ends_all_soaks_to_come_and_nothing_else():
    rollout = Hand(
        make_plan(
            [ResolvedWave("one", "1", (A,), **SOAKING), ResolvedWave("two", "1", (B,), **SOAKING)],
            gates=(gate(),),
        )
    )
    rollout.succeed(A)
    rollout.ask(Ask.PROMOTE, full=True)
    rollout.prove(A)
    rollout.sample(1)
    rollout.restart()

    rollout.succeed(B)

    assert waves(rollout) == [WaveState.PASSED, WaveState.JUDGING]
    rollout.sample(1)
    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_inconclusive_wave_passes_with_the_reason_in_the_journal():
    rollout = hand(gate())
    rollout.succeed(A)
    rollout.tick(600.0)
    rollout.prove(A)
    rollout.sample(0)
    assert rollout.rollout.state is RolloutState.PAUSED

    rollout.ask(Ask.PROMOTE)
    unexplained = rollout.lines("operator")[-1].data["answer"]
    rollout.tick(700.0)
    rollout.ask(Ask.PROMOTE, why="the site was down for everybody")
    rollout.prove(A)

    assert unexplained == "refused"
    assert waves(rollout) == [WaveState.PASSED, WaveState.RUNNING]
    done = rollout.lines("wave_done")[0].data
    assert (done["promoted_by"], done["why"]) == ("ann", "the site was down for everybody")


def test_background_gate_measures_on_after_a_promotion():
    """Without samples no later soak would ever end (seed 20077)."""
    rollout = hand(gate(Stage.BACKGROUND, interval_s=10.0, consecutive_error_limit=0))
    rollout.succeed(A)
    rollout.tick(0.0)
    rollout.sample(None, error="nobody answers")
    assert rollout.rollout.state is RolloutState.PAUSED

    rollout.ask(Ask.PROMOTE, why="the monitoring is down")
    rollout.tick(1.0)

    assert [sample.gate for sample in rollout.samples()] == [0]


def test_inconclusive_wave_whose_devices_are_not_done_is_measured_anew_instead():
    limits = {"slow_start": False}
    rollout = hand(gate(Stage.BACKGROUND, interval_s=10.0), limits=limits)
    rollout.tick(0.0)
    rollout.sample(0)

    rollout.ask(Ask.PROMOTE, why="fine")

    asked = rollout.lines("operator")[-1].data
    assert (asked["answer"], rollout.rollout.state) == ("refused", RolloutState.PAUSED)


def test_gate_that_failed_is_never_overridden():
    rollout = hand(gate())
    rollout.succeed(A)
    rollout.tick(600.0)
    rollout.prove(A)
    rollout.sample(2)

    rollout.ask(Ask.PROMOTE, why="fine")

    assert rollout.lines("operator")[-1].data["answer"] == "refused"
    assert rollout.rollout.state is RolloutState.HALTED


def test_budget_still_halts_after_a_promotion():
    rollout = hand(budget=Budget(max_failures=0))
    rollout.succeed(A)
    rollout.ask(Ask.PROMOTE, full=True)
    rollout.prove(A)

    rollout.report(B, Reason.INSTALL, status=rollout.status(B, "none"))

    assert rollout.rollout.state is RolloutState.HALTED


def test_slow_start_holds_after_a_promotion():
    rollout = hand()
    rollout.succeed(A)

    rollout.ask(Ask.PROMOTE, full=True)
    rollout.prove(A)

    assert rollout.rollout.ledger.waves[1].bound == 1


@pytest.mark.parametrize("cause", ["pause", "running"])
def test_other_waits_are_not_cut_short(cause):
    rollout = hand()
    if cause == "pause":
        rollout.ask(Ask.PAUSE)

    rollout.ask(Ask.PROMOTE)

    assert rollout.lines("operator")[-1].data["answer"] == "refused"


def test_promoted_soak_of_a_paused_rollout_waits_for_the_resume():
    rollout = hand()
    rollout.succeed(A)
    rollout.ask(Ask.PAUSE)

    rollout.ask(Ask.PROMOTE)
    rollout.restart()
    before = waves(rollout)[0]
    rollout.ask(Ask.RESUME)

    assert before is WaveState.SOAKING
    assert waves(rollout)[0] is WaveState.JUDGING


def test_soak_that_starts_over_is_waited_for_again():
    rollout = hand()
    rollout.succeed(A)
    rollout.ask(Ask.PROMOTE)
    rollout.report(A, status=rollout.status(A, "none"))
    assert rollout.state(A) is DeviceState.FAILED

    rollout.ask(Ask.RETRY)
    rollout.ask(Ask.RESUME, accept_failures=True)

    assert waves(rollout)[0] is not WaveState.PASSED


def test_wave_whose_devices_were_not_reached_passes_with_a_reason():
    """Too many that were never started are inconclusive, not a trip (R7)."""
    rollout = hand(limits={}, retries=Retries(count=0))
    rollout.report(A, Reason.UNREACHABLE, reached=False)
    assert list(rollout.rollout.ledger.causes) == ["unreachable"]

    rollout.ask(Ask.PROMOTE)
    without_a_reason = rollout.lines("operator")[-1].data["answer"]
    rollout.ask(Ask.PROMOTE, why="its mast is down")

    assert without_a_reason == "refused"
    assert waves(rollout) == [WaveState.PASSED, WaveState.RUNNING]
    assert rollout.rollout.state is RolloutState.RUNNING


def test_wave_that_is_not_its_turn_is_refused():
    rollout = hand()
    rollout.succeed(A)

    rollout.ask(Ask.PROMOTE, wave="rest")

    assert rollout.lines("operator")[-1].data["answer"] == "refused"
    assert waves(rollout)[0] is WaveState.SOAKING


def test_all_soaks_may_be_ended_beforehand_and_once():
    rollout = hand()

    rollout.ask(Ask.PROMOTE, full=True)
    first = rollout.lines("operator")[-1].data["answer"]
    rollout.ask(Ask.PROMOTE, full=True)
    rollout.succeed(A)

    assert (first, rollout.lines("operator")[-1].data["answer"]) == ("done", "already")
    assert waves(rollout) == [WaveState.PASSED, WaveState.RUNNING]


def test_inconclusive_wave_that_passes_in_full_soaks_no_more():
    rollout = hand(gate())
    rollout.succeed(A)
    rollout.tick(600.0)
    rollout.prove(A)
    rollout.sample(0)

    rollout.ask(Ask.PROMOTE, why="known outage", full=True)

    assert rollout.rollout.ledger.soaks_ended
    assert waves(rollout)[0] is WaveState.PASSED
