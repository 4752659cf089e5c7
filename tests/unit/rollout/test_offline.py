"""Devices that are away: the tables of R7 and R8, policies, and the time after the last wave."""

from fractions import Fraction

import pytest

from orchestrator.device.model import Address
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.controls import Rate
from orchestrator.plan.resolved import (
    Budget,
    DeadlineAction,
    Gate,
    OfflinePolicy,
    OnFailure,
    PlannedDevice,
    Probe,
    ProbeKind,
    ResolvedWave,
    Retries,
    Rollback,
    RollbackScope,
    Stage,
)
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState
from orchestrator.rollout.story import tell
from orchestrator.rollout.why import why
from orchestrator.testing.counters import check_counters
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C, D = device_ids(4)
MINUTE_S = 60.0
DAY_S = 86400.0
CHECK = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
)
HALF = Fraction(1, 2)
WAIT = {"offline": OfflinePolicy.WAIT}


def wave(name, *devices, **choices):
    return ResolvedWave(name, str(len(devices)), tuple(devices), **choices)


def hand(*waves, **choices):
    return Hand(make_plan(waves, **({"gates": (CHECK,), "retries": Retries(count=0)} | choices)))


def away(rollout, *devices):
    for device in devices:
        rollout.report(device, Reason.UNREACHABLE, reached=False)


def drive(rollout, fates):
    """Gives each device that starts its fate: g(ood), a(way), f(ailed), u(nchanged), s(kipped)."""
    while rollout.rollout.state in (RolloutState.RUNNING, RolloutState.PAUSED):
        starting = [device for device, work in rollout.wanted().items() if work is Work.DELIVER]
        if rollout.rollout.state is RolloutState.PAUSED:
            starting = [device for device in starting if fates[device] == "a"]
        if not starting:
            return
        device = starting[0]
        match fates[device]:
            case "g":
                rollout.succeed(device)
            case "a":
                away(rollout, device)
            case "f":
                rollout.fail(device)
            case "u":
                target = rollout.plan.artifact.manifest_sha256
                status = rollout.status(device, "none", manifest=target)
                rollout.report(device, Reason.UNCHANGED, status=status)
            case "s":
                rollout.report(device, Reason.INCOMPATIBLE)


# --- R7: unreachable devices, backfill, and how many may be missing ---------------------------


@pytest.mark.parametrize(
    ("fates", "first", "limit", "percent", "replaced", "unreachable", "paused"),
    [
        # a wave of one: its device is away
        ("a", 1, 1, 0, 0, 1, True),  # nobody can take its place
        ("ag", 1, 1, 0, 1, 0, False),  # the next in order does
        ("ag", 1, 0, 0, 0, 1, True),  # not with `backfill: false`
        ("ag", 1, 0, 100, 0, 1, True),  # allowed to be away, but no success is no evidence
        # at most as many as the wave is large
        ("aag", 1, 1, 0, 1, 1, True),
        ("aagg", 2, 2, 0, 2, 0, False),
        ("aaag", 2, 2, 0, 2, 1, True),  # the second replacement was away, too
        ("aaaa", 2, 2, 0, 2, 2, True),  # all are away: never a trip
        # floor of the percentage, of what the wave should update
        ("ggga" + "g" * 7, 11, 0, 10, 0, 1, False),  # floor(1.1) = 1
        ("ggga" + "g" * 5, 9, 0, 10, 0, 1, True),  # floor(0.9) = 0
        ("a" * 29 + "g" * 71, 100, 0, 29, 0, 29, False),  # 29 % of 100 is 29, not 28
        ("a" * 30 + "g" * 70, 100, 0, 29, 0, 30, True),
        # the base shrinks by unchanged and skipped devices
        ("ga" + "u" * 2, 4, 0, 50, 0, 1, False),  # base 2: 1 allowed
        ("gaa" + "s", 4, 0, 50, 0, 2, True),  # base 3: floor(1.5) = 1 allowed
    ],
)  # fmt: skip
def test_r7(fates, first, limit, percent, replaced, unreachable, paused):
    devices = device_ids(len(fates))
    waves = [
        wave(
            "first", *devices[:first], max_unreachable_share=Fraction(percent, 100),
            backfill_limit=limit, slow_start=False, max_parallel=200,
        )
    ]  # fmt: skip
    if first < len(fates):
        waves.append(wave("rest", *devices[first:], max_unreachable_share=Fraction(1)))
    rollout = hand(*waves)

    drive(rollout, dict(zip(devices, fates, strict=True)))

    books = rollout.rollout.ledger.waves[0]
    assert (books.backfilled, books.unreachable) == (replaced, unreachable)
    assert (books.state is not WaveState.PASSED) is paused
    assert rollout.rollout.state is not RolloutState.HALTED
    if paused:
        assert rollout.rollout.state is RolloutState.PAUSED
        assert rollout.rollout.exit_code is ExitCode.WAITING


@pytest.mark.parametrize("limit", [0, 1])
def test_r7_wave_without_backfill_of_its_own_still_gives_devices(limit):
    rollout = hand(wave("canary", A, backfill_limit=1), wave("rest", B, C, backfill_limit=limit))

    away(rollout, A)

    assert rollout.rollout.ledger.devices[B].wave == 0


def test_r7_wave_with_hosts_of_its_own_gives_none():
    lab = wave("lab", B, hosts="lab", backfill_limit=1)
    rollout = hand(wave("canary", A, backfill_limit=1), lab, wave("rest", C))

    away(rollout, A)

    assert rollout.rollout.ledger.devices[B].wave == 1
    assert rollout.rollout.ledger.devices[C].wave == 0


# --- R8: settled, passed, and what is enough evidence -----------------------------------------


@pytest.mark.parametrize(
    ("fates", "failures", "percent", "required", "state"),
    [
        ("g", 0, 0, 1, WaveState.PASSED),
        ("a", 0, 100, 1, WaveState.INCONCLUSIVE),  # all away: no evidence
        ("s", 0, 0, 1, WaveState.INCONCLUSIVE),  # base 0
        ("u", 0, 0, 1, WaveState.PASSED),  # base 0, but the whole rollout is unchanged
        ("us", 0, 0, 1, WaveState.INCONCLUSIVE),  # one of them is not
        ("gg", 0, 0, 2, WaveState.PASSED),
        ("ga", 0, 50, 1, WaveState.PASSED),
        ("gf", 1, 0, 1, WaveState.PASSED),
        ("fa", 1, 50, 1, WaveState.INCONCLUSIVE),  # max(1, 2 - 1 - 1), and none succeeded
        ("gu", 0, 0, 1, WaveState.PASSED),  # base 1
        ("ggaa", 1, 50, 1, WaveState.PASSED),  # 4 - 1 - 2
        ("ggfa", 1, 25, 2, WaveState.PASSED),  # 4 - 1 - 1
        ("gffa", 1, 25, 2, WaveState.TRIPPED),  # 2 failures, 1 allowed
        ("g" * 71 + "a" * 29, 0, 29, 71, WaveState.PASSED),
        ("g" * 71 + "a" * 28 + "s", 0, 29, 71, WaveState.PASSED),  # 99 - floor(28.71)
    ],
)
def test_r8(fates, failures, percent, required, state):
    devices = device_ids(len(fates))
    rollout = hand(
        wave(
            "all", *devices, max_failures=failures, slow_start=False, max_parallel=200,
            max_unreachable_share=Fraction(percent, 100),
        )
    )  # fmt: skip

    drive(rollout, dict(zip(devices, fates, strict=True)))

    books = rollout.rollout.ledger.waves[0]
    assert books.required == required
    assert books.state is state
    check_counters(rollout.rollout)


@pytest.mark.parametrize(
    ("last", "settled"),
    [("g", True), ("f", True), ("a", True), ("s", True), ("", False)],
)
def test_r8_wave_settles_with_its_last_device(last, settled):
    rollout = hand(wave("all", A, B, max_failures=1, max_unreachable_share=HALF, soak_s=10.0))
    rollout.succeed(A)
    if last:
        drive(rollout, {B: last})
    books = rollout.rollout.ledger.waves[0]

    assert (books.state is WaveState.SOAKING) is settled


# --- policies ----------------------------------------------------------------------------------


def test_defer_lets_the_wave_go_on_and_the_device_follow():
    rollout = hand(wave("all", A, B, max_unreachable_share=HALF))
    away(rollout, A)
    rollout.succeed(B)
    resting = (rollout.rollout.state, rollout.rollout.is_resting, rollout.rollout.exit_code)

    rollout.tick(MINUTE_S)
    rollout.succeed(A)

    assert resting == (RolloutState.CATCHING_UP, True, ExitCode.WAITING)
    assert rollout.rollout.state is RolloutState.SUCCEEDED
    assert rollout.rollout.exit_code is ExitCode.DONE


def test_fail_counts_the_device():
    rollout = hand(wave("all", A, B, max_failures=1), offline=OfflinePolicy.FAIL)
    away(rollout, A)
    rollout.succeed(B)

    assert rollout.state(A) is DeviceState.FAILED
    assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS


def test_wait_keeps_the_wave_and_replaces_nobody():
    rollout = hand(wave("canary", A, B, backfill_limit=2), wave("rest", C), **WAIT)
    away(rollout, A)
    rollout.succeed(B)

    assert rollout.wanted() == {}
    assert rollout.rollout.ledger.waves[0].state is WaveState.RUNNING
    assert (rollout.rollout.is_waiting, rollout.rollout.exit_code) == (True, ExitCode.WAITING)
    check_counters(rollout.rollout)

    rollout.tick(MINUTE_S)
    rollout.succeed(A)

    assert rollout.wanted() == {C: Work.DELIVER}


def test_wait_rests_only_when_nothing_is_at_work():
    rollout = hand(wave("all", A, B), **WAIT)
    away(rollout, A)

    assert not rollout.rollout.is_resting


@pytest.mark.parametrize("choices", [WAIT, {}])
def test_device_is_asked_again_with_growing_and_bounded_distance(choices):
    rollout = hand(wave("all", A, B, max_unreachable_share=HALF), **choices)
    away(rollout, A)
    rollout.succeed(B)
    distances = []
    for _ in range(7):
        at = rollout.rollout.ledger.devices[A].due_at
        distances.append((at - rollout.now) / MINUTE_S)
        rollout.tick(at)
        away(rollout, A)

    assert distances == [1, 2, 4, 8, 15, 15, 15]


def test_device_that_was_away_is_asked_once_each_time():
    rollout = hand(wave("all", A), retries=Retries(count=2, delay_s=10.0), **WAIT)
    for at in (0.0, 10.0, 30.0):
        rollout.tick(at)
        away(rollout, A)
    rollout.tick(90.0)
    away(rollout, A)

    assert rollout.state(A) is DeviceState.DEFERRED


def test_wave_deadline_ends_the_wait():
    limits = {"deadline_s": 600.0, "deadline_action": DeadlineAction.PAUSE}
    rollout = hand(wave("all", A, B, **limits), **WAIT)
    away(rollout, A)
    rollout.succeed(B)
    rollout.tick(600.0)
    causes = list(rollout.rollout.ledger.causes)
    rollout.ask(Ask.RESUME, accept_failures=True)
    away(rollout, A)  # it was due at the same time

    assert causes == ["deadline"]
    assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS


def test_wait_ends_with_the_time_of_the_plan_and_then_counts_as_unreachable():
    rollout = hand(wave("all", A, B), **WAIT, offline_for_s=600.0)
    away(rollout, A)
    rollout.succeed(B)
    for at in (60.0, 180.0, 420.0):
        rollout.tick(at)
        away(rollout, A)

    rollout.tick(599.0)
    before = rollout.rollout.state
    rollout.tick(600.0)

    assert before is RolloutState.RUNNING
    assert list(rollout.rollout.ledger.causes) == ["unreachable"]
    assert rollout.rollout.ledger.waves[0].unreachable == 1


# --- catching up ---------------------------------------------------------------------------------


def catching_up(*, devices=(A, B, C), missing=(A,), late=False, limits=None, **choices):
    chosen = {"max_unreachable_share": Fraction(1), "slow_start": False} | (limits or {})
    rollout = hand(wave("all", *devices, **chosen), late=late, **choices)
    away(rollout, *missing)
    for device in devices:
        if device not in missing:
            rollout.activate(device)
            rollout.prove(device)
            rollout.report(device)
    while rollout.rollout.state is RolloutState.RUNNING:  # modules that commit late
        for device in tuple(rollout.wanted()):
            rollout.report(device)
    assert rollout.rollout.state is RolloutState.CATCHING_UP
    return rollout


@pytest.mark.parametrize(
    ("for_s", "until", "state"),
    [
        (600.0, 599.0, RolloutState.CATCHING_UP),
        (600.0, 600.0, RolloutState.SUCCEEDED_WITH_EXCEPTIONS),
        (14 * DAY_S, 14 * DAY_S - 1, RolloutState.CATCHING_UP),
        (14 * DAY_S, 14 * DAY_S, RolloutState.SUCCEEDED_WITH_EXCEPTIONS),
    ],
)
def test_catching_up_ends_with_its_time(for_s, until, state):
    rollout = catching_up(offline_for_s=for_s)
    rollout.tick(60.0)
    away(rollout, A)

    rollout.tick(until)
    if rollout.wanted():
        away(rollout, A)

    assert rollout.rollout.state is state


def test_device_at_work_at_the_end_of_the_time_finishes():
    rollout = catching_up(offline_for_s=600.0)
    rollout.tick(60.0)
    rollout.activate(A)

    rollout.tick(600.0)
    before = rollout.rollout.state
    rollout.prove(A)
    rollout.report(A)

    assert before is RolloutState.CATCHING_UP
    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_failure_while_catching_up_halts():
    rollout = catching_up()
    rollout.tick(60.0)
    rollout.fail(A)

    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.rollout.ledger.causes == {"budget": "1 failure, 0 allowed"}
    assert rollout.rollout.ledger.waves[0].state is WaveState.PASSED


def test_failure_while_catching_up_within_the_budget_is_an_exception():
    rollout = catching_up(limits={"max_failures": 1})
    rollout.tick(60.0)
    rollout.fail(A)

    assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS


def test_budget_of_the_rollout_halts_while_catching_up():
    limits = {"max_failures": 2}
    rollout = catching_up(limits=limits, budget=Budget(max_failures=0))
    rollout.tick(60.0)
    rollout.fail(A)

    assert rollout.rollout.state is RolloutState.HALTED


def test_trip_while_catching_up_cancels_others_that_were_not_activated():
    rollout = catching_up(devices=(A, B, C), missing=(A, B))
    rollout.tick(60.0)
    rollout.fail(A)

    assert rollout.state(B) is DeviceState.CANCELLED
    assert rollout.wanted() == {}


def test_rollback_of_the_plan_concerns_the_wave_that_tripped_while_catching_up():
    first = wave("first", A, B, max_unreachable_share=HALF)
    rollout = hand(
        first, wave("rest", C), on_failure=OnFailure.ROLLBACK,
        rollback=Rollback(scope=RollbackScope.WAVE),
    )  # fmt: skip
    away(rollout, A)
    rollout.succeed(B, C)
    rollout.tick(60.0)
    rollout.fail(A)

    assert rollout.wanted() == {B: Work.ROLL_BACK}


@pytest.mark.parametrize("scope", [RollbackScope.WAVE, RollbackScope.ROLLOUT])
def test_device_that_was_proven_and_not_committed_goes_back_with_any_rollback(scope):
    """It belongs to another wave, but nothing will ever commit it (seed 1031)."""
    waves = [
        wave(name, *devices, max_unreachable_share=HALF)
        for name, *devices in (("a", A, B), ("b", C, D))
    ]
    rollout = hand(*waves, late=True, on_failure=OnFailure.ROLLBACK, rollback=Rollback(scope=scope))
    for good, gone in ((A, B), (C, D)):
        rollout.activate(good)
        rollout.prove(good)
        away(rollout, gone)
        rollout.report(good)
        rollout.report(good)
    assert rollout.rollout.state is RolloutState.CATCHING_UP
    rollout.tick(MINUTE_S)
    rollout.activate(B)
    rollout.activate(D)
    rollout.prove(D, 1)
    rollout.go_back(D)

    rollout.prove(B)
    rollout.report(B)
    while rollout.wanted():
        rollout.go_back(next(iter(rollout.wanted())))

    assert rollout.state(B) is DeviceState.ROLLED_BACK
    assert rollout.rollout.state is RolloutState.ROLLED_BACK


def test_accepted_failures_let_it_catch_up_further():
    rollout = catching_up(missing=(A, B))
    rollout.tick(60.0)
    rollout.fail(A)
    rollout.ask(Ask.RESUME, accept_failures=True)

    assert rollout.rollout.state is RolloutState.CATCHING_UP
    assert rollout.wanted() == {B: Work.DELIVER}

    rollout.succeed(B)

    assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS


def test_slow_start_holds_while_catching_up():
    devices = device_ids(8)
    rollout = catching_up(
        devices=devices, missing=devices[1:], limits={"slow_start": True, "max_parallel": 4}
    )
    rollout.tick(60.0)
    for device in devices[1:5]:
        rollout.ready(device)

    states = rollout.states()
    assert states.count("activating") == 2  # allowed 0 + 1 + 1 success
    assert states.count("staged") == 2


def test_max_parallel_holds_over_all_waves_together():
    share = {"max_unreachable_share": Fraction(1), "max_parallel": 2, "slow_start": False}
    devices = device_ids(6)
    rollout = hand(wave("one", *devices[:3], **share), wave("two", *devices[3:], **share))
    for last, missing in ((devices[2], devices[:2]), (devices[5], devices[3:5])):
        away(rollout, *missing)
        rollout.succeed(last)

    rollout.tick(60.0)

    assert len(rollout.wanted()) == 2


def test_rate_holds_while_catching_up():
    paced = hand(
        wave("all", A, B, C, max_unreachable_share=Fraction(1), slow_start=False),
        rate=Rate(per_minute=1),
    )
    for at, device in ((0.0, A), (60.0, B), (120.0, C)):
        paced.tick(at)
        paced.succeed(device) if device == C else away(paced, device)
    paced.tick(200.0)

    assert len(paced.wanted()) == 1


def test_devices_that_are_down_do_not_keep_each_other_from_being_asked():
    address = Address("127.0.0.1")
    devices = {A: "x", B: "x", C: "y"}
    planned = {device: PlannedDevice(address, {"site": site}) for device, site in devices.items()}
    rollout = hand(wave("all", A, B, C), max_parallel_per={"site": 1}, devices=planned, **WAIT)
    away(rollout, A)
    rollout.succeed(C)
    resting = rollout.rollout.is_resting

    rollout.tick(60.0)

    assert resting  # B has no slot while A is down, and nobody has to decide that
    assert rollout.wanted() == {A: Work.DELIVER}


def test_module_that_cannot_go_back_commits_at_once_while_catching_up():
    rollout = catching_up(late=True)
    rollout.tick(60.0)
    rollout.activate(A)
    rollout.prove(A)
    rollout.report(A)

    assert rollout.wanted() == {A: Work.COMMIT}

    rollout.report(A)

    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_pause_and_resume_while_catching_up():
    rollout = catching_up()
    rollout.ask(Ask.PAUSE)
    rollout.tick(60.0)
    paused = (rollout.rollout.state, rollout.wanted())
    rollout.ask(Ask.RESUME)

    assert paused == (RolloutState.PAUSED, {})
    assert rollout.rollout.state is RolloutState.CATCHING_UP
    assert rollout.wanted() == {A: Work.DELIVER}


def test_retry_asks_at_once():
    rollout = catching_up()

    rollout.ask(Ask.RETRY, devices=(A,))

    assert rollout.wanted() == {A: Work.DELIVER}


def test_abort_while_catching_up():
    rollout = catching_up()
    rollout.ask(Ask.ABORT)

    assert rollout.rollout.state is RolloutState.ABORTED


def test_rollout_without_deferred_devices_does_not_catch_up():
    rollout = hand(wave("all", A))
    rollout.succeed(A)

    assert rollout.lines("catching_up") == []


# --- restarts ------------------------------------------------------------------------------------


def test_restart_asks_whoever_is_due_and_nobody_else():
    rollout = catching_up(missing=(A, B))
    rollout.now = 30.0
    rollout.restart()
    early = rollout.wanted()
    rollout.now = 61.0
    rollout.restart(3)

    assert early == {}
    assert rollout.wanted() == {A: Work.DELIVER, B: Work.DELIVER}
    assert rollout.rollout.state is RolloutState.CATCHING_UP


def test_restart_after_the_time_gives_up():
    rollout = catching_up(offline_for_s=600.0)
    rollout.now = 601.0
    rollout.restart()

    assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS
    assert rollout.wanted() == {}


def test_restart_keeps_the_distance_and_the_end():
    rollout = catching_up(offline_for_s=DAY_S)
    for at in (60.0, 180.0):
        rollout.tick(at)
        away(rollout, A)
    rollout.restart()

    books = rollout.rollout.ledger
    assert (books.devices[A].due_at, books.follow_until) == (420.0, DAY_S)
    check_counters(rollout.rollout)


def test_restart_with_a_device_past_the_point_of_no_return():
    rollout = catching_up()
    rollout.tick(60.0)
    rollout.activate(A)
    rollout.restart()
    rollout.report(A, status=rollout.status(A, "probation"))
    rollout.prove(A)
    rollout.report(A)

    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_restart_while_a_wave_waits():
    rollout = hand(wave("all", A, B), **WAIT)
    away(rollout, A)
    rollout.succeed(B)
    rollout.restart()
    resting = rollout.rollout.is_resting
    rollout.now = 60.0
    rollout.restart(3)

    assert resting
    assert rollout.wanted() == {A: Work.DELIVER}


# --- what people see -------------------------------------------------------------------------------


def test_story_tells_how_many_are_deferred_and_until_when():
    rollout = catching_up(missing=(A, B), offline_for_s=DAY_S)

    story = tell(rollout.rollout)

    told = story.deferred
    assert (told.devices, told.given_up, told.next_at, told.until_at) == (2, 0, 60.0, DAY_S)
    assert story.waits_for == ("deferred",)


def test_story_of_the_end_counts_who_was_given_up():
    rollout = catching_up(offline_for_s=600.0)
    rollout.tick(600.0)

    told = tell(rollout.rollout).deferred

    assert (told.devices, told.given_up, told.next_at, told.until_at) == (0, 1, None, None)


def test_why_tells_when_a_deferred_device_is_asked_again():
    rollout = hand(wave("first", A, B, max_unreachable_share=HALF), wave("rest", C))
    away(rollout, A)
    early = why(rollout.rollout, A, now=0.0).waits
    rollout.succeed(B, C)
    late = why(rollout.rollout, A, now=0.0).waits

    assert [(wait.what, wait.detail) for wait in early] == [
        ("deferred", "before the last wave has passed")
    ]
    assert [(wait.what, wait.until_at) for wait in late] == [
        ("deferred", 60.0), ("follow", 14 * DAY_S),
    ]  # fmt: skip
