"""Engines that crash while a background gate watches a soak: what nobody sampled is asked for (R10)."""

import asyncio

import pytest

from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.states import RolloutState
from orchestrator.testing.clock import EPOCH_S, VirtualClock, run_virtual
from orchestrator.testing.plans import device_ids, make_plan
from orchestrator.testing.transport import SimulatedTransport
from orchestrator.testing.world import ROLLOUT_ID, SimulatedProber, World, make_fleet

SOAK_S, INTERVAL_S = 600.0, 10.0
URL = "http://prometheus/"


def crashed(crash_at, down_s, remembered):
    """A rollout of three devices whose engine crashes once; how it ended, and when.

    `remembered` gives the fields of each second since the beginning.
    """

    async def work():
        clock = VirtualClock()
        devices = device_ids(3)
        gate = Gate(
            "errors",
            Stage.BACKGROUND,
            Probe(ProbeKind.PROMETHEUS, url=URL, query="errors"),
            fail_when="value > 0",
            interval_s=INTERVAL_S,
        )
        waves = [
            ResolvedWave("canary", "1", devices[:1], soak_s=SOAK_S),
            ResolvedWave("rest", "rest", devices[1:]),
        ]
        prober = SimulatedProber({URL: {"value": 0}})
        prober.remembered = lambda at: remembered(at - EPOCH_S)
        transport = SimulatedTransport(make_fleet(devices, clock))
        world = World(make_plan(waves, gates=(gate,)), transport, clock=clock, prober=prober)
        first = asyncio.ensure_future(world.run())
        await asyncio.sleep(crash_at)
        first.cancel()
        await asyncio.wait([first])
        await asyncio.sleep(down_s)
        ended = await world.run()
        return ended, clock.now() - EPOCH_S, world.store.journal(ROLLOUT_ID)

    return run_virtual(work())


def measured(journal):
    """The times of the samples that were asked for afterwards."""
    return [entry.data["measured_at"] for entry in journal if "measured_at" in entry.data]


@pytest.mark.parametrize("crash_at", [5.0, 100.0, 300.0, 599.0])
@pytest.mark.parametrize("down_s", [25.0, 120.0, 200.0])
def test_soak_is_as_long_as_planned_where_the_source_remembers(crash_at, down_s):
    ended, took_s, journal = crashed(crash_at, down_s, lambda _at: {"value": 0})

    missed_until = max(SOAK_S, crash_at + down_s)
    assert ended.exit_code is ExitCode.DONE
    assert took_s < missed_until + 2 * INTERVAL_S
    times = measured(journal)
    assert len(times) >= down_s // INTERVAL_S - 1
    assert times == sorted(times)


@pytest.mark.parametrize("crash_at", [100.0, 300.0])
def test_what_the_source_forgot_does_not_count_as_soak(crash_at):
    ended, took_s, journal = crashed(crash_at, 200.0, lambda _at: {})

    assert ended.exit_code is ExitCode.DONE
    assert SOAK_S + 200.0 <= took_s < SOAK_S + 200.0 + 3 * INTERVAL_S
    assert measured(journal) == []


def test_what_went_wrong_while_no_engine_ran_halts_before_anything_else_starts():
    ended, _, journal = crashed(300.0, 400.0, lambda at: {"value": int(400 <= at < 420)})

    assert ended.rollout.state is RolloutState.HALTED
    assert ended.exit_code is ExitCode.HALTED
    started = {entry.device for entry in journal if entry.type == "device_state"}
    assert len(started - {""}) == 1
