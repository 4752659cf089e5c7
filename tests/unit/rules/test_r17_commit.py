"""R17 as tables: what disarms the dead-man, what is permanent, and how long a device may take."""

from textwrap import dedent

import pytest

from orchestrator.plan.confirm import needed_s
from orchestrator.plan.parse import check_plan, parse_plan
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B = device_ids(2)
CHECK = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
)
HEAD = "schema: 1\nname: gw\nhosts: all\nartifact: a.mender\nwaves: [rest]\n"


def hand(late, soak_s, devices=(A,), **choices):
    wave = ResolvedWave("all", "rest", devices, soak_s=soak_s, max_failures=1, **choices)
    return Hand(make_plan([wave], gates=(CHECK,), late=late))


def work(rollout, device):
    return rollout.wanted().get(device)


def step(rollout, what):
    match what:
        case "prove":
            rollout.activate(A)
            rollout.prove(A)
        case "ok":
            rollout.report(A)
        case "soak":
            rollout.tick(60.0)
        case "read":
            rollout.prove(A)
        case "sick":
            rollout.prove(A, 1)
        case "abort":
            rollout.ask(Ask.ABORT)
        case "back":
            rollout.ask(Ask.ROLLBACK)


@pytest.mark.parametrize(
    ("late", "soak_s", "steps", "wanted", "state"),
    [
        # keeps what ran before: commits right after its checks, and can still go back
        (False, 0, "prove", Work.COMMIT, "committing"),
        (False, 0, "prove ok", None, "succeeded"),
        (False, 60, "prove ok", None, "succeeded"),
        (False, 60, "prove ok soak", Work.READ_BACK, "succeeded"),
        (False, 60, "prove ok abort", None, "succeeded"),  # an abort undoes no success
        (False, 60, "prove ok back", Work.ROLL_BACK, "rolling_back"),
        (False, 60, "prove ok soak read", None, "succeeded"),
        # cannot go back after its commit: confirms, and commits when the wave has passed
        (True, 0, "prove", Work.CONFIRM, "verifying"),
        (True, 0, "prove ok", Work.COMMIT, "committing"),  # the wave of one has passed
        (True, 60, "prove ok", None, "confirmed"),
        (True, 60, "prove ok soak", Work.READ_BACK, "confirmed"),
        (True, 60, "prove ok soak read", Work.COMMIT, "committing"),
        (True, 60, "prove ok soak read ok", None, "succeeded"),
        (True, 60, "prove ok abort", Work.ROLL_BACK, "rolling_back"),  # nobody would commit it
        (True, 60, "prove ok back", Work.ROLL_BACK, "rolling_back"),
        (True, 60, "prove ok soak sick", Work.ROLL_BACK, "rolling_back"),
    ],
)
def test_r17_confirm_and_commit(late, soak_s, steps, wanted, state):
    rollout = hand(late, float(soak_s))

    for what in steps.split():
        step(rollout, what)

    assert work(rollout, A) is wanted
    assert rollout.state(A).value == state


def test_r17_one_of_two_confirmed_devices_waits_for_the_other():
    rollout = hand(late=True, soak_s=0.0, devices=(A, B))
    step(rollout, "prove")
    rollout.report(A)

    assert work(rollout, A) is None
    assert rollout.state(A).value == "confirmed"


GATE = "gates: [{name: ok, check: svc, success_when: result.exit == 0, consecutive_error_limit: 0"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        # reboot 300 s, reconnect 10 s, margin 60 s, and what the device's gates take at worst
        ("", 370),
        ("timeouts: {reboot: 10m}\n", 670),
        ("timeouts: {connect: 30s}\n", 390),
        (GATE + "}]\n", 410),  # one sample: timeout 30 s, then 10 s
        (GATE + ", timeout: 5s, interval: 1s}]\n", 376),
        (GATE + ", count: 3}]\n", 490),
        (GATE + ", initial_delay: 1m}]\n", 470),
        (GATE + ", consecutive_success_limit: 3}]\n", 490),
        (GATE + ", count: 3, inconclusive_limit: 1}]\n", 530),
        (GATE + ", stage: wave}]\n", 370),  # does not hold a device up
        (GATE + ", dry_run: true}]\n", 410),  # is sampled all the same
        (GATE.replace("_limit: 0", "_limit: 4") + "}]\n", 570),  # four errors before it speaks
        (GATE + "}, {name: too, check: b, success_when: result.exit == 0}]\n", 610),
    ],
)
def test_r17_time_of_the_dead_man(text, seconds):
    plan = parse_plan((HEAD + dedent(text)).encode(), file="p.yml")

    assert needed_s(plan.timeouts, plan.gates) == seconds


@pytest.mark.parametrize(
    ("confirm", "refused"),
    [
        ("1s", True), ("300s", True), ("369s", True), ("370s", False), ("371s", False),
        ("6m", True), ("7m", False), ("1h", False),
    ],
)  # fmt: skip
def test_r17_shorter_dead_man_is_a_plan_error(confirm, refused):
    text = HEAD + f"timeouts: {{confirm: {confirm}}}\n"

    found = check_plan(text.encode(), file="p.yml")

    assert ("P207" in {each.code for each in found}) is refused
