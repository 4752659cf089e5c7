"""R16 as a table: how many devices are past the point of no return and not yet proven."""

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage, Timeouts
from orchestrator.rollout.actions import Work
from orchestrator.rollout.states import PAST_RETURN
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

CHECK = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
)


@pytest.mark.parametrize(
    ("devices", "max_parallel", "allowed", "fates", "in_flight"),
    [
        # min(max_parallel, allowed - counted + 1 + successes), as far as there are devices
        (1, 50, 0, "", 1),
        (2, 50, 0, "", 1),
        (2, 50, 1, "", 2),
        (2, 50, 0, "g", 1),  # two would be allowed, one is left
        (100, 50, 0, "", 1),
        (100, 50, 0, "g", 2),
        (100, 50, 0, "ggg", 4),
        (100, 50, 2, "", 3),
        (100, 2, 2, "", 2),  # never more than max_parallel
        (100, 5, 0, "ggggggg", 5),
        (100, 50, 29, "", 30),
        # a failure takes back what it had been allowed
        (100, 50, 2, "f", 2),
        (100, 50, 2, "ff", 1),
        (100, 50, 2, "gf", 3),
        (100, 50, 2, "fgg", 4),
        # dark: counted, and it keeps its place; who was let go before is not called back
        (100, 50, 2, "d", 3),
        (100, 50, 2, "dd", 3),
        (100, 50, 2, "dg", 3),  # 2 - 1 + 1 + 1, of which it is one
        (100, 50, 2, "dgg", 4),
        (100, 50, 1, "dg", 2),
        # the trip lets nobody follow
        (100, 50, 0, "f", 0),
        (100, 50, 1, "ff", 0),
    ],
)
def test_r16(devices, max_parallel, allowed, fates, in_flight):
    wave = ResolvedWave(
        "all", "rest", device_ids(devices), max_failures=allowed, max_parallel=max_parallel
    )
    times = Timeouts(lost_after_s=86_400.0)
    rollout = Hand(make_plan([wave], gates=(CHECK,), timeouts=times))

    for fate in fates:
        device = next(iter(ready(rollout)))
        match fate:
            case "g":
                rollout.report(device, status=rollout.status(device, "probation"))
                rollout.prove(device)
                rollout.report(device)
            case "f":
                rollout.report(device, status=rollout.status(device, "probation"))
                rollout.prove(device, 1)
                rollout.go_back(device)
            case "d":
                rollout.report(device, Reason.TIMEOUT)
                rollout.report(device, Reason.TIMEOUT)
                rollout.tick(rollout.now + rollout.plan.timeouts.install_s)
                assert rollout.rollout.ledger.devices[device].dark
    ready(rollout)

    assert unproven(rollout) == in_flight


def ready(rollout):
    """All that may be activated is; who is on the way without having answered."""
    while waiting := [device for device, work in rollout.wanted().items() if work is Work.DELIVER]:
        before = unproven(rollout)
        for device in waiting:
            if rollout.state(device).value == "transferring":
                rollout.ready(device)
        if unproven(rollout) == before:
            break
    return [device for device, work in rollout.wanted().items() if work is Work.ACTIVATE]


def unproven(rollout):
    books = rollout.rollout.ledger
    return sum(rec.state in PAST_RETURN and not rec.proven for rec in books.devices.values())


@pytest.mark.parametrize(
    ("devices", "max_parallel", "in_flight"),
    [(1, 50, 1), (2, 50, 2), (100, 50, 50), (100, 200, 100)],
)
def test_r16_switched_off_opens_with_max_parallel(devices, max_parallel, in_flight):
    wave = ResolvedWave(
        "all", "rest", device_ids(devices), max_parallel=max_parallel, slow_start=False
    )
    rollout = Hand(make_plan([wave], gates=(CHECK,)))

    ready(rollout)

    assert unproven(rollout) == in_flight
