"""Start time, windows, freezes and deadlines: time 0 is Thursday, 1970-01-01, 00:00 UTC."""

import dataclasses

import pytest

from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import (
    DeadlineAction,
    Freeze,
    ResolvedWave,
    Rollback,
    Schedule,
    Timeouts,
    Window,
)
from orchestrator.rollout import story
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState, Pause, RolloutState, WaveState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C = device_ids(3)
HOUR = 3600.0
EVERY_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def window(start="02:00", hours=1.0, **more):
    return Window(EVERY_DAY, start, hours * HOUR, **({"timezone": "UTC"} | more))


def hand(*, zones=(), timeouts=None, rollback=None, wave=None, per=None, **schedule):
    waves = [ResolvedWave("all", "all", (A, B, C), slow_start=False, **(wave or {}))]
    plan = make_plan(
        waves,
        schedule=Schedule(**schedule),
        timeouts=timeouts or Timeouts(),
        rollback=rollback or Rollback(),
        max_parallel_per=per or {},
    )
    if per:
        labelled = {
            name: dataclasses.replace(one, labels={"site": "a"})
            for name, one in plan.devices.items()
        }
        plan = dataclasses.replace(plan, devices=labelled)
    for device, zone in zip((A, B, C), zones, strict=False):
        planned = dataclasses.replace(plan.devices[device], timezone=zone)
        plan = dataclasses.replace(plan, devices={**plan.devices, device: planned})
    return Hand(plan)


def test_without_a_schedule_a_rollout_runs_at_once():
    rollout = hand()

    assert rollout.rollout.state is RolloutState.RUNNING
    assert rollout.wanted() == dict.fromkeys((A, B, C), Work.DELIVER)


def test_a_rollout_waits_for_its_start_time():
    rollout = hand(start_at=100.0)
    before = (rollout.rollout.state, rollout.wanted(), rollout.rollout.is_waiting)

    rollout.tick(99.0)
    still = rollout.rollout.state
    rollout.tick(100.0)

    assert before == (RolloutState.SCHEDULED, {}, True)
    assert still is RolloutState.SCHEDULED
    assert rollout.rollout.state is RolloutState.RUNNING
    assert len(rollout.wanted()) == 3


def test_a_scheduled_rollout_wakes_for_its_start():
    assert hand(start_at=100.0).rollout.next_wakeup == 100.0
    assert hand(windows=(window(),)).rollout.next_wakeup == 2 * HOUR


def test_devices_start_when_the_window_opens_and_not_after_it_closed():
    rollout = hand(windows=(window(),), wave={"max_parallel": 1})

    rollout.tick(2 * HOUR)
    rollout.succeed(A)
    rollout.tick(3 * HOUR - 1)
    rollout.succeed(B)  # started inside the window, after A
    rollout.tick(3 * HOUR)

    assert rollout.state(C) is DeviceState.TRANSFERRING  # started with B's end, one second before

    rollout.succeed(C)
    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_what_is_in_flight_when_a_window_closes_goes_on_and_the_rest_waits():
    rollout = hand(windows=(window(),), wave={"max_parallel": 1})
    rollout.tick(2 * HOUR)
    rollout.tick(3 * HOUR)

    rollout.succeed(A)

    assert rollout.states() == ["succeeded", "pending", "pending"]
    assert rollout.rollout.is_waiting
    assert rollout.rollout.next_wakeup == 26 * HOUR

    rollout.tick(26 * HOUR)
    assert rollout.state(B) is DeviceState.TRANSFERRING


def test_must_finish_counts_what_a_device_may_need():
    times = Timeouts(connect_s=10, transfer_s=1000, install_s=100, reboot_s=90)
    rollout = hand(windows=(window(must_finish=True),), timeouts=times, wave={"max_parallel": 1})
    rollout.tick(2 * HOUR)
    rollout.tick(3 * HOUR - 1200)
    rollout.succeed(A)  # 1200 s are left, exactly what the next one may need

    rollout.tick(3 * HOUR - 1199)
    rollout.succeed(B)

    assert rollout.state(C) is DeviceState.PENDING
    assert rollout.rollout.next_wakeup == 26 * HOUR


def test_each_device_has_the_hours_of_its_own_zone():
    zones = ("Asia/Tokyo", "UTC", "America/New_York")  # +9, 0 and -5 hours
    rollout = hand(windows=(window(timezone="device"),), zones=zones)
    at_start = rollout.rollout.state  # 00:00 UTC is 09:00, 00:00 and 19:00

    rollout.tick(2 * HOUR)
    first = rollout.states()
    rollout.tick(7 * HOUR)
    second = rollout.states()
    rollout.tick(17 * HOUR)

    assert at_start is RolloutState.SCHEDULED
    assert first == ["pending", "transferring", "pending"]
    assert second == ["pending", "transferring", "transferring"]
    assert rollout.states() == ["transferring"] * 3


def test_a_wave_of_which_no_device_may_start_yet_waits():
    rollout = hand(windows=(window(timezone="device"),), zones=("UTC", "UTC", "UTC"))
    waiting = rollout.rollout.ledger.waves[0].state
    rollout.tick(2 * HOUR)

    assert waiting is WaveState.PENDING  # the rollout itself is still scheduled
    assert rollout.rollout.ledger.waves[0].state is WaveState.RUNNING


def test_a_later_wave_waits_for_its_window():
    waves = [ResolvedWave("one", "1", (A,)), ResolvedWave("rest", "rest", (B, C))]
    rollout = Hand(make_plan(waves, schedule=Schedule(windows=(window(),))))
    rollout.tick(2 * HOUR)
    rollout.tick(3 * HOUR)

    rollout.succeed(A)

    assert rollout.rollout.ledger.waves[1].state is WaveState.WAITING
    assert rollout.rollout.is_waiting


def test_a_freeze_pauses_for_as_long_as_it_lasts():
    freeze = Freeze(100.0, 200.0, "year end")
    rollout = hand(freezes=(freeze,), wave={"max_parallel": 1})
    rollout.activate(A)
    rollout.tick(100.0)
    frozen = (rollout.rollout.state, dict(rollout.rollout.ledger.causes))
    rollout.prove(A)  # was in flight
    rollout.report(A)
    during = rollout.states()

    rollout.tick(200.0)

    assert frozen == (RolloutState.PAUSED, {Pause.FREEZE.value: "year end"})
    assert during == ["succeeded", "pending", "pending"]
    assert rollout.rollout.state is RolloutState.RUNNING
    assert rollout.state(B) is DeviceState.TRANSFERRING


def test_an_operator_cannot_resume_out_of_a_freeze():
    rollout = hand(freezes=(Freeze(100.0, 200.0),))
    rollout.tick(100.0)

    rollout.ask(Ask.PAUSE)
    rollout.ask(Ask.RESUME)

    assert rollout.rollout.state is RolloutState.PAUSED
    assert list(rollout.rollout.ledger.causes) == [Pause.FREEZE.value]


def test_the_end_of_a_freeze_does_not_end_the_pause_of_an_operator():
    rollout = hand(freezes=(Freeze(100.0, 200.0),))
    rollout.ask(Ask.PAUSE)
    rollout.tick(100.0)

    rollout.tick(200.0)

    assert rollout.rollout.state is RolloutState.PAUSED
    assert list(rollout.rollout.ledger.causes) == [Pause.OPERATOR.value]


def test_a_rollout_that_begins_in_a_freeze_is_scheduled():
    rollout = hand(freezes=(Freeze(-10.0, 50.0),))

    assert (rollout.rollout.state, rollout.rollout.next_wakeup) == (RolloutState.SCHEDULED, 50.0)


def test_devices_are_staged_ahead_and_changed_in_their_window():
    rollout = hand(windows=(window(),), stage_outside_window=True)
    rollout.ready(A)
    kept = (rollout.state(A), rollout.action(A).work)
    rollout.report(A)  # it keeps what was staged
    quiet = rollout.wanted()

    rollout.tick(2 * HOUR)

    assert kept == (DeviceState.BLOCKED, Work.KEEP)
    assert A not in quiet
    assert (rollout.state(A), rollout.action(A).work) == (DeviceState.ACTIVATING, Work.ACTIVATE)


def test_no_more_devices_leave_their_block_than_may_be_at_work():
    rollout = hand(windows=(window(),), stage_outside_window=True, wave={"max_parallel": 2})
    for device in (A, B, C):
        rollout.ready(device)
        rollout.report(device)

    rollout.tick(2 * HOUR)
    first = rollout.states()
    rollout.report(A, status=rollout.status(A, "probation"))
    rollout.prove(A)
    rollout.report(A)

    assert first == ["activating", "activating", "blocked"]
    assert rollout.states() == ["succeeded", "activating", "activating"]


def test_a_device_that_leaves_its_block_takes_a_slot_of_its_label():
    rollout = hand(windows=(window(),), stage_outside_window=True, per={"site": 1})
    for device in (A, B, C):
        rollout.ready(device)
        rollout.report(device)

    rollout.tick(2 * HOUR)
    first = rollout.states()
    rollout.report(A, status=rollout.status(A, "probation"))
    rollout.prove(A)
    rollout.report(A)

    assert first == ["activating", "blocked", "blocked"]
    assert rollout.states() == ["succeeded", "activating", "blocked"]


def test_nothing_is_staged_ahead_in_a_freeze():
    rollout = hand(windows=(window(),), freezes=(Freeze(-1.0, HOUR),), stage_outside_window=True)

    assert rollout.wanted() == {}
    assert rollout.rollout.next_wakeup == HOUR


def test_what_was_staged_ahead_survives_another_engine():
    rollout = hand(windows=(window(),), stage_outside_window=True)
    rollout.ready(A)
    rollout.report(A)

    rollout.restart()
    rollout.tick(2 * HOUR)

    assert rollout.state(A) is DeviceState.ACTIVATING


def test_a_halt_cancels_what_was_staged_ahead():
    rollout = hand(windows=(window(),), stage_outside_window=True)
    rollout.ready(A)
    rollout.report(A)

    rollout.ask(Ask.ABORT)

    assert rollout.state(A) is DeviceState.CANCELLED
    assert rollout.rollout.state is RolloutState.ABORTED


@pytest.mark.parametrize(
    ("action", "state"),
    [(DeadlineAction.HALT, RolloutState.HALTED), (DeadlineAction.PAUSE, RolloutState.PAUSED)],
)
def test_deadline_of_the_rollout(action, state):
    rollout = hand(start_at=50.0, deadline_s=100.0, deadline_action=action)
    rollout.tick(50.0)
    rollout.tick(149.0)
    before = rollout.rollout.state

    rollout.tick(150.0)

    assert before is RolloutState.RUNNING
    assert rollout.rollout.state is state
    assert list(rollout.rollout.ledger.causes) == ["deadline"]


def test_deadline_of_a_wave_that_passed_in_time_does_nothing():
    waves = [ResolvedWave("one", "1", (A,), deadline_s=100.0), ResolvedWave("rest", "rest", (B,))]
    rollout = Hand(make_plan(waves))
    rollout.succeed(A)

    rollout.tick(100.0)

    assert rollout.rollout.state is RolloutState.RUNNING


def test_deadline_of_a_wave_halts_and_is_acted_upon_once():
    rollout = hand(wave={"deadline_s": 100.0})
    rollout.tick(100.0)
    halted = rollout.rollout.state
    rollout.ask(Ask.RESUME, accept_failures=True)
    rollout.restart()
    rollout.tick(101.0)

    assert halted is RolloutState.HALTED
    assert rollout.rollout.state is RolloutState.RUNNING


def test_deadline_holds_over_a_restart():
    rollout = hand(deadline_s=100.0)
    rollout.restart()

    rollout.tick(100.0)

    assert rollout.rollout.state is RolloutState.HALTED


def test_a_way_back_ignores_windows():
    rollout = hand(windows=(window(),))
    rollout.tick(2 * HOUR)
    rollout.succeed(A)
    rollout.tick(4 * HOUR)
    for device in (B, C):
        rollout.succeed(device)

    assert rollout.rollout.state is RolloutState.SUCCEEDED


@pytest.mark.parametrize(("respect", "returning"), [(False, 1), (True, 0)])
def test_a_way_back_respects_windows_only_where_the_plan_says_so(respect, returning):
    rollout = hand(
        windows=(window(),),
        rollback=Rollback(respect_windows=respect),
        wave={"max_parallel": 1},
    )
    rollout.tick(2 * HOUR)
    rollout.tick(3 * HOUR)
    rollout.succeed(A)

    rollout.ask(Ask.ROLLBACK)

    assert rollout.states().count("rolling_back") == returning
    rollout.tick(26 * HOUR)
    assert rollout.state(A) is DeviceState.ROLLING_BACK


def test_a_way_back_that_waits_for_its_window_keeps_no_engine():
    rollout = hand(
        windows=(window(),), rollback=Rollback(respect_windows=True), wave={"max_parallel": 2}
    )
    rollout.tick(2 * HOUR)
    rollout.activate(B)
    rollout.succeed(A)
    rollout.tick(3 * HOUR)
    rollout.ask(Ask.ROLLBACK)
    busy = rollout.rollout.is_resting

    rollout.prove(B)
    rollout.report(B)

    assert not busy
    assert rollout.rollout.is_waiting
    assert rollout.rollout.exit_code is ExitCode.WAITING
    assert story.tell(rollout.rollout).waits_for == ("window",)
    assert rollout.rollout.next_wakeup == 26 * HOUR


def test_an_engine_that_comes_after_a_deadline_starts_nothing():
    """Its first event is its start, and no tick."""
    rollout = hand(deadline_s=100.0, wave={"max_parallel": 1})
    rollout.succeed(A)
    rollout.now = 150.0

    rollout.restart()

    assert rollout.rollout.state is RolloutState.HALTED
    assert B not in rollout.wanted()


def test_a_report_that_comes_before_the_tick_of_a_deadline_starts_nothing():
    rollout = hand(wave={"deadline_s": 100.0, "max_parallel": 1})
    rollout.now = 150.0

    rollout.ready(A)

    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.wanted() == {}


def test_a_device_whose_hours_it_is_goes_back_before_one_whose_zone_is_closed():
    rollout = hand(
        zones=("Asia/Tokyo", "UTC", "Asia/Tokyo"),
        windows=(window(hours=2.0, timezone="device"),),
        rollback=Rollback(respect_windows=True, max_parallel=1),
    )
    rollout.tick(2 * HOUR)
    rollout.succeed(B)
    rollout.tick(17 * HOUR)
    rollout.succeed(A)
    rollout.tick(25 * HOUR)

    rollout.ask(Ask.ROLLBACK)
    rollout.tick(26 * HOUR)

    assert rollout.states()[:2] == ["succeeded", "rolling_back"]
