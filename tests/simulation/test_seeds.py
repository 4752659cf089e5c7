"""Whole rollouts from seeds; each failing seed prints the one command that repeats it.

Method: `orchestrator.testing.simulation` draws plan, faults, crashes and operators from the seed
and checks the invariants of `orchestrator.testing.invariants`. The mutation tests break one rule
of the engine at a time and want the checker to notice: a checker that sees nothing proves nothing.
"""

import pytest

from orchestrator.engine import loop
from orchestrator.rollout import brakes, moves, passage, proof, record, recovery, retreat, returned
from orchestrator.rollout.placement import Place
from orchestrator.rollout.states import BEFORE_RETURN, PAST_RETURN, DeviceState
from orchestrator.testing.invariants import InvariantBroken
from orchestrator.testing.simulation import simulate

SEEDS = 1000
BLOCK = 25


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_invariants_hold(first):
    ends = [simulate(seed).state for seed in range(first, first + BLOCK)]

    assert len(ends) == BLOCK


@pytest.mark.parametrize("seed", range(5000, 5010))
def test_same_seed_gives_the_same_journal(seed):
    report = simulate(seed, twice=True)

    assert report.journal


def blind_replay(led, event):
    led.epoch = event.epoch
    led.note("engine_started", data={"epoch": event.epoch})
    for rec in led.devices.values():
        if rec.state in PAST_RETURN or rec.state in BEFORE_RETURN:
            led.new_attempt(rec)
            moves.enqueue(led, rec)


async def commit_after_acting(self, lease, rollout, changes):
    self.executor.ensure(rollout.in_flight)
    await self._ports.store.commit(lease, [changes])


@pytest.mark.parametrize(
    ("owner", "name", "broken"),
    [
        (record.WaveRecord, "bound", property(lambda wave: wave.plan.max_parallel)),
        (brakes, "check_budget", lambda _led, _wave: None),
        (moves, "may_start", lambda _led: True),
        (recovery, "engine_started", blind_replay),
        (retreat, "_flying", lambda _led: 0),
        (passage, "_was_tried", lambda _led: True),
        (returned, "_gates", lambda _led, _rec: ()),
        (
            returned,
            "_decide",
            lambda led, rec: moves.finish(led, rec, DeviceState.ROLLED_BACK, "ok"),
        ),
        (proof, "_ON_TARGET", frozenset(Place)),
    ],
    ids=[
        "slow start",
        "budget",
        "pause",
        "inquiry",
        "drain",
        "evidence",
        "checks of the way back",
        "their verdict",
        "read-back",
    ],
)
def test_checker_notices_a_broken_rule(monkeypatch, owner, name, broken):
    monkeypatch.setattr(owner, name, broken)

    assert first_noticed(range(400)) is not None


def test_checker_notices_a_way_back_that_nobody_read(monkeypatch):
    """Two places look at it."""
    monkeypatch.setattr(retreat, "_is_back", lambda _led, _rec, _status: True)
    monkeypatch.setattr(returned, "is_back", lambda _led, _rec, _status: True)

    assert first_noticed(range(400)) is not None


def test_checker_notices_effects_before_their_commit(monkeypatch):
    work = loop.Engine._loop

    async def remember(self, lease, rollout, executor):
        self.executor = executor
        await work(self, lease, rollout, executor)

    monkeypatch.setattr(loop.Engine, "_loop", remember)
    monkeypatch.setattr(loop.Engine, "_commit", commit_after_acting)

    assert first_noticed(range(100)) is not None


def first_noticed(seeds):
    for seed in seeds:
        try:
            simulate(seed)
        except InvariantBroken:
            return seed
    return None
