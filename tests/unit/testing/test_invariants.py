"""The checker itself: what it must object to, from made-up journals."""

from fractions import Fraction

import pytest

from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.clock import EPOCH_S
from orchestrator.testing.evidence_rules import Evidence, Measured
from orchestrator.testing.seen import InvariantBroken
from tests.unit.testing.story import WAY, A, B, C, Story


def test_second_unproven_device_breaks_the_bound():
    story = Story()
    story.move(A, *WAY[1:4])
    story.move(B, "transferring", "staged")

    with pytest.raises(InvariantBroken, match="R16"):
        story.move(B, "activating")


def test_proof_makes_room():
    story = Story()
    story.move(A, *WAY[1:6])

    story.move(B, *WAY[1:4])

    assert story.checker.seen[B].state == "activating"


def test_start_after_a_halt():
    story = Story()
    story.line("halted", cause="operator")

    with pytest.raises(InvariantBroken, match="I2"):
        story.move(A, "transferring")


def test_more_than_max_parallel_at_work():
    story = Story(max_parallel=1)
    story.move(A, "transferring")

    with pytest.raises(InvariantBroken, match="at work"):
        story.move(B, "transferring")


def test_success_that_the_device_denies():
    story = Story()

    with pytest.raises(InvariantBroken, match="I4"):
        story.move(A, *WAY[1:])


def test_journal_that_skips_a_state():
    story = Story()

    with pytest.raises(InvariantBroken, match="I5"):
        story.line("device_state", A, **{"from": "staged", "to": "activating"})


def test_activation_that_nobody_intended():
    story = Story()

    with pytest.raises(InvariantBroken, match="intent before effect"):
        story.checker.truth.activated(story.devices[A], "T")


def test_second_activation_that_nobody_asked_for():
    story = Story()
    story.move(A, *WAY[1:4])
    story.checker.truth.activated(story.devices[A], "T1")

    with pytest.raises(InvariantBroken, match="twice"):
        story.checker.truth.activated(story.devices[A], "T2")


def test_stored_state_that_the_journal_denies():
    story = Story()
    rows = {name: {"state": "queued"} for name in (A, B, C)}

    with pytest.raises(InvariantBroken, match="I5"):
        story.checker.truth.finish(rows=rows)


def judged(*states, **choices):
    """A wave of which devices ended in these states passes, and the evidence is looked at."""
    story = Story(**choices)
    rule = Evidence(Measured(story.checker.books, story.devices, [], lambda: EPOCH_S, frozenset()))
    for device, state in zip((A, B, C), states, strict=True):
        story.checker.books.seen[device].state = state
    data = {"state": "passed", "succeeded": 1, "failed": 0}
    rule.see(JournalEntry(1, 0.0, "wave_done", "all", "", data))


def test_wave_that_passes_with_too_many_devices_not_reached():
    judged("succeeded", "succeeded", "deferred", max_unreachable_share=Fraction(34, 100))

    with pytest.raises(InvariantBroken, match="R7: passed with 1 devices not reached"):
        judged("succeeded", "succeeded", "deferred", max_failures=1)


def test_wave_that_passes_with_too_few_successes():
    judged("succeeded", "succeeded", "failed", max_failures=1)

    with pytest.raises(InvariantBroken, match="R8: passed with 1 successes of 2"):
        judged("succeeded", "failed", "cancelled", max_failures=1)
