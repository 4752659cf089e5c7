"""What rollouts tell of devices: what each left there, and what was last seen, with times."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.device.model import Address, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.digest import to_json
from orchestrator.plan.resolved import PlannedDevice, ResolvedWave, Skipped
from orchestrator.rollout.sightings import Seen, SeenBy, Sightings, Standing, left_of, seen_in
from orchestrator.rollout.states import DeviceState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import SimulatedArtifact, make_plan

A, B, C = (DeviceId(name) for name in "abc")
NEW = SimulatedArtifact.of("new")
OLD = "0" * 64


def plan_of(**choices: object):
    return make_plan([ResolvedWave("all", "rest", (A, B))], **choices)


@pytest.mark.parametrize(
    ("row", "standing", "manifest"),
    [
        ({"state": "succeeded", "moved": True}, Standing.PROVEN, "new"),
        ({"state": "unchanged"}, Standing.PROVEN, "new"),
        ({"state": "confirmed", "moved": True}, Standing.UNCOMMITTED, "new"),
        ({"state": "verifying", "moved": True}, Standing.CHANGING, ""),
        ({"state": "rolling_back", "moved": True}, Standing.CHANGING, ""),
        ({"state": "rolled_back", "touched": True, "previous": OLD}, Standing.PROVEN, OLD),
        ({"state": "rolled_back", "touched": True, "previous": "none"}, Standing.PROVEN, ""),
        ({"state": "rolled_back", "touched": True}, Standing.UNKNOWN, ""),
        ({"state": "queued", "touched": True, "previous": OLD}, Standing.PROVEN, OLD),
        ({"state": "failed", "moved": True}, Standing.UNKNOWN, ""),
        ({"state": "lost", "moved": True}, Standing.UNKNOWN, ""),
        ({"state": "uncertain"}, Standing.UNKNOWN, ""),
        ({"state": "rollback_failed"}, Standing.UNKNOWN, ""),
    ],
)
def test_rollout_left_only_what_it_read_back(row, standing, manifest) -> None:
    left = left_of("r-1", {**row, "since": 7.0}, "new")

    assert left is not None
    assert (left.standing, left.manifest, left.at) == (standing, manifest, 7.0)


@pytest.mark.parametrize(
    "state", ["pending", "transferring", "staged", "deferred", "cancelled", "skipped", "failed"]
)
def test_rollout_that_changed_nothing_on_a_device_left_nothing_there(state) -> None:
    assert left_of("r-1", {"state": state, "since": 7.0}, "new") is None


def test_every_state_of_a_device_is_judged() -> None:
    for state in DeviceState:
        left_of("r-1", {"state": state.value, "moved": True}, "new")


def test_plan_that_cannot_be_read_leaves_what_nobody_knows() -> None:
    gathered = Sightings([A])

    gathered.take("r-1", b"\xff no plan", {A: {"state": "succeeded", "since": 7.0}})

    left = gathered.devices[A].left
    assert left is not None
    assert left.standing is Standing.UNKNOWN


def test_rows_of_a_real_rollout_tell_what_it_left_and_saw() -> None:
    hand = Hand(plan_of(made_at=3.0))
    hand.succeed(A)
    gathered = Sightings([A, B])

    gathered.take("r-hand", to_json(hand.plan), hand.rows)

    known = gathered.devices[A]
    assert known.left is not None
    assert (known.left.standing, known.left.manifest) == (Standing.PROVEN, NEW.manifest_sha256)
    assert known.seen is not None
    assert (known.seen.by, known.seen.manifest) == (SeenBy.ROLLOUT, NEW.manifest_sha256)
    assert known.hardware == "sim"
    assert gathered.devices[B].left is None


@pytest.mark.parametrize(
    ("row", "hardware"),
    [
        ({"state": "rolled_back", "touched": True, "previous": OLD}, "sim"),
        ({"state": "queued", "touched": True, "previous": OLD}, "sim"),
        ({"state": "failed"}, ""),
        ({"state": "transferring"}, ""),
    ],
)
def test_device_that_took_an_artifact_is_of_its_type_also_where_it_went_back(row, hardware) -> None:
    gathered = Sightings([A])

    gathered.take("r-1", to_json(plan_of()), {A: {**row, "since": 5.0}})

    assert gathered.devices[A].hardware == hardware


def test_later_of_two_answers_counts_whichever_is_read_first() -> None:
    seen = PlannedDevice(Address("::1"), current="odd", current_manifest="f" * 64)
    asked = replace(plan_of(made_at=9.0), devices={A: seen, B: PlannedDevice(Address("::1"))})
    rows = {A: {"state": "succeeded", "since": 5.0}}
    for first in (0, 1):
        gathered = Sightings([A, B])
        both = [("r-2", to_json(asked), {}), ("r-1", to_json(plan_of()), rows)]
        for told in (both[first], both[1 - first]):
            gathered.take(*told)

        known = gathered.devices[A]
        assert known.seen == Seen(9.0, SeenBy.PLAN, "f" * 64, "odd")
        assert known.left is not None
        assert known.left.rollout_id == "r-1"
        assert gathered.devices[B].seen is None


def test_device_that_was_not_settled_when_the_plan_was_made_is_not_taken_for_settled() -> None:
    seen = PlannedDevice(Address("::1"), current="odd", current_manifest="")
    gathered = Sightings([A])

    gathered.take("r-1", to_json(replace(plan_of(), devices={A: seen})), {})

    assert gathered.devices[A].seen == Seen(0.0, SeenBy.PLAN, "", "odd", settled=False)


def test_devices_are_open_while_an_older_rollout_may_know_something_newer() -> None:
    gathered = Sightings([A, B])
    gathered.take("r-1", to_json(plan_of()), {A: {"state": "succeeded", "since": 5.0}})

    assert gathered.open(6.0) == {A, B}
    assert gathered.open(5.0) == {B}


def test_why_a_plan_left_a_device_out_is_known() -> None:
    old = Skipped(A, Reason.OLD_HELPER, "its helper `1.0.0` is too old")
    held = Skipped(B, Reason.HELD, "failed")
    gathered = Sightings([A, B])

    gathered.take("r-1", to_json(plan_of(made_at=4.0, skipped=(old, held))), {})

    trouble = gathered.devices[A].trouble
    assert trouble is not None
    assert (trouble.at, trouble.reason) == (4.0, Reason.OLD_HELPER)
    assert gathered.devices[B].trouble is None  # it was not looked at


def test_device_whose_host_key_changed_is_known_as_such() -> None:
    gathered = Sightings([A])
    row = {"state": "lost", "since": 5.0, "shunned": True, "reason": "lost"}

    gathered.take("r-1", to_json(plan_of()), {A: row})

    trouble = gathered.devices[A].trouble
    assert trouble is not None
    assert (trouble.reason, trouble.shunned) == (Reason.HOST_KEY, True)


def test_rows_and_plans_of_strange_types_say_nothing() -> None:
    gathered = Sightings([A])
    plan = {"artifact": 1, "made_at": "x", "devices": {A: [], B: 3}, "skipped": [None, {}]}

    gathered.take("r-1", json.dumps(plan).encode(), {A: {"state": 3, "reason": "odd"}, C: {}})

    assert gathered.devices[A].left is None
    assert gathered.devices[A].seen is None


def test_answer_that_does_not_say_what_runs_is_none() -> None:
    assert seen_in({"state": "committed"}, 1.0) is None
    assert seen_in({"manifest": "none"}, 1.0) is None


@pytest.mark.parametrize(
    ("facts", "settled"),
    [
        ({"state": "committed", "active": "yes"}, True),
        ({"state": "committed", "active": "no"}, False),
        ({"state": "probation", "active": "yes"}, False),
        ({"state": "confirmed", "active": "yes"}, False),
    ],
)
def test_answer_says_whether_it_is_settled(facts, settled) -> None:
    seen = seen_in({"manifest": "m", "artifact": "a", **facts}, 1.0)

    assert seen is not None
    assert seen.settled is settled


def test_look_before_a_change_counts_by_its_own_time_and_never_without_one() -> None:
    for begun_at, told in ((4.0, Seen(4.0, SeenBy.ROLLOUT, OLD)), (None, None)):
        row = {"state": "cancelled", "since": 9.0, "previous": OLD, "begun_at": begun_at}
        gathered = Sightings([A])

        gathered.take("r-1", to_json(plan_of()), {A: row})

        assert gathered.devices[A].seen == told


def test_device_that_waits_after_its_way_back_was_not_looked_at_when_it_began_to_wait() -> None:
    row = {"state": "queued", "since": 9.0, "touched": True, "previous": OLD, "begun_at": 4.0}
    gathered = Sightings([A])

    gathered.take("r-1", to_json(plan_of()), {A: row})

    assert gathered.devices[A].seen == Seen(4.0, SeenBy.ROLLOUT, OLD)
