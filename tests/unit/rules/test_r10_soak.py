"""R10 as tables: when a soak ends, and what its last read-back says of each device."""

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.actions import Work
from orchestrator.rollout.states import RolloutState, WaveState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

CHECK = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
    consecutive_error_limit=0,
)


def background(interval_s, **choices):
    probe = Probe(ProbeKind.HTTP, url="http://x/")
    fields = {"success_when": "value > 0", "interval_s": interval_s} | choices
    return Gate("load", Stage.BACKGROUND, probe, **fields)


def every(step, until):
    return list(range(step, until + 1, step))


@pytest.mark.parametrize(
    ("soak_s", "interval_s", "samples_at", "ends_at"),
    [
        # without background gates it is elapsed time
        (0, None, [], None),  # no soak: the proofs are fresh
        (1, None, [], 1),
        (60, None, [], 60),
        # sampled in time: it ends when it would without
        (60, 10, every(10, 60), 60),
        (60, 20, every(20, 60), 60),
        # a stretch of twice the interval counts, a longer one does not
        (60, 10, [20, 40, 60], 60),
        (60, 10, [21, 41, 60, 80, 81], 81),
        (60, 10, [10, 20, 45, 55, 65, 75, 85], 85),
        (60, 10, [30, 60, 80, 100, 120], 120),  # two of them: 30 + 30
        # what is silent at the end does not let it end
        (60, 10, [10, 20, 30], None),
        (60, 10, [], None),
        (60, 10, [10, 20, 30, 61, 71, 81, 91], 91),
        # late beyond its end: 100 s of silence, then the 60 s are still to come
        (60, 10, [100, 110, 120, 130, 140, 150, 160], 160),
    ],
)
def test_r10_end_of_a_soak(soak_s, interval_s, samples_at, ends_at):
    (device,) = device_ids(1)
    gates = (CHECK,) if interval_s is None else (CHECK, background(float(interval_s)))
    rollout = Hand(make_plan([ResolvedWave("all", "rest", (device,), soak_s=soak_s)], gates=gates))
    if interval_s is not None:
        rollout.tick(0.0)
        rollout.sample(1)
    rollout.succeed(device)

    assert read_at(rollout, device, samples_at) == ends_at


def read_at(rollout, device, samples_at):
    """Time passes until the device is read back; the samples come in at these times."""
    if rollout.wanted().get(device) is Work.READ_BACK:
        return rollout.now
    for at in [*samples_at, 1000]:
        while (wakeup := rollout.rollout.next_wakeup) is not None and wakeup <= at:
            if wakeup <= rollout.now:
                break
            rollout.tick(wakeup)
            if rollout.wanted().get(device) is Work.READ_BACK:
                return rollout.now
        if at in samples_at:
            rollout.tick(at)
            rollout.sample(1)
        if rollout.wanted().get(device) is Work.READ_BACK:
            return rollout.now
    return None


@pytest.mark.parametrize(
    ("down", "ends_at"),
    [((10, 50), 60), ((10, 60), 60), ((10, 500), 500)],
)
def test_r10_engine_downtime_counts_without_background_gates(down, ends_at):
    (device,) = device_ids(1)
    rollout = Hand(make_plan([ResolvedWave("all", "rest", (device,), soak_s=60)], gates=(CHECK,)))
    rollout.succeed(device)

    rollout.tick(float(down[0]))
    rollout.now = float(down[1])
    rollout.restart()

    assert read_at(rollout, device, []) == ends_at


@pytest.mark.parametrize(
    ("answers", "limit", "states", "wave", "rollout_state"),
    [
        # g(ood), other (s)lot, (c)heck failed, (m)issing check, (n)ever answered, content (t)orn
        ("g", 0, "S", WaveState.PASSED, RolloutState.SUCCEEDED),
        ("s", 0, "R", WaveState.TRIPPED, RolloutState.HALTED),
        ("c", 0, "R", WaveState.TRIPPED, RolloutState.HALTED),
        ("m", 0, "R", WaveState.TRIPPED, RolloutState.HALTED),  # no evidence
        ("n", 0, "R", WaveState.TRIPPED, RolloutState.HALTED),
        ("t", 0, "R", WaveState.TRIPPED, RolloutState.HALTED),
        ("gg", 0, "SS", WaveState.PASSED, RolloutState.SUCCEEDED),
        ("gs", 0, "SR", WaveState.TRIPPED, RolloutState.HALTED),
        ("gs", 1, "SR", WaveState.PASSED, RolloutState.SUCCEEDED_WITH_EXCEPTIONS),
        ("nn", 1, "RR", WaveState.TRIPPED, RolloutState.HALTED),
        ("nn", 2, "RR", WaveState.INCONCLUSIVE, RolloutState.PAUSED),  # allowed, but none is left
        ("gcg", 1, "SRS", WaveState.PASSED, RolloutState.SUCCEEDED_WITH_EXCEPTIONS),
        ("g" * 71 + "c" * 29, 29, "S" * 71 + "R" * 29, WaveState.PASSED,
         RolloutState.SUCCEEDED_WITH_EXCEPTIONS),
        ("g" * 70 + "c" * 30, 29, "S" * 70 + "R" * 30, WaveState.TRIPPED, RolloutState.HALTED),
    ],
)  # fmt: skip
def test_r10_fresh_evidence_of_each_device(answers, limit, states, wave, rollout_state):
    devices = device_ids(len(answers))
    whole = ResolvedWave(
        "all", "rest", devices, soak_s=60.0, max_failures=limit, max_parallel=200, slow_start=False
    )
    rollout = Hand(make_plan([whole], gates=(CHECK,)))
    rollout.succeed(*devices)
    rollout.tick(60.0)

    for device, answer in zip(devices, answers, strict=True):
        if device in rollout.wanted():
            read_back(rollout, device, answer)
    if "n" in answers:
        rollout.tick(60.0 + rollout.plan.timeouts.reboot_s)
        for device in list(rollout.wanted()):
            rollout.report(device, Reason.TIMEOUT)

    books = rollout.rollout.ledger
    found = ["R" if rec.reason is Reason.REGRESSED else "S" for rec in books.devices.values()]
    assert "".join(found) == states
    assert books.waves[0].state is wave
    assert books.state is rollout_state


def read_back(rollout, device, answer):
    match answer:
        case "g":
            rollout.prove(device)
        case "s":
            rollout.report(device, status=rollout.status(device, "rolled-back"))
        case "c":
            rollout.prove(device, 1)
        case "m":
            rollout.prove(device, *(127 for _ in rollout.action(device).checks))
        case "n":
            rollout.report(device, Reason.TIMEOUT)
        case "t":
            rollout.report(device, status=rollout.status(device, "committed", active="no"))
