from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.difference import Since, difference
from orchestrator.plan.digest import digest
from orchestrator.plan.preview import preview
from orchestrator.plan.resolved import (
    Approval,
    Budget,
    ResolvedPlan,
    Risk,
    Schedule,
    Skipped,
    Window,
)
from orchestrator.render.preview import text
from orchestrator.render.since import CHANGES_MAX, MOVES_MAX, since_document, since_lines
from orchestrator.render.text import Look, cells
from tests.unit.render.test_preview import LOOKS, PAINT

OLD = "0d" * 32
NEW = "e1" * 32


def earlier(plan: ResolvedPlan) -> ResolvedPlan:
    """What the plan of the other tests may have been before."""
    canary, early, rest = plan.waves
    first, *others = rest.devices
    waves = (
        replace(canary, soak_s=1800.0),
        replace(early, devices=(*early.devices[::-1], first), max_fail_share=Fraction(1, 10)),
        replace(rest, devices=tuple(others[:-3])),
    )
    known = [device for wave in waves for device in wave.devices]
    devices = {name: plan.devices[name] for name in known}
    devices[first] = replace(plan.devices[first], current="gateway-1.4.0")
    gone = DeviceId("gw-101")
    devices[gone] = devices[first]
    waves = (*waves[:2], replace(waves[2], devices=(*waves[2].devices, gone)))
    return replace(
        plan,
        release="1.4.1",
        artifact=replace(
            plan.artifact, name="gateway-1.4.1", sha256="8" * 64, size_bytes=7_000_000
        ),
        waves=waves,
        devices=devices,
        skipped=(Skipped(others[-1], Reason.HELD, "failed"), plan.skipped[2]),
        gates=(replace(plan.gates[0], count=3), replace(plan.gates[0], name="no alerts")),
        schedule=Schedule(windows=(Window(("mon",), "01:00", 3600.0, "UTC"),)),
        budget=Budget(3),
        approval=Approval(2, ("ops",)),
        risks=(Risk("P903", "without slow start a bad release reaches many devices"),),
    )


def since(before: ResolvedPlan, after: ResolvedPlan) -> Since:
    return Since("gw.plan", OLD, difference(before, after))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("kind", LOOKS)
def test_what_changed_since_a_review(plan, width: int, kind: str, golden) -> None:
    look = replace(LOOKS[kind], width=width)

    lines = since_lines(since(earlier(plan), plan), NEW, look)

    golden(f"since-{width}{kind}.txt", "\n".join(lines) + "\n")
    assert all(cells(PAINT.sub("", line)) <= width for line in lines)
    assert look.unicode or "".join(lines).isascii()


def test_a_preview_says_it_before_its_risks(plan) -> None:
    shown = text(preview(plan), NEW, Look(), since=since(earlier(plan), plan))

    assert shown.index("\nSkipped\n") < shown.index("\nSince  ") < shown.index("\n! P905 ")


def test_an_equal_digest_carries_the_review_over(plan) -> None:
    same = Since("gw.plan", digest(plan), difference(plan, plan))

    shown = since_lines(same, digest(plan), Look(200))

    assert shown[0].endswith("nothing has changed, the digest is the same; its review carries over")
    assert since_document(same, digest(plan))["same"] is True


def test_a_canary_that_is_another_one_is_told(plan) -> None:
    canary, early, *rest = plan.waves
    swapped = (
        replace(canary, devices=early.devices[:1]),
        replace(early, devices=(*canary.devices, *early.devices[1:])),
        *rest,
    )

    lines = since_lines(since(plan, replace(plan, waves=swapped)), NEW, Look(120))

    assert lines[0].endswith("2 devices moved; the canary is another one")


def test_as_data_each_device_and_value_is_there(plan) -> None:
    found = since_document(since(earlier(plan), plan), NEW)

    kinds = {each["device"]: each["change"] for each in found["devices"]}
    assert kinds == {
        "gw-008": "moved", "gw-022": "in", "gw-023": "in", "gw-024": "in", "gw-101": "out",
        "gw-102": "left_out",
    }  # fmt: skip
    assert {
        "section": "waves", "path": ["waves", "canary", "soak_s"], "before": 1800.0, "after": 5.0,
        "devices": [],
    } in found["changes"]  # fmt: skip
    assert found["reordered"] == ["early"]


def test_in_ascii_and_without_control_characters_of_others(plan) -> None:
    evil = "\x1b[2J\u202e"
    hostile = replace(plan, release=evil, risks=(Risk(evil, evil),))

    shown = "\n".join(since_lines(since(plan, hostile), NEW, Look(80, unicode=False)))

    assert shown.isascii()
    assert "\x1b" not in shown


def test_many_changes_are_counted(plan_of) -> None:
    plan = plan_of([f"n-{i}" for i in range(3000)], (1, 999, 2000))
    devices = {
        name: replace(one, current=f"v-{index % 50}", labels={"site": "x"})
        for index, (name, one) in enumerate(plan.devices.items())
    }
    reasons = [reason for reason in Reason if reason is not Reason.OK]
    left_out = tuple(Skipped(DeviceId(f"x-{reason}"), reason) for reason in reasons)
    other = replace(plan, devices=devices, skipped=left_out)

    lines = since_lines(since(plan, other), NEW, Look(80))

    assert len(lines) < 2 * (CHANGES_MAX + MOVES_MAX) + 10
    assert any("more changes, all of them with `--format json`" in line for line in lines)
    assert any("more devices, all of them with" in line for line in lines)


def test_the_same_change_of_several_waves_is_one_line(plan) -> None:
    waves = tuple(replace(wave, soak_s=60.0, max_parallel=7) for wave in plan.waves)

    lines = since_lines(since(plan, replace(plan, waves=waves)), NEW, Look(120))

    assert [line.strip() for line in lines[1:]] == [
        "waves    canary, early: soak 5s → 1m",
        "canary, early, rest: max parallel 50 → 7",
        "rest: soak 0s → 1m",
    ]
