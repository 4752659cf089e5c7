"""Late joiners (R1): who joins, where, and what that changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.digest import digest
from orchestrator.plan.joiners import (
    amended,
    joiner_of,
    joiner_row,
    joiners,
    target_set_digest,
)
from orchestrator.plan.model import Plan
from orchestrator.plan.order import in_order
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.survey import Surveyed

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
Fleet = Callable[[int], list[Device]]
GATES = "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
APPEND = "late_joiners: append\nwaves: [1, 25%, rest]\n" + GATES


def test_joiners_are_ignored_unless_asked_for(plan: Parse, resolve: Resolve) -> None:
    read = plan("waves: [1, rest]\n" + GATES)

    assert joiners(resolve(read, 4), resolve(read, 6)) == {}


@pytest.mark.parametrize(
    ("before_count", "after_count", "sizes"),
    [
        (8, 9, [1, 2, 6]),
        (8, 16, [1, 2, 13]),  # shares stay those of the plan as it was made
        (1, 2, [2]),  # the first wave is the last one here
        (2, 3, [1, 2]),
        (4, 104, [1, 1, 102]),
    ],
)
def test_joiners_stand_in_the_last_wave(
    plan: Parse, resolve: Resolve, before_count: int, after_count: int, sizes: list[int]
) -> None:
    running, fresh = resolve(plan(APPEND), before_count), resolve(plan(APPEND), after_count)

    found = joiners(running, fresh)
    grown = amended(running, found)

    assert [len(wave.devices) for wave in grown.waves] == sizes
    assert len(found) == after_count - before_count
    assert grown.waves[-1].devices[-len(found) :] == tuple(found)
    assert grown.waves[:-1] == running.waves[:-1]


def test_joiners_keep_the_order_of_the_plan(plan: Parse, resolve: Resolve) -> None:
    running, fresh = resolve(plan(APPEND), 5), resolve(plan(APPEND), 9)

    new = [DeviceId(f"gw-{number}") for number in range(5, 9)]
    assert tuple(joiners(running, fresh)) == in_order(new, running.seed)


def test_nobody_new_amends_nothing(plan: Parse, resolve: Resolve) -> None:
    running = resolve(plan(APPEND), 8)

    assert joiners(running, resolve(plan(APPEND), 8)) == {}
    assert joiners(running, resolve(plan(APPEND), 3)) == {}  # devices that went away stay
    assert amended(running, {}) is running


def test_joiner_joins_once(plan: Parse, resolve: Resolve) -> None:
    running, fresh = resolve(plan(APPEND), 4), resolve(plan(APPEND), 5)

    found = joiners(running, fresh)
    grown = amended(running, found)

    assert joiners(grown, fresh) == {}
    assert amended(grown, found) is grown


def test_device_that_was_left_out_joins_once_it_can(plan: Parse, resolve: Resolve) -> None:
    survey = {DeviceId("gw-3"): Surveyed(reachable=True, enrolled=False)}
    running = resolve(plan(APPEND), 8, survey=survey)

    found = joiners(running, resolve(plan(APPEND), 8))

    assert [each.reason for each in running.skipped] == [Reason.NOT_ENROLLED]
    assert tuple(found) == ("gw-3",)
    assert amended(running, found).skipped == ()


def test_device_that_still_cannot_take_part_does_not_join(plan: Parse, resolve: Resolve) -> None:
    survey = {DeviceId("gw-3"): Surveyed(reachable=True, enrolled=False)}
    running, fresh = (resolve(plan(APPEND), 8, survey=survey) for _ in range(2))

    assert joiners(running, fresh) == {}


def test_amendment_has_another_target_set_and_another_digest(plan: Parse, resolve: Resolve) -> None:
    running, fresh = resolve(plan(APPEND), 4), resolve(plan(APPEND), 5)

    grown = amended(running, joiners(running, fresh))

    assert target_set_digest(grown) != target_set_digest(running)
    assert digest(grown) != digest(running)


def test_target_set_is_waves_and_devices_only(plan: Parse, resolve: Resolve) -> None:
    first = resolve(plan("soak: 1h\n" + APPEND), 4)
    second = resolve(plan("soak: 2h\n" + APPEND), 4)
    turned = resolve(plan("late_joiners: append\nwaves: [2, 25%, rest]\n" + GATES), 4)

    assert target_set_digest(first) == target_set_digest(second)
    assert target_set_digest(first) != target_set_digest(turned)


def test_joiner_has_its_own_probe(plan: Parse, resolve: Resolve) -> None:
    gate = 'gates: [{name: ok, check: "svc-{{ site }}", success_when: result.exit == 0}]\n'
    read = plan("late_joiners: append\nwaves: [rest]\n" + gate)
    running = resolve(read, 2)

    grown = amended(running, joiners(running, resolve(read, 3)))

    assert grown.gates[0].probes[DeviceId("gw-2")].check == "svc-s2"


def test_joiner_is_read_back_from_its_row(plan: Parse, resolve: Resolve) -> None:
    gate = 'gates: [{name: ok, check: "svc-{{ site }}", success_when: result.exit == 0}]\n'
    read = plan("late_joiners: append\nwaves: [rest]\n" + gate)

    (joiner,) = joiners(resolve(read, 2), resolve(read, 3)).values()

    assert joiner_of(json.loads(json.dumps(joiner_row(joiner)))) == joiner


def test_row_of_another_version_is_refused() -> None:
    with pytest.raises((ValueError, TypeError)):
        joiner_of({"device": {}, "odd": 1})


def test_another_plan_amends_nothing(plan: Parse, resolve: Resolve) -> None:
    running = resolve(plan(APPEND), 2)

    with pytest.raises(AssertionError):
        joiners(running, replace(running, plan_sha256="c" * 64))
