"""Differences in simulated rollouts: whoever takes them, and however spoilt they are, nothing ends in another way."""

from __future__ import annotations

from collections import Counter

import pytest

from orchestrator.device.protocol import Verb
from orchestrator.testing.faults import Fault, FaultKind
from orchestrator.testing.scenario import draw
from orchestrator.testing.simulation import simulate
from orchestrator.testing.transport import SimulatedSession

SEEDS = range(10)


@pytest.fixture
def rebuilt(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Answers to what asks devices to make a file of a difference."""
    codes: Counter[int] = Counter()
    converse = SimulatedSession.converse

    async def counted(self, request, dialogue, *, deadline_s):
        reply = await converse(self, request, dialogue, deadline_s=deadline_s)
        codes[reply.rc] += request.verb is Verb.REBUILD
        return reply

    monkeypatch.setattr(SimulatedSession, "converse", counted)
    return codes


@pytest.mark.parametrize("spoilt", [False, True])
def test_rollouts_end_as_they_do_without_differences(rebuilt: Counter[int], spoilt: bool):
    for seed in SEEDS:
        scenario = draw(seed)
        beside = [
            Fault(FaultKind.DIFFERENCE, number, span=float(spoilt))
            for number in range(1, len(scenario.plans) + 1)
        ]
        able = [Fault(FaultKind.PATCHES, device=device) for device in scenario.devices[::2]]

        bare, shown = simulate(seed, faults=()), simulate(seed, faults=(*beside, *able))

        assert (shown.exit_codes, shown.states) == (bare.exit_codes, bare.states)
    assert rebuilt[0] == 0 if spoilt else rebuilt[0] > len(SEEDS)
    assert rebuilt[74] > len(SEEDS) if spoilt else rebuilt[74] == 0
