"""R15 as tables: clocks that jump, and timers that do not follow them."""

import pytest

from orchestrator.engine.clock import ContinuedClock
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask, OperatorAsked, Tick
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

(A,) = device_ids(1)
SOAK_S = 60.0
CHECK = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
)


def soaking():
    wave = ResolvedWave("all", "rest", (A,), soak_s=SOAK_S)
    rollout = Hand(make_plan([wave], gates=(CHECK,)))
    rollout.succeed(A)
    return rollout


@pytest.mark.parametrize(
    ("ticks", "now", "ended"),
    [
        ([], 0.0, False),
        ([0.0], 0.0, False),
        ([59.999], 59.999, False),
        ([60.0], 60.0, True),
        # backwards: time stands still, and the soak neither ends earlier nor later
        ([30.0, 10.0], 30.0, False),
        ([30.0, 10.0, 40.0], 40.0, False),
        ([30.0, 10.0, 60.0], 60.0, True),
        ([30.0, -3600.0], 30.0, False),
        ([30.0, -3600.0, 60.0], 60.0, True),
        ([59.0, 0.0, 59.5], 59.5, False),
        ([59.0, 0.0, 59.5, 60.0], 60.0, True),
        ([60.0, 1.0], 60.0, True),  # what has ended stays ended
        ([50.0, 40.0, 50.0, 40.0, 50.0], 50.0, False),  # back and forth adds nothing up
    ],
)
def test_r15_backwards_events_move_no_timer(ticks, now, ended):
    rollout = soaking()

    for at in ticks:
        rollout.apply(Tick(at))

    assert rollout.rollout.ledger.now == now
    assert (rollout.wanted().get(A) is Work.READ_BACK) is ended


@pytest.mark.parametrize("asked_at", [-3600.0, 0.0, 29.0])
def test_r15_request_from_a_slow_clock_sets_no_time_back(asked_at):
    rollout = soaking()
    rollout.tick(30.0)

    rollout.apply(OperatorAsked(asked_at, Ask.PAUSE, "ann"))

    assert rollout.lines("paused")[-1].at == 30.0


class WallClock:
    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at

    async def sleep(self, seconds):
        self.at += seconds


@pytest.mark.parametrize(
    ("stopped_at", "starts_at", "passes_s", "now"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (100.0, 100.0, 0.0, 100.0),
        (100.0, 100.0, 5.0, 105.0),
        # forward is time without an engine: it counts
        (100.0, 160.0, 0.0, 160.0),
        (100.0, 160.0, 5.0, 165.0),
        # set back meanwhile: goes on where it stopped, at the usual pace
        (100.0, 99.0, 0.0, 100.0),
        (100.0, 99.0, 1.0, 101.0),
        (100.0, 40.0, 0.0, 100.0),
        (100.0, 40.0, 60.0, 160.0),
        (100.0, -86400.0, 0.5, 100.5),
        (100.5, 100.25, 0.25, 100.75),
    ],
)
async def test_r15_clock_of_the_next_engine_goes_on(stopped_at, starts_at, passes_s, now):
    clock = ContinuedClock(WallClock(starts_at), stopped_at)

    await clock.sleep(passes_s)

    assert clock.now() == now
