"""The rate of starts, and limits per value of a label."""

import dataclasses
import time

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import (
    OfflinePolicy,
    Rate,
    RateIncrease,
    ResolvedWave,
    Retries,
    Schedule,
    Window,
)
from orchestrator.rollout.events import Ask
from orchestrator.rollout.pacing import next_start_at, per_minute
from orchestrator.rollout.states import DeviceState, Pause, RolloutState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan
from tests.cost import slowness

A, B, C, D = device_ids(4)
GROWING = Rate(20, RateIncrease(2.0, 100, 200))


def hand(*, sites=None, **choices):
    waves = [ResolvedWave("all", "all", (A, B, C, D), slow_start=False, max_fail_share=1)]
    waves[0] = dataclasses.replace(waves[0], max_unreachable_share=1)
    plan = make_plan(waves, retries=Retries(count=0), **choices)
    labelled = {
        device: dataclasses.replace(plan.devices[device], labels={"site": site} if site else {})
        for device, site in zip((A, B, C, D), sites or ("",) * 4, strict=True)
    }
    return Hand(dataclasses.replace(plan, devices=labelled))


@pytest.mark.parametrize(
    ("successes", "rate"),
    [(0, 20), (99, 20), (100, 40), (199, 40), (200, 80), (300, 160), (400, 200), (10**9, 200)],
)
def test_only_successes_speed_a_rate_up(successes, rate):
    assert per_minute(GROWING, successes) == rate


def test_a_rate_without_growth_stays():
    assert per_minute(Rate(7), 10**6) == 7


def test_the_first_start_and_starts_without_a_rate_do_not_wait():
    assert next_start_at(None, 5.0, 0) is None
    assert next_start_at(GROWING, None, 0) is None


def test_starts_keep_their_distance():
    rollout = hand(rate=Rate(6))  # every ten seconds
    started = [(0.0, rollout.states().count("transferring"))]
    for at in (9.0, 10.0, 19.0, 20.0):
        rollout.tick(at)
        started.append((at, rollout.states().count("transferring")))

    assert started == [(0.0, 1), (9.0, 1), (10.0, 2), (19.0, 2), (20.0, 3)]


def test_the_distance_holds_over_a_restart():
    rollout = hand(rate=Rate(6))

    rollout.restart()
    rollout.tick(9.0)
    early = rollout.states().count("transferring")
    rollout.tick(10.0)

    assert early == 1
    assert rollout.states().count("transferring") == 2


def test_at_most_so_many_devices_of_a_site_are_at_work():
    rollout = hand(sites=("a", "a", "a", "b"), max_parallel_per={"site": 2})
    first = rollout.states()

    rollout.succeed(A)

    assert first == ["transferring", "transferring", "pending", "transferring"]
    assert rollout.state(C) is DeviceState.TRANSFERRING


def test_devices_without_the_label_are_not_limited_by_it():
    rollout = hand(max_parallel_per={"site": 1})

    assert rollout.states() == ["transferring"] * 4


def test_limits_of_several_labels_hold_together():
    rollout = hand(sites=("a", "b", "a", "c"), max_parallel_per={"site": 1, "rack": 1})
    ledger = rollout.rollout.ledger

    assert rollout.states() == ["transferring", "transferring", "pending", "transferring"]
    assert ledger.slots.full(C) == ("site", "a")
    assert ledger.slots.full(D) == ("site", "c")


def test_devices_whose_slots_become_free_at_once_go_on_in_the_order_of_the_plan():
    labels = ({"site": "x", "rack": "1"}, {"site": "x"}, {"rack": "1"}, {})
    wave = ResolvedWave("all", "all", (A, B, C, D), slow_start=False)
    plan = make_plan([wave], max_parallel_per={"site": 1, "rack": 1}, rate=Rate(60))
    plan = dataclasses.replace(
        plan,
        devices={
            device: dataclasses.replace(plan.devices[device], labels=own)
            for device, own in zip((A, B, C, D), labels, strict=True)
        },
    )
    rollout = Hand(plan)
    rollout.tick(1.0)
    rollout.succeed(A)
    started = [device for device in (B, C, D) if rollout.state(device) is not DeviceState.PENDING]
    rollout.tick(2.0)

    assert started == [D]  # it passed them, as they waited for a slot
    assert (rollout.state(B), rollout.state(C)) == (DeviceState.TRANSFERRING, DeviceState.PENDING)


def test_devices_that_are_down_use_up_the_slots_of_their_site():
    rollout = hand(sites=("a", "a", "a", "b"), max_parallel_per={"site": 2})

    rollout.report(A, Reason.UNREACHABLE, reached=False)  # deferred: it is down
    one_down = rollout.states()
    rollout.succeed(B)

    assert one_down == ["deferred", "transferring", "pending", "transferring"]
    assert rollout.state(C) is DeviceState.TRANSFERRING  # the other slot


def test_a_site_whose_slots_are_all_down_pauses_the_rollout():
    rollout = hand(sites=("a", "a", "a", "b"), max_parallel_per={"site": 2})
    for device in (A, B):
        rollout.report(device, Reason.UNREACHABLE, reached=False)
    rollout.succeed(D)
    causes = dict(rollout.rollout.ledger.causes)

    rollout.ask(Ask.RESUME)  # tries those that were away again

    assert causes == {Pause.SLOTS.value: "all slots of site `a` are taken by devices that are down"}
    assert rollout.rollout.state is RolloutState.RUNNING
    assert rollout.states()[:3].count("transferring") == 2


def test_resuming_gets_past_devices_of_a_site_that_stay_down():
    """They use up its slots as long as they are known to be down; a person asks them anew."""
    rollout = labelled(*({"site": "a"} for _ in range(4)), limits={"site": 2}, offline="defer")
    down, pauses = {A, B}, 0
    while rollout.rollout.state is not RolloutState.CATCHING_UP and pauses < 9:
        if rollout.rollout.state is RolloutState.PAUSED:
            pauses += 1
            rollout.ask(Ask.RESUME)
        at_work = list(rollout.wanted())
        assert len(at_work) <= 2
        for device in at_work:
            if device in down:
                rollout.report(device, Reason.UNREACHABLE, reached=False)
            else:
                rollout.succeed(device)

    assert pauses == 1
    assert rollout.states() == ["deferred", "deferred", "succeeded", "succeeded"]


@pytest.mark.parametrize(
    ("down", "starts"),
    [
        ((), 2),  # max_parallel_per: {site: 2}
        ((A,), 1),
        ((A, B), 0),  # they use up all that the site has
    ],
)
def test_devices_that_are_down_leave_so_many_slots(down, starts):
    rollout = labelled(*({"site": "a"} for _ in range(6)), limits={"site": 2})
    for device in (A, B):
        if device in down:
            rollout.report(device, Reason.UNREACHABLE, reached=False)
        else:
            rollout.succeed(device)

    assert rollout.states().count("transferring") == starts


def test_a_site_that_is_down_beside_devices_outside_their_hours_waits_for_those():
    hours = Schedule(windows=(Window(("thu",), "00:00", 60.0, "UTC"),))
    rollout = hand(sites=("a", "a", "b", "b"), max_parallel_per={"site": 1}, schedule=hours)
    rollout.report(A, Reason.UNREACHABLE, reached=False)
    rollout.tick(60.0)

    rollout.succeed(C)

    assert rollout.states() == ["deferred", "pending", "succeeded", "pending"]
    assert rollout.rollout.is_waiting
    assert rollout.rollout.next_wakeup == 7 * 86400.0


def test_slots_are_counted_anew_after_a_restart():
    rollout = hand(sites=("a", "a", "a", "b"), max_parallel_per={"site": 2})

    rollout.restart()

    assert rollout.states() == ["transferring", "transferring", "pending", "transferring"]
    rollout.succeed(A)
    assert rollout.state(C) is DeviceState.TRANSFERRING


def labelled(*labels, limits, offline=OfflinePolicy.WAIT, **choices):
    devices = device_ids(len(labels))
    choices = {"slow_start": False, "max_fail_share": 1, "max_unreachable_share": 1} | choices
    waves = [ResolvedWave("all", "all", devices, **choices)]
    times = {"retries": Retries(count=0), "offline": OfflinePolicy(offline)}
    plan = make_plan(waves, max_parallel_per=limits, **times)
    named = {
        device: dataclasses.replace(plan.devices[device], labels=of_it)
        for device, of_it in zip(devices, labels, strict=True)
    }
    return Hand(dataclasses.replace(plan, devices=named))


def test_who_finds_another_label_full_passes_its_slot_on():
    rollout = labelled(
        {"site": "a", "rack": "1"},
        {"site": "a", "rack": "2"},
        {"site": "a", "rack": "1"},
        {"site": "b", "rack": "2"},
        limits={"site": 1, "rack": 1},
    )
    first = rollout.states()

    rollout.succeed(A)

    assert first == ["transferring", "pending", "pending", "transferring"]
    assert rollout.states() == ["succeeded", "pending", "transferring", "transferring"]
    rollout.succeed(D)
    rollout.succeed(C)
    assert rollout.state(B) is DeviceState.TRANSFERRING


def test_one_that_was_down_itself_starts_though_others_that_are_down_keep_the_rest_waiting():
    rollout = labelled(*({"site": "a"} for _ in range(4)), limits={"site": 2})
    rollout.report(B, Reason.INHIBITED)
    rollout.tick(60.0)  # it is asked again; A and C are at work
    asked = rollout.states()

    rollout.report(A, Reason.UNREACHABLE, reached=False)

    assert asked == ["transferring", "queued", "transferring", "pending"]
    assert rollout.states() == ["deferred", "transferring", "transferring", "pending"]


def test_a_freed_slot_costs_the_same_however_many_wait_for_it():
    """The bound is loose (it takes a fortieth of this); it catches work per device that waits."""
    rollout = labelled(*({"site": "a"} for _ in range(10_000)), limits={"site": 1})
    took_s = 0.0
    slow = slowness()
    for _ in range(20):
        [device] = rollout.wanted()
        rollout.activate(device)
        rollout.prove(device)
        before = time.process_time()
        rollout.report(device)
        took_s += time.process_time() - before

    assert took_s / slow / 20 < 0.004
