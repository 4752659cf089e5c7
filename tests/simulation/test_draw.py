"""What seeds draw: nearly the whole language and every fault, each in a fair share of them."""

import collections
import json

import pytest

from orchestrator.plan import language
from orchestrator.testing.faults import FaultKind
from orchestrator.testing.scenario import draw
from orchestrator.testing.transport import Faults

SEEDS = 1000
SHARE = 0.03

# Keys that simulations leave out, and where they are tested instead.
LEFT_OUT = {
    "vars", "become", "hooks", "release", "email", "events", "reason",  # say nothing of control
    "by", "seed",  # which device goes first
    "service", "process", "file", "disk", "load",  # what a check of a device does
    "verify", "lost_after", "confirm", "classes", "inconclusive_limit", "plugin", "kind", "options",
}  # fmt: skip
STAGES = {"stage preflight", "stage device", "stage wave", "stage background"}
CHOICES = {
    "on_failure halt", "on_failure rollback", "on_failure continue", "policy defer", "policy wait",
    "policy fail", "scope wave", "scope rollout", "action halt", "action pause", "to control",
    "to before", "per device", "order forward", "timezone device",
}  # fmt: skip
SITUATIONS = {
    "a wave with hosts",
    "one device",
    "many devices",
    "two rollouts",
    "same artifact",
    "commits late",
}


def words(value):
    """Keys, and keys with their value where that is a word."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if isinstance(inner, str):
                yield f"{key} {inner}"
            yield from words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner)


def situations(scenario):
    yield from {
        "a wave with hosts": any(wave.hosts for plan in scenario.plans for wave in plan.waves),
        "one device": len(scenario.devices) == 1,
        "many devices": len(scenario.devices) > 20,
        "two rollouts": len(scenario.plans) == 2,
        "same artifact": len(scenario.artifacts) > len(set(scenario.artifacts)),
        "commits late": scenario.late,
    }.items()


@pytest.fixture(scope="module")
def counted():
    counts = collections.Counter()
    for seed in range(SEEDS):
        scenario = draw(seed)
        drawn = {word for text in scenario.texts for word in words(json.loads(text))}
        drawn |= {fault.kind.value for fault in scenario.planned}
        drawn |= {name for name, is_so in situations(scenario) if is_so}
        drawn |= {name for name in Faults.__slots__ if getattr(scenario.rates, name)}
        drawn |= {"repeat_report", "late_report"} if scenario.report_rate else set()
        drawn |= {"store_fails"} if scenario.store_rate else set()
        counts.update(drawn)
    return counts


def seldom(counted, wanted):
    return {word: counted[word] for word in sorted(wanted) if counted[word] < SHARE * SEEDS}


def test_every_kind_of_fault_is_drawn(counted):
    assert seldom(counted, {kind.value for kind in FaultKind}) == {}


def test_every_key_that_steers_a_rollout_is_drawn(counted):
    keys = {key for section in language.SECTIONS for key in section.keys}

    assert keys > LEFT_OUT
    assert seldom(counted, keys - LEFT_OUT) == {}


def test_every_choice_and_situation_is_drawn(counted):
    assert seldom(counted, STAGES | CHOICES | SITUATIONS) == {}
