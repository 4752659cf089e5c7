"""Comparisons in made-up journals: what the rule must object to, with values from how-to/gates.md."""

import pytest

from orchestrator.plan.resolved import (
    Compare,
    CompareTest,
    CompareTo,
    Direction,
    Gate,
    Probe,
    ProbeKind,
    ResolvedWave,
    Stage,
)
from orchestrator.testing.clock import EPOCH_S
from orchestrator.testing.comparison_rules import Comparisons
from orchestrator.testing.evidence_rules import Measured, Taken
from orchestrator.testing.plans import device_ids
from orchestrator.testing.seen import InvariantBroken
from tests.unit.testing.story import WAY, Story

DEVICES = device_ids(13)
OURS, THEIRS = DEVICES[:5], DEVICES[5:]
CONTROL = (10, 11, 9, 10, 12, 8, 10, 11)
PROBE = Probe(ProbeKind.PROMETHEUS, url="http://prom/", query="q", label="device")


def told(values, reading, effect=None, *, sizes=None, control=CONTROL, **how):
    """A wave of five beside eight that wait, and a line that says so of these values."""
    compare = Compare(
        how.pop("to", CompareTo.CONTROL),
        how.pop("test", CompareTest.MANN_WHITNEY),
        alpha=0.05,
        direction=Direction.INCREASE,
        min_effect=1.5,
        min_samples=5,
    )
    gate = Gate("compared", Stage.WAVE, PROBE, compare=compare)
    waves = (ResolvedWave("one", "5", OURS), ResolvedWave("rest", "rest", THEIRS))
    story = Story(*waves, plan={"gates": (gate,), "manifest": "old"})
    story.checker.books.waves["one"] = ResolvedWave("one", "5", OURS, slow_start=False)
    series = dict(zip(OURS, values, strict=False)) | dict(zip(THEIRS, control, strict=True))
    taken = [Taken(EPOCH_S, PROBE, well=True, series=series)]
    measured = Measured(story.checker.books, story.devices, taken, lambda: EPOCH_S, frozenset())
    rule = Comparisons(measured)
    story.checker.rules.append(rule)
    for device in OURS:
        story.move(device, *WAY[1:5])
        story.checker.seen[device].state = "succeeded"
    for name in how.pop("ahead", ()):
        story.devices[name].active = story.truth.target
    data = {} if effect is None else {"effect": effect}
    sizes = sizes or (len(values), len(control))
    data |= {"reading": reading, "updated": sizes[0], "compared_with": sizes[1]}
    rule.see(story.entry("gate_result", wave="one", gate="compared", **data))


@pytest.mark.parametrize(
    ("values", "reading", "effect"),
    [
        ((20, 22, 19, 21, 25), "failed", 21.4 / 10.125),
        ((10, 11, 12, 10, 11), "success", 10.8 / 10.125),
        ((10, 11, 12, 10, 90), "inconclusive", 26.6 / 10.125),
        ((20, 22, 19), "no_data", None),
    ],
)
def test_reading_that_the_values_bear_out_and_every_other_one(values, reading, effect):
    told(values, reading, effect)

    for other in {"failed", "success", "inconclusive", "no_data"} - {reading}:
        with pytest.raises(InvariantBroken, match="R11: gate `compared` says"):
            told(values, other, effect)


def test_factor_and_sizes_that_are_not_those_of_the_groups():
    for wrong in ({"effect": 2.0}, {"effect": 21.4 / 10.125, "sizes": (5, 7)}):
        with pytest.raises(InvariantBroken, match="R11"):
            told((20, 22, 19, 21, 25), "failed", **wrong)


def test_control_that_runs_the_release():
    with pytest.raises(InvariantBroken, match=f"R11: control {THEIRS[2]} runs it"):
        told((20, 22, 19, 21, 25), "failed", 21.4 / 10.125, ahead=THEIRS[2:3])


def test_yes_and_no_are_told_from_chance_as_fisher_does():
    none, all_of_them = (0,) * 8, (1,) * 5
    told(all_of_them, "failed", None, control=none, test=CompareTest.FISHER)
    told((1, 0, 0, 0, 0), "inconclusive", None, control=none, test=CompareTest.FISHER)

    with pytest.raises(InvariantBroken, match="R11"):
        told((1, 0, 0, 0, 0), "failed", None, control=none, test=CompareTest.FISHER)


def test_values_from_before_are_not_those_of_now():
    told((10,) * 5, "success", 1.0, sizes=(5, 5), to=CompareTo.BEFORE)

    with pytest.raises(InvariantBroken, match="R11"):
        told((10,) * 5, "failed", 2.0, sizes=(5, 5), to=CompareTo.BEFORE)
