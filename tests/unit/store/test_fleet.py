"""What the store knows of a fleet, from many rollouts at once; and what that costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from orchestrator.device.model import Address, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.engine.ports import Changes
from orchestrator.plan.digest import to_json
from orchestrator.plan.resolved import PlannedDevice, ResolvedPlan, ResolvedWave, Skipped
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.sightings import Standing
from orchestrator.store import fleet
from orchestrator.store.sql import SqlStore, open_store
from orchestrator.testing.plans import SimulatedArtifact, make_plan
from tests.cost import spending

A, B, C = (DeviceId(name) for name in "abc")
OLD, NEW = SimulatedArtifact.of("app-1"), SimulatedArtifact.of("app-2")


async def stored(
    store: SqlStore,
    rollout_id: str,
    plan: ResolvedPlan,
    rows: Mapping[DeviceId, object],
    at: float,
    *,
    epoch: int = 0,
) -> None:
    """A rollout that was written to last at that time, by an engine of that epoch."""
    entry = JournalEntry(1, at, "rollout_started")
    row = {"state": "succeeded", "epoch": epoch}
    await store.create(rollout_id, to_json(plan), Changes(row, rows, (entry,)))


def plan_of(artifact: SimulatedArtifact, *devices: DeviceId, **choices: object) -> ResolvedPlan:
    return make_plan([ResolvedWave("all", "rest", devices)], artifact=artifact, **choices)


def updated(at: float) -> dict[str, object]:
    return {"state": "succeeded", "since": at, "moved": True}


async def test_last_rollout_that_changed_a_device_tells_what_it_left(store) -> None:
    await stored(store, "r-1", plan_of(OLD, A, B), {A: updated(10.0), B: updated(11.0)}, 20.0)
    rows = {A: updated(30.0), B: {"state": "cancelled", "since": 31.0}}
    await stored(store, "r-2", plan_of(NEW, A, B), rows, 40.0)

    found = await store.remembered("main", [A, B, C])

    lefts = {device: known.left for device, known in found.devices.items()}
    assert lefts[A] is not None
    assert (lefts[A].rollout_id, lefts[A].at) == ("r-2", 30.0)
    assert lefts[B] is not None
    assert (lefts[B].rollout_id, lefts[B].at) == ("r-1", 11.0)
    assert lefts[C] is None
    assert found.names == {NEW.manifest_sha256: "app-2", OLD.manifest_sha256: "app-1"}


async def test_older_rollout_that_was_taken_back_later_is_the_last_one(store) -> None:
    await stored(store, "r-2", plan_of(NEW, A), {A: updated(30.0)}, 30.0)
    back = {"state": "rolled_back", "since": 50.0, "touched": True, "previous": "none"}
    await stored(store, "r-1", plan_of(OLD, A), {A: back}, 50.0)

    found = await store.remembered("main", [A])

    left = found.devices[A].left
    assert left is not None
    assert (left.rollout_id, left.standing, left.manifest) == ("r-1", Standing.PROVEN, "")


async def test_what_was_left_is_not_known_where_a_clock_was_set_back(store) -> None:
    """The rollout that was driven last has the earlier time."""
    await stored(store, "r-1", plan_of(OLD, A, B), {A: updated(90.0)}, 95.0, epoch=1)
    rows = {A: updated(30.0), B: updated(31.0)}
    await stored(store, "r-2", plan_of(NEW, A, B), rows, 40.0, epoch=2)

    found = await store.remembered("main", [A, B])

    lefts = [found.devices[device].left for device in (A, B)]
    assert [None if left is None else left.standing for left in lefts] == [
        Standing.UNKNOWN, Standing.PROVEN,
    ]  # fmt: skip


async def test_plan_of_a_rollout_that_nobody_has_driven_yet_is_the_newest_look(store) -> None:
    await stored(store, "r-1", plan_of(OLD, A), {A: updated(30.0)}, 40.0, epoch=7)
    seen = PlannedDevice(Address("192.0.2.1"), {}, "odd", "e" * 64)
    waiting = replace(plan_of(NEW, A, made_at=50.0), devices={A: seen})
    await stored(store, "r-2", waiting, {A: {"state": "pending"}}, 51.0)

    known = (await store.remembered("main", [A])).devices[A]

    assert known.left is not None
    assert known.left.rollout_id == "r-1"
    assert known.seen is not None
    assert (known.seen.at, known.seen.artifact) == (50.0, "odd")


async def test_rollouts_of_other_components_say_nothing(store) -> None:
    await stored(store, "r-1", plan_of(OLD, A, component="modem"), {A: updated(10.0)}, 20.0)

    assert (await store.remembered("main", [A])).devices[A].left is None
    assert (await store.remembered("modem", [A])).devices[A].left is not None


async def test_newest_of_each_plan_tells_whom_it_left_out(store) -> None:
    old = Skipped(B, Reason.OLD_HELPER, "too old")
    await stored(store, "r-1", plan_of(OLD, A, skipped=(old,)), {A: updated(10.0)}, 20.0)
    other = plan_of(NEW, A, name="other", made_at=25.0)
    await stored(store, "r-2", other, {A: updated(30.0)}, 40.0)

    found = await store.remembered("main", [A, B])

    trouble = found.devices[B].trouble
    assert trouble is not None
    assert trouble.reason is Reason.OLD_HELPER


@pytest.mark.parametrize("few", [0, 500])
async def test_many_devices_and_few_are_found_alike(store, monkeypatch, few) -> None:
    monkeypatch.setattr(fleet, "FEW", few)
    await stored(store, "r-1", plan_of(OLD, A, B), {A: updated(10.0), B: updated(11.0)}, 20.0)

    found = await store.remembered("main", [A])

    assert set(found.devices) == {A}
    assert found.devices[A].left is not None


async def test_held_devices_are_known_with_the_reason_that_weighs_most(store) -> None:
    failed = {"state": "failed", "reason": "check_failed", "since": 7.0}
    stuck = {"state": "rollback_failed", "since": 8.0}
    await stored(store, "r-1", plan_of(OLD, A, B), {}, 1.0)
    lease = await store.acquire("r-1", "me", ttl_s=15, now=1.0)
    entry = JournalEntry(2, 8.0, "device_state")
    await store.commit(lease, [Changes({"state": "failed"}, {A: failed, B: stuck}, (entry,))])

    held = (await store.remembered("main", [A, B])).held

    assert (held[A].why, held[A].everywhere) == ("failed (check_failed)", False)
    assert held[B].everywhere


async def test_the_server_knows_the_same(postgres_url) -> None:
    store = await open_store(postgres_url)
    try:
        failed = {"state": "failed", "reason": "check_failed", "since": 12.0}
        rows = {A: updated(10.0), B: failed}
        await stored(store, "r-1", plan_of(OLD, A, B), rows, 20.0)
        lease = await store.acquire("r-1", "me", ttl_s=15, now=time.time())
        await store.commit(
            lease, [Changes({"state": "failed"}, {B: failed}, (JournalEntry(2, 20.0, "x"),))]
        )

        found = await store.remembered("main", [A, B, C])
    finally:
        await store.close()

    left = found.devices[A].left
    assert left is not None
    assert (left.rollout_id, left.at) == ("r-1", 10.0)
    assert list(found.held) == [B]


async def test_thousands_of_devices_cost_little(store) -> None:
    names = [DeviceId(f"gw-{number:05}") for number in range(2_000)]
    seen = PlannedDevice(Address("192.0.2.1"), {"site": "berlin"}, OLD.name, OLD.manifest_sha256)
    for count, artifact in enumerate((OLD, NEW)):
        at = 100.0 * count
        plan = plan_of(artifact, *names, made_at=at)
        plan.devices.update(dict.fromkeys(names, seen))  # type: ignore[attr-defined]
        rows = {name: updated(at + 1) for name in names[: 2_000 - 500 * count]}
        await stored(store, f"r-{count}", plan, rows, at + 50)

    with spending() as cost:
        found = await store.remembered("main", [*names, DeviceId("never-seen")])

    assert cost.cpu_s < 0.5
    assert sum(known.left is not None for known in found.devices.values()) == 2_000
