"""Waves of a resolved plan (R1, R2, R3, R7): what is taken, what is left out, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import PlanError
from orchestrator.plan.model import Plan
from orchestrator.plan.order import in_order
from orchestrator.plan.resolved import Approval, Burst, DeadlineAction, Order, ResolvedPlan
from orchestrator.plan.survey import Surveyed

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
GATES = "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
FINE = Surveyed(reachable=True, device_type="pi4")


def sizes(resolved: ResolvedPlan) -> list[int]:
    return [len(wave.devices) for wave in resolved.waves]


def refused(resolve: Resolve, *arguments: object, **options: object) -> PlanError:
    with pytest.raises(PlanError) as caught:
        resolve(*arguments, **options)
    return caught.value


# R1: "N = eligible devices; excluded up front with a reason: incompatible, held, decommissioned,
# not enrolled. A device is in exactly one wave."
@pytest.mark.parametrize(
    ("answers", "expected", "reasons"),
    [
        ([None], [1], []),
        ([FINE], [1], []),
        ([FINE, FINE], [1, 1], []),
        ([FINE, Surveyed(reachable=True, enrolled=False)], [1], [Reason.NOT_ENROLLED]),
        ([FINE, Surveyed(reachable=True, device_type="pi3")], [1], [Reason.INCOMPATIBLE]),
        ([FINE, Surveyed(reachable=True)], [1], [Reason.INCOMPATIBLE]),
        ([FINE, Surveyed(reachable=False, reason=Reason.HELD)], [1], [Reason.HELD]),
        ([FINE, Surveyed(reachable=False, reason=Reason.HOST_KEY)], [1], [Reason.HOST_KEY]),
        ([FINE, Surveyed(reachable=True, reason=Reason.FENCED)], [1], [Reason.FENCED]),
        # who only does not answer keeps its place (R7)
        ([FINE, Surveyed(reachable=False, reason=Reason.UNREACHABLE)], [1, 1], []),
        ([FINE, Surveyed(reachable=False, reason=Reason.TIMEOUT)], [1, 1], []),
        # all offline: nobody is left out
        ([Surveyed(reachable=False, reason=Reason.TIMEOUT)] * 4, [1, 2, 1], []),
        # 50 % of the 4 that are left, not of the 6
        ([*[FINE] * 4, *[Surveyed(reachable=True, enrolled=False)] * 2], [1, 2, 1],
         [Reason.NOT_ENROLLED] * 2),
    ],
)  # fmt: skip
def test_r1_target_set_is_who_can_take_part(
    plan: Parse,
    resolve: Resolve,
    answers: list[Surveyed | None],
    expected: list[int],
    reasons: list[Reason],
) -> None:
    survey = {
        DeviceId(f"gw-{rank}"): answer for rank, answer in enumerate(answers) if answer is not None
    }

    resolved = resolve(plan("waves: [1, 50%, rest]\n" + GATES), len(answers), survey=survey)

    assert sizes(resolved) == expected
    assert [each.reason for each in resolved.skipped] == reasons
    placed = [device for wave in resolved.waves for device in wave.devices]
    assert sorted([*placed, *(each.device for each in resolved.skipped)]) == sorted(
        f"gw-{rank}" for rank in range(len(answers))
    )


LAB = "waves: [{name: lab, hosts: lab, size: 100%}, {name: canary, size: 50%}, rest]\n" + GATES


def test_claims_come_out_of_the_plan(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan(LAB), 10, claims={"lab": ["gw-3", "gw-4"]})

    assert sizes(resolved) == [2, 4, 4]
    assert set(resolved.waves[0].devices) == {"gw-3", "gw-4"}
    assert resolved.waves[0].hosts == "lab"
    assert resolved.waves[0].notes == ("claimed by its hosts `lab` before the other waves choose",)


def test_claimed_device_that_cannot_take_part_is_left_out(plan: Parse, resolve: Resolve) -> None:
    survey = {DeviceId("gw-3"): Surveyed(reachable=True, enrolled=False)}

    resolved = resolve(plan(LAB), 10, claims={"lab": ["gw-3", "gw-4"]}, survey=survey)

    assert sizes(resolved) == [1, 4, 4]


@pytest.mark.parametrize(
    ("waves", "claims", "code", "place", "words"),
    [
        (LAB, {"lab": []}, "P202", "p.yml:5:9", "wave `lab` has no device"),
        (LAB, {"lab": ["gw-1", "x-1"]}, "P214", "p.yml:5:28", "do not select: `x-1`"),
        (
            "waves: [{hosts: a, size: 100%}, {hosts: b, size: 1}, rest]\n" + GATES,
            {"wave-1": ["gw-1", "gw-2"], "wave-2": ["gw-2", "gw-3"]},
            "P213",
            "p.yml:5:41",
            "claims what wave `wave-1` claims already: `gw-2`",
        ),
        (
            "waves: [{hosts: a, size: 1}, {hosts: b, size: 100%}]\n" + GATES,
            {"wave-1": ["gw-1", "gw-2"], "wave-2": ["gw-3"]},
            "P201",
            "p.yml:5:30",
            "do not cover all devices: ",
        ),
        (
            "waves: [{hosts: a, size: 100%}, {size: 1, approval: {required: 2}}, rest]\n" + GATES,
            {"wave-1": ["gw-0", "gw-1", "gw-2", "gw-3"]},
            "",
            "",
            "",
        ),
        (
            "waves: [{hosts: a, size: 100%}, 1, {size: rest, approval: {required: 2}}]\n" + GATES,
            {"wave-1": ["gw-0", "gw-1", "gw-2"]},
            "P202",
            "p.yml:5:36",
            "wave `wave-3` has no device",
        ),
        (
            "waves: [1, {hosts: a, size: 100%}, rest]\n" + GATES,
            {"wave-2": ["gw-0", "gw-1", "gw-2", "gw-3"]},
            "P202",
            "p.yml:5:9",
            "wave `wave-1` has no device",
        ),
    ],
)
def test_waves_that_do_not_fit_are_refused(
    plan: Parse,
    resolve: Resolve,
    waves: str,
    claims: Mapping[str, list[str]],
    code: str,
    place: str,
    words: str,
) -> None:
    if not code:  # the first wave gives one device away, so the approval is asked for
        assert sizes(resolve(plan(waves), 4, claims=claims)) == [3, 1]
        return

    (found,) = refused(resolve, plan(waves), 4, claims=claims).diagnostics

    assert (found.code, str(found.where)) == (code, place)
    assert words in found.message


def test_order_is_the_one_that_is_written(plan: Parse, resolve: Resolve) -> None:
    def first(written: str) -> tuple[tuple[DeviceId, ...], str]:
        resolved = resolve(plan(f"{written}\nwaves: [rest]\n" + GATES), 4)
        return resolved.waves[0].devices, resolved.seed

    ids = [DeviceId(f"gw-{number}") for number in range(4)]
    assert first("order: inventory")[0] == tuple(ids)
    assert first("order: reverse_sorted")[0] == tuple(ids[::-1])
    assert first("sticky: true") == (in_order(ids, "gw"), "gw")
    assert first('release: "2.0"') == (in_order(ids, "gw:2.0"), "gw:2.0")
    assert first('order: {seed: "{{ x }}"}\nvars: {x: winter}') == (
        in_order(ids, "winter"),
        "winter",
    )


def test_sticky_canaries_stay_from_release_to_release(plan: Parse, resolve: Resolve) -> None:
    def canaries(written: str) -> list[tuple[DeviceId, ...]]:
        return [
            resolve(plan(f'{written}\nrelease: "{n}"\nwaves: [2, rest]\n' + GATES), 50)
            .waves[0]
            .devices
            for n in range(10)
        ]

    assert len(set(canaries("sticky: true"))) == 1
    assert len(set(canaries("sticky: false"))) == 10


def test_order_of_the_plan_is_recorded(plan: Parse, resolve: Resolve) -> None:
    text = "order: sorted\nsticky: true\nspread: [site]\nlate_joiners: append\nwaves: [rest]\n"

    resolved = resolve(plan(text + GATES), 4)

    assert (resolved.order, resolved.sticky, resolved.spread) == (Order.SORTED, True, ("site",))


def test_spread_gives_each_wave_its_share(plan: Parse, resolve: Resolve) -> None:
    devices = [
        Device(DeviceId(f"{site}-{number}"), Address("192.0.2.1"), {"site": site})
        for site, count in (("ber", 60), ("par", 30), ("lyo", 10))
        for number in range(count)
    ]

    resolved = resolve(plan("spread: [site]\nwaves: [10, 20, rest]\n" + GATES), devices=devices)

    shares = [
        {site: sum(device.startswith(site) for device in wave.devices) for site in ("ber", "par", "lyo")}
        for wave in resolved.waves
    ]  # fmt: skip
    assert shares == [
        {"ber": 6, "par": 3, "lyo": 1},
        {"ber": 12, "par": 6, "lyo": 2},
        {"ber": 42, "par": 21, "lyo": 7},
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("waves: [1, 20%, rest]", [1, 2, 7]),
        ("waves: [4, rest]", [4, 6]),
        ("backfill: false\nwaves: [4, rest]", [0, 0]),
        ("backfill: true\nwaves: [4, rest]", [4, 6]),
        ("backfill: {limit: 2}\nwaves: [4, rest]", [2, 2]),
        ("backfill: {limit: 5}\nwaves: [4, rest]", [4, 5]),
        ("waves: [{size: 4, backfill: {limit: 3}}, rest]", [3, 6]),
        ("waves: [{size: 4, backfill: {limit: 9}}, rest]", [4, 6]),
        ("waves: [{size: 4, backfill: false}, rest]", [0, 6]),
        ("backfill: false\nwaves: [{size: 4, backfill: true}, rest]", [4, 0]),
        ("waves: [{hosts: lab, size: 100%}, rest]", [0, 8]),
        ("backfill: true\nwaves: [{hosts: lab, size: 100%}, rest]", [0, 8]),
        ("waves: [{size: 1, cover: [kind]}, rest]", [2, 8]),  # grown by cover
    ],
)
def test_backfill_limits(plan: Parse, resolve: Resolve, written: str, expected: list[int]) -> None:
    devices = [
        Device(DeviceId(f"gw-{n}"), Address("192.0.2.1"), {"kind": "a" if n % 2 else "b"})
        for n in range(10)
    ]

    resolved = resolve(
        plan(written + "\n" + GATES), devices=devices, claims={"wave-1": ["gw-0", "gw-1"]}
    )

    assert [wave.backfill_limit for wave in resolved.waves] == expected


def test_own_keys_of_a_wave_come_along(plan: Parse, resolve: Resolve) -> None:
    first, second = resolve(
        plan(
            "waves: [{size: 1, approval: {required: 2}, deadline: {after: 2d, action: pause},"
            " window: {failures: 0, in: 5m}}, rest]\n" + GATES
        )
    ).waves

    assert (first.approval, first.window) == (Approval(2), Burst(0, 300.0))
    assert (first.deadline_s, first.deadline_action) == (2 * 86400.0, DeadlineAction.PAUSE)
    assert (second.approval, second.window, second.deadline_s) == (None, None, None)


def test_cover_is_told_with_names(plan: Parse, resolve: Resolve) -> None:
    devices = [
        Device(DeviceId(name), Address("192.0.2.1"), {"hardware": kind})
        for name, kind in (("a", "rev-a"), ("b", "rev-a"), ("c", "rev-b"))
    ]

    first = resolve(
        plan("order: inventory\nwaves: [{size: 1, cover: [hardware]}, rest]\n" + GATES),
        devices=devices,
    ).waves[0]

    assert first.devices == ("a", "c")
    assert first.notes == ("1 beyond its size, to cover each `hardware`: `rev-b` (c)",)


def test_all_problems_are_named_at_once(plan: Parse, resolve: Resolve) -> None:
    text = "spread: [sites]\nwaves: [{hosts: lab, size: 100%}, rest]\n"
    gate = 'gates: [{name: a, check: "{{ nope }}", success_when: result.exit == 0}]\n'

    error = refused(resolve, plan(text + gate), 4, claims={"wave-1": []})

    assert {each.code for each in error.diagnostics} == {"P210", "P202", "P215"}


def test_plan_is_the_same_whatever_the_order_of_the_inventory(
    plan: Parse, resolve: Resolve
) -> None:
    devices = [
        Device(DeviceId(f"gw-{n}"), Address("192.0.2.1"), {"kind": str(n % 3)}) for n in range(30)
    ]
    read = plan("spread: [kind]\nwaves: [{size: 2, cover: [kind]}, 29%, rest]\n" + GATES)

    one, other = resolve(read, devices=devices), resolve(read, devices=devices[::-1])

    assert one == replace(other, devices=one.devices)
