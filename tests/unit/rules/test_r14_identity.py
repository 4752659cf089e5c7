"""R14 as tables: which command a device takes, by controller, component and epoch."""

import pytest

from orchestrator.device.protocol import Rc, Request, Verb
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.events import Ask
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan
from orchestrator.testing.world import good_release, old_release

TXN = "1" * 26
CHECK = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
)


def ask(device, verb, controller, epoch):
    """Whether the device took the command."""
    params = {"txn": TXN, "controller": controller, "component": "main", "epoch": str(epoch)}
    if verb is Verb.DELIVER:
        answer = device.begin(Request(verb, params))
        return answer is None or answer[0] != Rc.FENCED
    rc, _lines = device.answer(Request(verb, params), device.connect())
    return rc != Rc.FENCED


@pytest.mark.parametrize(
    ("commands", "taken", "owner"),
    [
        # (verb, controller, epoch): y(es) or n(o), and whose the device is then, at which epoch
        ([], "", ("", 0)),
        ([("deliver", "a", 1)], "y", ("a", 1)),  # the first one owns it
        ([("abort", "a", 1)] * 2, "yy", ("a", 1)),  # the same epoch again is the same engine
        ([("abort", "a", 1), ("abort", "a", 2)], "yy", ("a", 2)),
        ([("abort", "a", 2), ("abort", "a", 1)], "yn", ("a", 2)),  # an engine that was replaced
        ([("abort", "a", 2), ("deliver", "a", 1)], "yn", ("a", 2)),
        ([("deliver", "a", 2), ("commit", "a", 1)], "yn", ("a", 2)),
        ([("deliver", "a", 2), ("rollback", "a", 1)], "yn", ("a", 2)),
        ([("abort", "a", 7), ("abort", "a", 6), ("abort", "a", 7)], "yny", ("a", 7)),
        ([("abort", "a", 1), ("abort", "a", 100), ("abort", "a", 99)], "yyn", ("a", 100)),
        # another controller must adopt it, whatever its epoch
        ([("abort", "a", 1), ("abort", "b", 1)], "yn", ("a", 1)),
        ([("abort", "a", 1), ("deliver", "b", 99)], "yn", ("a", 1)),
        ([("abort", "a", 1), ("adopt", "b", 1), ("abort", "b", 1)], "yyy", ("b", 1)),
        ([("abort", "a", 1), ("adopt", "b", 2), ("abort", "a", 9)], "yyn", ("b", 2)),
        ([("abort", "a", 1), ("adopt", "b", 2), ("adopt", "a", 3)], "yyy", ("a", 3)),
    ],
)  # fmt: skip
def test_r14_device_takes_a_command(commands, taken, owner):
    device = SimulatedDevice(
        "d", now=lambda: 0.0, installed=old_release(), releases=(good_release(),)
    )

    answers = [ask(device, Verb(verb), controller, epoch) for verb, controller, epoch in commands]

    assert "".join("y" if each else "n" for each in answers) == taken
    assert (device.controller, device.epoch) == owner


@pytest.mark.parametrize(
    ("verb", "fenced"),
    [
        (Verb.DELIVER, True), (Verb.STAGE, True), (Verb.VERIFY, True), (Verb.INSTALL, True),
        (Verb.ACTIVATE, True), (Verb.CONFIRM, True), (Verb.COMMIT, True), (Verb.ROLLBACK, True),
        (Verb.ABORT, True), (Verb.GC, True),
        # who only asks changes nothing
        (Verb.HELLO, False), (Verb.STATUS, False), (Verb.FACTS, False), (Verb.PROVE, False),
    ],
)  # fmt: skip
def test_r14_which_verbs_are_fenced(verb, fenced):
    device = SimulatedDevice("d", now=lambda: 0.0, installed=old_release())
    ask(device, Verb.ABORT, "a", 2)

    assert ask(device, verb, "a", 1) is not fenced


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_r14_each_attempt_has_a_name_of_its_own(attempts):
    (device,) = device_ids(1)
    rollout = Hand(make_plan([ResolvedWave("all", "rest", (device,))], gates=(CHECK,)))
    names = {rollout.action(device).txn}

    for _ in range(attempts - 1):
        rollout.fail(device)
        rollout.ask(Ask.RETRY)
        rollout.ask(Ask.RESUME, accept_failures=True)
        names.add(rollout.action(device).txn)

    assert len(names) == attempts
