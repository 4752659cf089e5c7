"""Devices and the `open` lines of the ticket: time 0 is when the rollout starts."""

import dataclasses

import pytest

from orchestrator.device.bucket import bucket
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import (
    OfflinePolicy,
    PlannedOpening,
    PlannedTicket,
    PlannedTrust,
    ResolvedWave,
    Retries,
)
from orchestrator.rollout import story
from orchestrator.rollout.actions import Work
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import DeviceState, Pause, RolloutState, WaveState
from orchestrator.rollout.why import why
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

HOUR = 3600.0
SERIAL = 1
TRUST = PlannedTrust(1, "acme", 0, 0)
# by their buckets: the first is let in by every line below
A, B, C = sorted(device_ids(40), key=lambda device: bucket(SERIAL, device))[:3]
LINES = ((bucket(SERIAL, A) + 1, 0.0), (bucket(SERIAL, C) + 1, HOUR))


def hand(*, known=(A, B, C), lines=LINES, waves=((A, B, C),), **choices):
    """Three devices; those that are `known` told at preview that they have a trust root."""
    planned = [
        ResolvedWave(f"w{at}", "all", devices, slow_start=False, max_parallel=9)
        for at, devices in enumerate(waves)
    ]
    plan = make_plan(planned, retries=Retries(count=0), **choices)
    openings = tuple(PlannedOpening(percent, at) for percent, at in lines)
    ticket = PlannedTicket("0" * 64, "1" * 64, "acme", SERIAL, 1e9, 7, ("pi4",), openings)
    devices = {
        name: dataclasses.replace(one, trust=TRUST, current="old") if name in known else one
        for name, one in plan.devices.items()
    }
    artifact = dataclasses.replace(plan.artifact, ticket=ticket)
    return Hand(dataclasses.replace(plan, artifact=artifact, devices=devices))


def test_devices_are_not_started_before_their_line_and_the_rollout_waits_for_it():
    rollout = hand()

    before = rollout.wanted()
    rollout.succeed(A)
    told = story.tell(rollout.rollout)
    rollout.tick(HOUR - 1)
    still = rollout.wanted()
    rollout.tick(HOUR)

    assert before == {A: Work.DELIVER}
    assert (told.waits_for, told.exit_code) == (("ticket",), ExitCode.WAITING)
    assert told.held_up == ("the release ticket: it lets 2 devices begin at 1970-01-01 01:00:00Z",)
    assert still == {}
    assert rollout.wanted() == {B: Work.DELIVER, C: Work.DELIVER}
    assert story.tell(rollout.rollout).held_up == ()


def test_it_rests_and_wakes_for_the_line():
    rollout = hand()
    rollout.succeed(A)

    assert rollout.rollout.is_waiting
    assert rollout.rollout.next_wakeup == HOUR
    assert [line.data["for"] for line in rollout.lines("waiting")] == ["ticket"]


def test_a_wave_that_no_line_has_opened_yet_waits_as_a_whole():
    rollout = hand(waves=((A,), (B, C)))

    rollout.succeed(A)

    assert rollout.rollout.ledger.waves[1].state is WaveState.WAITING
    assert rollout.wanted() == {}


def test_a_new_engine_waits_on():
    rollout = hand()
    rollout.succeed(A)

    rollout.restart()
    still = (rollout.wanted(), rollout.rollout.is_waiting, rollout.rollout.next_wakeup)
    rollout.tick(HOUR)
    rollout.restart(3)

    assert still == ({}, True, HOUR)
    assert rollout.wanted() == {B: Work.DELIVER, C: Work.DELIVER}


def test_without_an_engine_it_says_the_same():
    rollout = hand()
    rollout.succeed(A)

    stored = Rollout.restore(rollout.plan, "r-hand", rollout.rollout_row, rollout.rows)
    told = story.tell(stored)

    assert told.waits_for == ("ticket",)
    assert told.held_up == story.tell(rollout.rollout).held_up


def test_an_engine_that_comes_after_the_line_has_nothing_to_wait_for():
    rollout = hand()
    rollout.succeed(A)

    rollout.now = HOUR
    rollout.restart()

    assert rollout.wanted() == {B: Work.DELIVER, C: Work.DELIVER}
    assert story.tell(rollout.rollout).held_up == ()


def test_a_device_of_which_nobody_knew_says_so_itself_and_waits_for_the_same_line():
    rollout = hand(known=())
    asked = rollout.wanted()

    rollout.succeed(A)
    for device in (B, C):
        rollout.report(device, Reason.NOT_OPEN_YET, detail="its bucket opens later")
    told = story.tell(rollout.rollout)
    rollout.tick(HOUR)

    assert set(asked) == {A, B, C}
    assert (rollout.rollout.state, told.waits_for) == (RolloutState.RUNNING, ("ticket",))
    assert rollout.wanted() == {B: Work.DELIVER, C: Work.DELIVER}


def test_whom_no_line_lets_in_is_left_out():
    rollout = hand(known=(), lines=LINES[:1])

    rollout.succeed(A)
    for device in (B, C):
        rollout.report(device, Reason.NOT_OPEN_YET)

    assert rollout.states().count("skipped") == 2
    assert rollout.rollout.ledger.devices[B].reason is Reason.NEVER_OPEN
    assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS


def test_a_device_whose_clock_is_behind_pauses_in_true_words():
    rollout = hand(lines=((100, 0.0),))

    rollout.succeed(A, B)
    rollout.report(C, Reason.NOT_OPEN_YET)

    assert rollout.state(C) is DeviceState.DEFERRED
    assert rollout.rollout.state is RolloutState.PAUSED
    (stop,) = story.tell(rollout.rollout).stops
    assert stop.cause is Pause.UNREACHABLE
    assert stop.detail == "1 device not started, 0 allowed (1 not_open_yet)"


def test_where_nobody_answered_that_is_what_is_said():
    rollout = hand(lines=())

    rollout.succeed(A, B)
    rollout.report(C, Reason.UNREACHABLE, reached=False)

    (stop,) = story.tell(rollout.rollout).stops
    assert stop.detail == "1 device not reached, 0 allowed"


def test_why_names_the_ticket_and_its_time():
    rollout = hand()

    waits = why(rollout.rollout, B, now=0.0).waits

    assert [(wait.what, wait.until_at) for wait in waits] == [("ticket", HOUR)]


@pytest.mark.parametrize("policy", OfflinePolicy)
def test_to_wait_for_a_line_is_never_to_be_offline(policy):
    rollout = hand(known=(), offline=policy)

    rollout.succeed(A)
    for device in (B, C):
        rollout.report(device, Reason.NOT_OPEN_YET)
    rollout.tick(HOUR)
    rollout.succeed(B, C)

    assert rollout.rollout.state is RolloutState.SUCCEEDED
