from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest

from orchestrator.device.model import Address, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.difference import SECTIONS, Change, Difference, Place, Section, difference
from orchestrator.plan.digest import digest, from_document, to_document
from orchestrator.plan.resolved import (
    Approval,
    Burst,
    Freeze,
    Gate,
    Hook,
    HookEvent,
    PlannedCommit,
    PlannedOpening,
    PlannedTicket,
    PlannedTrust,
    Probe,
    ProbeKind,
    Rate,
    Requirement,
    ResolvedPlan,
    ResolvedWave,
    Risk,
    Schedule,
    Skipped,
    Stage,
    Window,
)
from orchestrator.testing.plans import device_ids, make_plan

IDS = device_ids(5)
GATE = Gate(
    "ok", Stage.DEVICE, Probe(ProbeKind.CHECK, check="svc"), success_when="result.exit == 0"
)


def full() -> ResolvedPlan:
    """A plan in which nearly every part has something."""
    plan = make_plan(
        [
            ResolvedWave("canary", "1", IDS[:1], soak_s=60.0, window=Burst(1, 60.0), notes=("a",)),
            ResolvedWave("rest", "rest", IDS[1:4], approval=Approval(2, ("ops",))),
        ]
    )
    ticket = PlannedTicket(
        "0" * 64, "1" * 64, "acme", 1, 2e9, 7, ("sim",), (PlannedOpening(20, 1e9),)
    )
    trust = PlannedTrust(1, "acme", 0, 0, ("rsa",))
    return replace(
        plan,
        artifact=replace(plan.artifact, ticket=ticket),
        devices={
            name: replace(one, labels={"site": "ber"}, current="gw-1", trust=trust)
            for name, one in plan.devices.items()
        },
        skipped=(Skipped(IDS[4], Reason.HELD, "since yesterday"),),
        gates=(GATE, replace(GATE, name="more", probes={IDS[0]: GATE.probe})),
        schedule=Schedule(
            windows=(Window(("mon",), "01:00", 3600.0, "UTC"),), freezes=(Freeze(5.0, 6.0, "x"),)
        ),
        rate=Rate(5),
        max_parallel_per={"site": 2},
        requires=(Requirement("modem"),),
        hooks=(Hook((HookEvent.HALTED,), email="ops@example.org"),),
        approval=Approval(),
        commit=PlannedCommit("c" * 40, "ann", "SHA256:x"),
        risks=(Risk("P903", "slow start is off", 3),),
    )


def leaves(document: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from leaves(value, (*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from leaves(value, (*path, index))
    else:
        yield path


def other(value: object) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case _:
            return None


def mutated(path: tuple[str | int, ...]) -> ResolvedPlan | None:
    """The full plan with one value changed; None where no plan can have that."""
    document = copy.deepcopy(to_document(full()))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = other(place[path[-1]])
    try:
        return from_document(ResolvedPlan, document)
    except (ValueError, KeyError, TypeError):
        return None


def test_no_change_of_any_value_is_missed() -> None:
    plan, tried = full(), 0
    for path in leaves(to_document(plan)):
        changed = mutated(path)
        if changed is None or changed == plan:
            continue
        tried += 1
        assert difference(plan, changed).is_none == (digest(plan) == digest(changed)), path
    assert tried > 150


def test_each_field_of_a_plan_stands_in_a_section() -> None:
    assert set(SECTIONS) == {one.name for one in fields(ResolvedPlan)} - {"made_at"}


def test_when_a_plan_was_made_is_no_difference() -> None:
    assert difference(full(), replace(full(), made_at=7.0)).is_none


def placed(*waves: tuple[DeviceId, ...], **left_out: Reason) -> ResolvedPlan:
    plan = make_plan([ResolvedWave(f"w{n}", "1", devices) for n, devices in enumerate(waves)])
    skipped = tuple(Skipped(DeviceId(name), reason) for name, reason in left_out.items())
    return replace(plan, skipped=skipped)


def test_devices_come_go_and_move() -> None:
    a, b, c, d, _ = IDS
    before = placed((a,), (b, c), e=Reason.HELD)
    after = placed((a, c), (d, DeviceId("e")), **{b: Reason.INCOMPATIBLE})

    found = difference(before, after)

    assert {move.device: (move.before, move.after) for move in found.moves} == {
        b: (Place("w1"), Place(reason="incompatible")),
        c: (Place("w1"), Place("w0")),
        d: (Place(), Place("w1")),
        "e": (Place(reason="held"), Place("w1")),
    }
    assert not found.same_canary
    assert found.reordered == ()


def test_devices_that_follow_in_another_order_are_told_by_their_wave() -> None:
    a, b, c, d, e = IDS

    found = difference(placed((a,), (b, c, d)), placed((a,), (c, e, b, d)))

    assert found.reordered == ("w1",)
    assert [move.device for move in found.moves] == [e]
    assert found.same_canary


def test_what_devices_run_now_is_told_of_all_alike_together() -> None:
    plan = full()
    devices = {
        name: replace(one, current="gw-2" if name in IDS[1:3] else one.current)
        for name, one in plan.devices.items()
    }

    (change,) = difference(plan, replace(plan, devices=devices)).changes

    assert change == Change(Section.DEVICES, ("current",), "gw-1", "gw-2", IDS[1:3])


def changes(**changed: object) -> list[tuple[str, object, object]]:
    found: Difference = difference(full(), replace(full(), **changed))
    return [(".".join(each.path), each.before, each.after) for each in found.changes]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"release": "1.1"}, [("release", "1", "1.1")]),
        ({"max_parallel_per": {"site": 2, "rack": 1}}, [("max_parallel_per.rack", None, 1)]),
        ({"rate": None}, [("rate", {"per_minute": 5, "increase": None}, None)]),
        ({"spread": ("site",)}, [("spread", [], ["site"])]),
        ({"gates": full().gates[1:]}, [("gates.ok", to_document(GATE), None)]),
        ({"gates": full().gates[::-1]}, [("gates.order", ["ok", "more"], ["more", "ok"])]),
        ({"gates": (replace(GATE, count=3), full().gates[1])}, [("gates.ok.count", 1, 3)]),
        (
            {"waves": (replace(full().waves[0], soak_s=90.0), full().waves[1])},
            [("waves.canary.soak_s", 60.0, 90.0)],
        ),
        (
            {"risks": (Risk("P901", "no gate"),)},
            [
                ("risks", {"code": "P903", "message": "slow start is off", "line": 3}, None),
                ("risks", None, {"code": "P901", "message": "no gate", "line": 0}),
            ],
        ),
        (
            {"hooks": (full().hooks[0], full().hooks[0])},
            [("hooks", None, to_document(full().hooks[0]))],
        ),
    ],
)
def test_values_are_told_by_where_they_stand(changed, told) -> None:
    assert changes(**changed) == told


def test_an_address_that_changed_is_told_of_its_device() -> None:
    plan = full()
    devices = {**plan.devices, IDS[0]: replace(plan.devices[IDS[0]], address=Address("192.0.2.9"))}

    found = difference(plan, replace(plan, devices=devices))

    assert [(each.path, each.devices) for each in found.changes] == [(("address", "host"), IDS[:1])]


def test_order_of_things_without_names_is_told_by_their_numbers() -> None:
    two = (Requirement("modem"), Requirement("radio"))

    (change,) = difference(
        replace(full(), requires=two), replace(full(), requires=two[::-1])
    ).changes

    assert (change.path, change.before, change.after) == (
        ("requires", "order"), ["1", "2"], ["2", "1"],
    )  # fmt: skip
