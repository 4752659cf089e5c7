"""Gates before the update, of values by device, comparisons, and the rollout's own counts."""

import dataclasses
import json

import pytest

from orchestrator.device.protocol import CheckResult
from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import (
    Compare,
    CompareTest,
    CompareTo,
    Direction,
    Gate,
    Probe,
    ProbeKind,
    ResolvedWave,
    Retries,
    Stage,
    StatName,
)
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask, GateSampled
from orchestrator.rollout.readings import count_wave
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import SimulatedArtifact, device_ids, make_plan

IDS = device_ids(12)
A, B, C, D = IDS[:4]
NEW = SimulatedArtifact.of("new").manifest_sha256
PROMETHEUS = Probe(ProbeKind.PROMETHEUS, url="http://prom:9090", query="q", label="device")
HARM = Compare(
    CompareTo.CONTROL,
    CompareTest.MANN_WHITNEY,
    alpha=0.05,
    direction=Direction.INCREASE,
    min_effect=1.1,
    min_samples=3,
)


def gate(stage, probe=PROMETHEUS, **fields):
    return Gate("metric", stage, probe, **({"success_when": "value < 5"} | fields))


def comparing(to=CompareTo.CONTROL, **fields):
    compare = dataclasses.replace(HARM, to=to)
    return Gate("metric", Stage.WAVE, PROMETHEUS, compare=compare, **fields)


def stat(name, condition):
    return gate(Stage.WAVE, Probe(ProbeKind.STATS, stat=name.value), success_when=condition)


def hand(*gates, canary=(A, B), rest=(C, D), **choices):
    limits = {"max_failures": 1, "slow_start": False}
    waves = [
        ResolvedWave("canary", "2", tuple(canary), **limits),
        ResolvedWave("rest", "rest", tuple(rest), **limits),
    ]
    plan = make_plan(waves, gates=gates, retries=Retries(count=0), manifest="old", **choices)
    return Hand(plan)


def beside(gate, runs):
    """Canaries beside a rest of which a survey found that these devices run that."""
    plan = hand(gate, canary=CANARY, rest=REST).plan
    seen = {
        device: dataclasses.replace(planned, current_manifest=runs.get(device, "old"))
        for device, planned in plan.devices.items()
    }
    rollout = Hand(dataclasses.replace(plan, devices=seen))
    rollout.succeed(*CANARY)
    return rollout


def series(rollout, values, *, error=""):
    """The wanted sample, with values by device."""
    action = rollout.samples()[0]
    rollout.apply(
        GateSampled(
            rollout.now, action.gate, action.wave, action.round, action.device, {}, error, values
        )
    )


def readings(rollout):
    return [line.data["reading"] for line in rollout.lines("gate_result")]


# --- before a wave ---------------------------------------------------------------------------


def test_no_device_starts_before_the_preflight_gate_passed():
    rollout = hand(gate(Stage.PREFLIGHT, Probe(ProbeKind.HTTP, url="http://x/")))
    before = rollout.wanted()

    rollout.sample(1)

    assert before == {}
    assert rollout.wanted() == {A: Work.DELIVER, B: Work.DELIVER}


def test_a_failed_preflight_gate_halts_with_nothing_touched():
    rollout = hand(gate(Stage.PREFLIGHT, Probe(ProbeKind.HTTP, url="http://x/")))

    rollout.sample(9)

    assert rollout.rollout.state is RolloutState.HALTED
    assert set(rollout.states()) == {"pending"}


def test_a_preflight_gate_without_data_pauses():
    rollout = hand(gate(Stage.PREFLIGHT, Probe(ProbeKind.HTTP, url="http://x/")))

    rollout.sample(None)

    assert rollout.rollout.state is RolloutState.PAUSED
    assert rollout.wanted() == {}


def test_each_wave_has_its_own_preflight():
    rollout = hand(gate(Stage.PREFLIGHT, Probe(ProbeKind.HTTP, url="http://x/")))
    rollout.sample(1)
    rollout.succeed(A, B)
    second = rollout.wanted()

    rollout.sample(1)

    assert second == {}
    assert rollout.wanted() == {C: Work.DELIVER, D: Work.DELIVER}


def test_a_preflight_on_a_dry_run_decides_nothing():
    rollout = hand(gate(Stage.PREFLIGHT, Probe(ProbeKind.HTTP, url="http://x/"), dry_run=True))

    assert rollout.wanted() == {A: Work.DELIVER, B: Work.DELIVER}
    assert len(rollout.samples()) == 1


def test_what_was_cleared_stays_so_after_a_restart():
    rollout = hand(gate(Stage.PREFLIGHT, Probe(ProbeKind.HTTP, url="http://x/")))
    rollout.sample(1)

    rollout.restart()

    assert rollout.wanted() == {A: Work.DELIVER, B: Work.DELIVER}


# --- checks of a device before its update ----------------------------------------------------


def preflight_check(**fields):
    probe = Probe(ProbeKind.CHECK, check="idle")
    return gate(Stage.PREFLIGHT, probe, success_when="result.exit == 0", **fields)


def look(rollout, device, exit_code):
    rollout.report(
        device, status=rollout.status(device, "none"), checks=(CheckResult("idle", exit_code),)
    )


def test_a_device_is_asked_before_anything_is_sent_to_it():
    rollout = hand(preflight_check())
    asked = rollout.action(A)

    look(rollout, A, 0)

    assert (asked.work, asked.checks) == (Work.PREFLIGHT, ("idle",))
    assert rollout.action(A).work is Work.DELIVER


def test_a_device_that_is_not_well_before_its_update_is_left_as_it_is():
    rollout = hand(preflight_check())

    look(rollout, A, 1)

    rec = rollout.rollout.ledger.devices[A]
    assert (rec.state, rec.reason, rec.moved, rec.went) == (
        DeviceState.FAILED,
        Reason.CHECK,
        False,
        False,
    )
    assert rollout.rollout.ledger.waves[0].counted == 1


def test_a_check_that_does_not_exist_is_no_evidence_and_no_failure():
    rollout = hand(preflight_check(consecutive_error_limit=0))

    look(rollout, A, 127)

    assert rollout.rollout.ledger.devices[A].reason is Reason.NO_DATA
    assert rollout.state(A) is DeviceState.FAILED
    assert rollout.rollout.ledger.waves[0].counted == 0
    assert rollout.rollout.state is RolloutState.PAUSED
    assert [one.data["cause"] for one in rollout.lines("paused")] == ["no_data"]


def test_a_device_whose_check_gave_no_evidence_is_asked_again_on_resume():
    rollout = hand(preflight_check(consecutive_error_limit=0))
    look(rollout, A, 127)

    rollout.ask(Ask.RESUME)
    look(rollout, A, 0)

    assert rollout.state(A) is DeviceState.TRANSFERRING


def test_rounds_of_a_preflight_follow_count_and_interval():
    rollout = hand(preflight_check(count=2, interval_s=5.0))
    look(rollout, A, 0)
    between = rollout.state(A), A in rollout.wanted()
    rollout.tick(5.0)
    look(rollout, A, 0)

    assert between == (DeviceState.PREFLIGHT, False)
    assert rollout.state(A) is DeviceState.TRANSFERRING


def test_a_device_that_does_not_answer_its_preflight_was_never_started():
    rollout = hand(preflight_check())

    rollout.report(A, Reason.UNREACHABLE, reached=False)

    assert rollout.state(A) is DeviceState.DEFERRED


def test_another_engine_asks_anew():
    rollout = hand(preflight_check())

    rollout.restart()

    assert rollout.action(A).work is Work.PREFLIGHT
    assert rollout.action(A).checks == ("idle",)


def test_a_halt_cancels_a_preflight():
    rollout = hand(preflight_check(), canary=(A, B, C), rest=(D,))
    for device in (A, B):
        look(rollout, device, 1)

    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.state(C) is DeviceState.CANCELLED


# --- values by device ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "reading"),
    [
        ({A: 1.0, B: 2.0}, "success"),
        ({A: 1.0, B: 9.0}, "failed"),
        ({A: 1.0}, "no_data"),
        ({}, "no_data"),
        ({A: 9.0}, "failed"),
        ({C: 1.0, D: 1.0}, "no_data"),  # not devices of the wave
        ({A: 1.0, B: 1.0, C: 9.0}, "success"),
    ],
)
def test_the_worst_device_counts(values, reading):
    rollout = hand(gate(Stage.WAVE))
    rollout.succeed(A, B)

    series(rollout, values)

    assert readings(rollout) == [reading]


def test_the_journal_names_the_devices():
    rollout = hand(gate(Stage.WAVE))
    rollout.succeed(A, B)

    series(rollout, {A: 1.0, B: 9.0})

    assert rollout.lines("gate_result")[0].data["devices"] == [B]


def test_a_query_that_fails_is_an_error():
    rollout = hand(gate(Stage.WAVE))
    rollout.succeed(A, B)

    series(rollout, {}, error="the server is gone")

    assert readings(rollout) == ["error"]


def test_a_device_gate_takes_the_value_of_its_device():
    rollout = hand(gate(Stage.DEVICE))
    rollout.activate(A)
    rollout.prove(A)

    series(rollout, {A: 1.0, B: 9.0})

    assert rollout.wanted()[A] is Work.COMMIT


def test_a_device_without_a_value_has_no_evidence():
    rollout = hand(gate(Stage.DEVICE))
    rollout.activate(A)
    rollout.prove(A)

    series(rollout, {B: 1.0})

    assert rollout.rollout.state is RolloutState.PAUSED


# --- comparisons -----------------------------------------------------------------------------

CANARY, REST = IDS[:4], IDS[4:]


def compared(to, values, before=None):
    rollout = hand(comparing(to), canary=CANARY, rest=REST)
    if before is not None:
        series(rollout, before)
    rollout.succeed(*CANARY)
    series(rollout, values)
    return rollout


def test_updated_devices_are_compared_with_those_not_started():
    same = {device: float(index % 3 + 1) for index, device in enumerate(IDS)}

    rollout = compared(CompareTo.CONTROL, same)

    data = rollout.lines("gate_result")[0].data
    assert (data["reading"], data["updated"], data["compared_with"]) == ("success", 4, 8)
    assert rollout.rollout.ledger.waves[0].state is WaveState.PASSED


def test_a_release_that_does_worse_than_the_rest_halts():
    worse = {device: 100.0 + i if device in CANARY else 1.0 + i for i, device in enumerate(IDS)}

    rollout = compared(CompareTo.CONTROL, worse)

    data = rollout.lines("gate_result")[0].data
    assert data["reading"] == "failed"
    assert data["p"] < 0.05
    assert data["effect"] > 1.1
    assert rollout.rollout.state is RolloutState.HALTED


def test_what_only_updated_devices_have_has_no_factor_and_can_be_stored():
    """Of nothing there is no multiple, and no number for it in JSON: the engine ended on that."""
    hits = {device: float(device in CANARY) for device in IDS}

    rollout = compared(CompareTo.CONTROL, hits)

    data = rollout.lines("gate_result")[0].data
    assert (data["reading"], data["p"] < 0.05, "effect" in data) == ("failed", True, False)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert halted(rollout) == (
        "gate `metric` failed: 4 updated against 8, only updated devices have any, p = 0.00202"
    )


def halted(rollout):
    return rollout.lines("halted")[0].data["detail"]


def test_halt_says_by_how_much_updated_devices_do_worse():
    values = {device: 16.0 if device in CANARY else 2.0 for device in IDS}

    rollout = compared(CompareTo.CONTROL, values)

    assert halted(rollout) == (
        "gate `metric` failed: 4 updated against 8, 8 times as much, p = 0.00202"
    )


def test_halt_says_what_was_measured_of_which_devices():
    rollout = hand(gate(Stage.WAVE))
    rollout.succeed(A, B)

    series(rollout, {A: 9.0, B: 9.0})

    assert halted(rollout) == f"gate `metric` failed: `{A}`, `{B}`"


def test_too_few_values_are_no_data():
    rollout = compared(
        CompareTo.CONTROL, {CANARY[0]: 1.0, CANARY[1]: 1.0, **dict.fromkeys(REST, 1.0)}
    )

    assert readings(rollout) == ["no_data"]
    assert rollout.rollout.state is RolloutState.PAUSED


def test_controls_are_of_the_same_strata():
    values = dict.fromkeys(IDS, 1.0)
    rollout = hand(comparing(), canary=CANARY, rest=REST, spread=("site",))
    plan = rollout.plan
    sites = {device: {"site": "a" if i % 2 == 0 else "b"} for i, device in enumerate(REST)}
    sites |= {device: {"site": "a"} for device in CANARY}
    labelled = {
        device: dataclasses.replace(planned, labels=sites[device])
        for device, planned in plan.devices.items()
    }
    rollout = Hand(dataclasses.replace(plan, devices=labelled))
    rollout.succeed(*CANARY)

    series(rollout, values)

    assert rollout.lines("gate_result")[0].data["compared_with"] == 4


def test_a_device_that_was_changed_and_waits_for_another_try_is_no_control():
    check = Gate(
        "check", Stage.DEVICE, Probe(ProbeKind.CHECK, check="s"), success_when="result.exit == 0"
    )
    rollout = hand(comparing(), check, canary=IDS[:5], rest=IDS[5:])
    rollout.fail(IDS[4])
    rollout.succeed(*IDS[:4])
    rollout.ask(Ask.PAUSE)
    rollout.ask(Ask.RETRY)  # it is queued again while the sample is under way

    series(rollout, dict.fromkeys(IDS, 1.0))

    assert rollout.lines("gate_result")[-1].data["compared_with"] == len(IDS[5:])


@pytest.mark.parametrize(
    ("runs", "controls"),
    [
        ("", 8),  # it runs nothing of ours
        (NEW, 3),  # it runs the release already
        (None, 3),  # nobody knows: what is not known is no evidence
    ],
)
def test_only_devices_known_to_run_another_version_are_controls(runs, controls):
    rollout = beside(comparing(), dict.fromkeys(REST[:5], runs))

    series(rollout, dict.fromkeys(IDS, 1.0))

    assert rollout.lines("gate_result")[0].data["compared_with"] == controls


def test_a_regressed_release_does_not_pass_beside_devices_that_run_it_already():
    rollout = beside(comparing(), dict.fromkeys(REST, NEW))

    series(rollout, dict.fromkeys(IDS, 100.0))  # as bad on all that run it

    assert readings(rollout) == ["no_data"]
    assert rollout.rollout.state is RolloutState.PAUSED


def test_a_baseline_is_taken_before_the_first_device_starts():
    rollout = hand(comparing(CompareTo.BEFORE), canary=CANARY, rest=REST)
    before = rollout.wanted()

    series(rollout, dict.fromkeys(IDS, 1.0))

    assert before == {}
    assert set(rollout.wanted()) == set(CANARY)


def test_values_from_before_that_nobody_gives_pause_the_rollout():
    rollout = hand(comparing(CompareTo.BEFORE), canary=CANARY, rest=REST)
    for _ in range(5):
        series(rollout, {}, error="the server is gone")
        rollout.tick(rollout.now + 10.0)
    paused = rollout.rollout.state, list(rollout.rollout.ledger.causes), rollout.wanted()

    rollout.ask(Ask.RESUME)
    series(rollout, dict.fromkeys(IDS, 1.0))

    assert paused == (RolloutState.PAUSED, ["gate_inconclusive"], {})
    assert set(rollout.wanted()) == set(CANARY)


def test_values_from_before_that_a_dry_run_lacks_stop_nothing():
    gate = dataclasses.replace(comparing(CompareTo.BEFORE), dry_run=True)
    rollout = hand(gate, canary=CANARY, rest=REST)

    for _ in range(5):
        series(rollout, {}, error="the server is gone")
        rollout.tick(rollout.now + 10.0)

    assert set(rollout.wanted()) == set(CANARY)


def test_devices_are_compared_with_themselves_before():
    before = {device: 1.0 + i for i, device in enumerate(IDS)}
    after = {device: value + 100 for device, value in before.items()}

    rollout = compared(CompareTo.BEFORE, after, before)

    assert readings(rollout) == ["failed"]


def test_a_baseline_survives_another_engine():
    before = {device: 1.0 + i for i, device in enumerate(IDS)}
    rollout = hand(comparing(CompareTo.BEFORE), canary=CANARY, rest=REST)
    series(rollout, before)

    rollout.restart()
    rollout.succeed(*CANARY)
    series(rollout, before)

    assert readings(rollout) == ["success"]


def test_a_baseline_that_cannot_be_had_is_asked_for_again():
    rollout = hand(comparing(CompareTo.BEFORE), canary=CANARY, rest=REST)

    series(rollout, {}, error="down")
    waiting = rollout.samples(), rollout.wanted()
    rollout.tick(10.0)

    assert waiting == ([], {})
    assert len(rollout.samples()) == 1


# --- the rollout's own counts ----------------------------------------------------------------


def test_counts_of_a_wave():
    rollout = hand(canary=(A, B, C, D), rest=IDS[4:])
    rollout.tick(10.0)
    rollout.succeed(A)
    rollout.tick(30.0)
    rollout.succeed(B)
    rollout.report(C, Reason.INSTALL)

    counts = count_wave(rollout.rollout.ledger, rollout.rollout.ledger.waves[0])

    assert (counts.updated, counts.proven, counts.failed) == (2, 2, 1)
    assert counts.durations_s == (10.0, 30.0)


@pytest.mark.parametrize(
    ("name", "condition", "passes"),
    [
        (StatName.DURATION, "value < 5", True),
        (StatName.DURATION, "value > 5", False),
        (StatName.OFFLINE_AFTER_UPDATE, "value == 0", True),
        (StatName.REGRESSIONS, "value == 0 and successes == 2", True),
        (StatName.REGRESSIONS, "failures > 0", False),
    ],
)
def test_a_gate_on_the_rollouts_own_counts(name, condition, passes):
    rollout = hand(stat(name, condition))

    rollout.succeed(A, B)

    state = WaveState.PASSED if passes else WaveState.TRIPPED
    assert rollout.rollout.ledger.waves[0].state is state
    assert rollout.samples() == []


# --- why nothing could be read -----------------------------------------------------------------


WHOLE = Probe(ProbeKind.PROMETHEUS, url="http://prom:9090", query="q")
STATUS = Probe(ProbeKind.HTTP, url="http://x/", value="/errors")


@pytest.mark.parametrize(
    ("probe", "condition", "fields", "why"),
    [
        (WHOLE, "value < 5", {}, "is inconclusive: the answer is empty"),
        (WHOLE, "value < 5", {"value": None}, "is inconclusive: no data in `value`"),
        (
            STATUS,
            "result.value < 5",
            {"status": 200},
            "is inconclusive: status 200, no data in `result.value`",
        ),
        (
            STATUS,
            "result.value < 5",
            {"status": 200, "value": "1"},
            "is error: status 200, `result.value` and `5` are text and a number",
        ),
    ],
)
def test_a_pause_for_want_of_evidence_says_what_is_missing(probe, condition, fields, why):
    rollout = hand(gate(Stage.PREFLIGHT, probe, success_when=condition, consecutive_error_limit=0))
    [action] = rollout.samples()

    rollout.apply(GateSampled(rollout.now, action.gate, action.wave, action.round, None, fields))

    assert rollout.lines("paused")[0].data["detail"] == f"gate `metric` {why}"


def test_a_device_without_a_value_is_named_as_such():
    rollout = hand(gate(Stage.WAVE))
    rollout.succeed(A, B)

    series(rollout, {A: 1.0})

    detail = rollout.lines("paused")[0].data["detail"]
    assert detail == f"gate `metric` is inconclusive: no data of `{B}`"
