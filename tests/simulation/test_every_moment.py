"""One small rollout, and one fault at each moment at which it can strike.

Method: the rollout runs once without faults; then once for each turn of the event loop that it
took, with a crash, a takeover or a lost lease there, and once for each step of a device, with a
crash of the device or a lost message there. Whatever strikes, all invariants hold, and since
nothing is wrong with the release it reaches the devices in the end.
"""

import functools

import pytest

from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.faults import Fault, FaultKind, FaultSource
from orchestrator.testing.report import SimulationFailed
from orchestrator.testing.scenario import draw
from orchestrator.testing.simulation import simulate

K = FaultKind
PARTS = 4
FIRST = {False: 0, True: 1200}  # no such seed is below: a search takes its time
PATIENT = 0.2  # an operator who resumes what rests, by the order of what one may ask
TURNS_MAX = 350  # each of them is a simulation
OPTIONS = {False: "commits at once", True: "commits after the soak"}
STRIDE = {K.CRASH: 3, K.TAKEOVER: 3, K.LEASE_LOST: 3}  # `make night` draws what lies between


@functools.cache
def calm_seed(late):
    """The first seed with a few devices, two waves and one rollout that nothing disturbs."""
    return next(
        seed
        for seed in range(FIRST[late], 10_000)
        if fits(draw(seed), late) and calm(seed) == ("succeeded",)
    )


def fits(scenario, late):
    small = 3 <= len(scenario.devices) <= 4 and len(scenario.plans) == 1 and not scenario.joiners
    resumes = FaultSource(scenario.seed).share("ask", "r-1", 1) < PATIENT
    return small and resumes and scenario.late is late and len(scenario.plans[0].waves) == 2


def calm(seed):
    report = simulate(seed, faults=())
    return report.states if report.turns <= TURNS_MAX else ()


@functools.cache
def turns(late):
    return simulate(calm_seed(late), faults=()).turns


@pytest.mark.parametrize("late", OPTIONS, ids=OPTIONS.get)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", STRIDE)
def test_engine_may_be_stopped_between_any_two_steps(kind, part, late):
    for turn in range(1 + part * STRIDE[kind], turns(late), PARTS * STRIDE[kind]):
        report = simulate(calm_seed(late), faults=[Fault(kind, turn, span=20.0)])

        assert report.states[0] in ("succeeded", "succeeded_with_exceptions"), turn


@pytest.mark.parametrize("late", OPTIONS, ids=OPTIONS.get)
@pytest.mark.parametrize(
    "kind", [K.REBOOT, K.LOSE_REQUEST, K.LOSE_REPLY, K.REPEAT, K.REFUSE, K.CUT_TRANSFER]
)
def test_device_may_fail_at_any_of_its_steps(kind, late):
    for device in draw(calm_seed(late)).devices:
        steps = 0
        while simulate(calm_seed(late), faults=[Fault(kind, steps + 1, device)]).struck:
            steps += 1

        assert steps


def unfenced(self, verb, params):
    self.mutations.append((self.now(), int(params["epoch"]), verb.value, params.get("txn", "")))


def test_frozen_engine_is_fenced_by_the_devices(monkeypatch):
    """Without the fence, what an old engine had under way when it froze comes after the new one's."""
    monkeypatch.setattr(SimulatedDevice, "_fence", unfenced)

    with pytest.raises(SimulationFailed, match="epochs fell"):
        take_over_at_each_turn(calm_seed(False))


def take_over_at_each_turn(seed):
    for turn in range(1, simulate(seed, faults=()).turns):
        simulate(seed, faults=[Fault(K.TAKEOVER, turn, span=20.0)])
