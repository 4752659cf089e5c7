"""Approvals in made-up journals: what the rule must object to where somebody broke the glass."""

import pytest

from orchestrator.plan.controls import Approval
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.testing.people import Approvals
from orchestrator.testing.plans import device_ids
from orchestrator.testing.seen import InvariantBroken
from tests.unit.testing.story import Story

DIGEST = "d" * 64
NEEDED = Approval(required=1)


class Asked:
    """A rollout of two waves that both need one approval, and the rule that watches it."""

    def __init__(self, **request):
        one, two = device_ids(2)
        waves = [ResolvedWave("one", "1", (one,), approval=NEEDED)]
        waves.append(ResolvedWave("two", "rest", (two,), approval=NEEDED))
        self.story = Story(*waves)
        self.rule = Approvals(self.story.checker.books, DIGEST)
        fields = {"why": "it burns", "digest": DIGEST} | request
        self.rule.hear(1, OperatorAsked(0.0, Ask.BREAK_GLASS, "dan@desk", **fields))

    def line(self, kind, wave, at=0.0, **data):
        self.rule.see(self.story.entry(kind, wave=wave, at=at, **data))

    def broken(self, *, until_at=900.0):
        self.line("break_glass", "one", what="broken", who="dan@desk", until_at=until_at)


def test_approval_that_a_broken_glass_stands_for_is_journalled_as_such():
    asked = Asked()
    asked.broken()
    asked.line("break_glass", "one", 10.0, what="used")
    asked.line("wave_started", "one", 10.0)

    with pytest.raises(InvariantBroken, match="approval: 0 of 1 approved"):
        asked.line("wave_started", "two", 20.0)


def test_glass_is_over_in_its_time():
    asked = Asked()
    asked.broken()
    asked.line("break_glass", "one", 899.0, what="used")

    with pytest.raises(InvariantBroken, match="passed over without a glass"):
        asked.line("break_glass", "two", 900.0, what="used")


def test_glass_that_is_broken_for_longer_than_a_quarter_of_an_hour():
    with pytest.raises(InvariantBroken, match="broken for long"):
        Asked().broken(until_at=901.0)


@pytest.mark.parametrize("request_", [{"why": ""}, {"digest": "e" * 64}])
def test_glass_that_nobody_broke_for_this_plan_and_a_reason(request_):
    with pytest.raises(InvariantBroken, match="nobody broke a glass"):
        Asked(**request_).broken()


def test_what_a_glass_let_through_is_asked_for_anew():
    asked = Asked()
    asked.broken()
    asked.line("break_glass", "one", 10.0, what="used")
    asked.line("approval", "one", 20.0, what="asked")

    with pytest.raises(InvariantBroken, match="approval: 0 of 1 approved"):
        asked.line("wave_started", "one", 30.0)
