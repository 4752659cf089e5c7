"""What is drift, what is not, and what is not known: no evidence is never the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.rollout.drift import Drift, fleet_device, judge
from orchestrator.rollout.held import Held
from orchestrator.rollout.sightings import (
    Known,
    Left,
    Remembered,
    Seen,
    SeenBy,
    Standing,
    Trouble,
)

A = DeviceId("a")
M, OTHER = "1" * 64, "2" * 64
LEFT = Left("r-1", 10.0, Standing.PROVEN, M, "app-1")
BARE = Left("r-1", 10.0, Standing.PROVEN)


def asked(manifest: str = M, *, at: float = 20.0, active: str = "yes", state: str = "committed"):
    settled = active != "no" and state == "committed"
    return Seen(at, SeenBy.ASKED, manifest, "app", settled, state, active, "1.2.0")


@pytest.mark.parametrize(
    ("left", "seen", "drift", "why"),
    [
        (LEFT, asked(), Drift.SAME, ""),
        (LEFT, asked(OTHER), Drift.DIFFERS, "runs app; rollout r-1 left app-1"),
        (LEFT, asked(active="no"), Drift.DIFFERS, "what is in place is not app-1 any more"),
        (LEFT, asked(state="probation"), Drift.DIFFERS, "is in probation with app; rollout r-1"),
        (LEFT, asked(state="confirmed"), Drift.DIFFERS, "is in confirmed with app"),
        (LEFT, asked(state="rollback-failed"), Drift.DIFFERS, "is in rollback-failed"),
        (LEFT, asked(""), Drift.DIFFERS, "; rollout r-1 left app-1"),
        (LEFT, Seen(20.0, SeenBy.PLAN, M, "app-1"), Drift.SAME, ""),
        (LEFT, Seen(20.0, SeenBy.PLAN, OTHER), Drift.DIFFERS, "runs sha256:222222222222; "),
        (LEFT, Seen(20.0, SeenBy.PLAN, "", "app", settled=False), Drift.DIFFERS, "neither settled"),
        (BARE, Seen(20.0, SeenBy.ASKED, state="none", active="unknown"), Drift.SAME, ""),
        (BARE, asked(OTHER), Drift.DIFFERS, "runs app; rollout r-1 left nothing of ours"),
        (LEFT, asked(active="unknown"), Drift.UNKNOWN, "it cannot read back what is in place"),
        (LEFT, asked(active=""), Drift.UNKNOWN, "it cannot read back what is in place"),
        (LEFT, asked(OTHER, at=9.0), Drift.UNKNOWN, "rollout r-1 changed it meanwhile"),
        (LEFT, Seen(10.0, SeenBy.ROLLOUT, M), Drift.UNKNOWN, "nobody has looked at it since"),
        (LEFT, None, Drift.UNKNOWN, "nobody has looked at it since rollout r-1"),
        (None, asked(), Drift.UNKNOWN, "no rollout is known to have left anything on it"),
        (None, None, Drift.UNKNOWN, "no rollout is known"),
    ],
)
def test_only_what_was_said_since_speaks_for_a_device(left, seen, drift, why) -> None:
    found = judge(left, seen)

    assert found.drift is drift
    assert why in found.why
    assert bool(found.why) is (drift is not Drift.SAME)


@pytest.mark.parametrize("standing", [each for each in Standing if each is not Standing.PROVEN])
def test_device_that_a_rollout_did_not_prove_is_not_known(standing) -> None:
    for seen in (asked(), asked(OTHER), None):
        found = judge(Left("r-1", 10.0, standing, M), seen)

        assert found.drift is Drift.UNKNOWN
        assert "r-1" in found.why


def test_device_that_does_not_answer_is_not_known_unless_it_was_seen_to_differ() -> None:
    away = Trouble(30.0, Reason.UNREACHABLE)

    assert judge(LEFT, asked(), away).drift is Drift.UNKNOWN
    assert judge(LEFT, Seen(10.0, SeenBy.ROLLOUT, M), away).drift is Drift.UNKNOWN
    assert judge(LEFT, asked(OTHER), away).drift is Drift.DIFFERS


def remembered(**known: object) -> Remembered:
    return Remembered({A: Known(**known)}, {}, {M: "app-1"})


def test_answer_of_now_counts_before_what_is_stored() -> None:
    stored = remembered(left=LEFT, seen=Seen(10.0, SeenBy.ROLLOUT, M))

    found = fleet_device(A, {}, stored, asked(OTHER), "rpi4")

    assert (found.version, found.hardware, found.judged.drift) == ("app", "rpi4", Drift.DIFFERS)


def test_versions_have_the_names_that_plans_gave_them() -> None:
    seen = fleet_device(A, {}, remembered(seen=Seen(10.0, SeenBy.ROLLOUT, M)))
    nameless = fleet_device(A, {}, remembered(seen=Seen(10.0, SeenBy.ROLLOUT, OTHER)))
    bare = fleet_device(A, {}, remembered(seen=Seen(10.0, SeenBy.ROLLOUT)))

    assert seen.version == "app-1"
    assert nameless.version == "sha256:222222222222"
    assert bare.version == "nothing of ours"


def test_version_is_not_known_after_a_rollout_that_could_not_tell() -> None:
    lost = Left("r-2", 20.0, Standing.UNKNOWN)
    before = Seen(10.0, SeenBy.ROLLOUT, M)

    assert fleet_device(A, {}, remembered(left=lost, seen=before)).version is None
    assert fleet_device(A, {}, remembered(left=lost, seen=before), asked(at=30.0)).version == "app"
    assert fleet_device(A, {}, Remembered()).version is None


def test_trouble_is_over_once_the_device_has_answered() -> None:
    away = Trouble(15.0, Reason.UNREACHABLE)
    earlier, later = Seen(10.0, SeenBy.ROLLOUT, M), Seen(20.0, SeenBy.ROLLOUT, M)

    assert fleet_device(A, {}, remembered(seen=earlier, trouble=away)).trouble == away
    assert fleet_device(A, {}, remembered(seen=later, trouble=away)).trouble is None
    assert fleet_device(A, {}, remembered(seen=earlier, trouble=away), asked()).trouble is None


@pytest.mark.parametrize(
    ("known", "answer", "told"),
    [
        ({}, None, set()),
        ({"left": Left("r", 1.0, Standing.UNCOMMITTED, M)}, None, {"unconfirmed"}),
        ({"left": Left("r", 1.0, Standing.CHANGING)}, None, {"unconfirmed"}),
        ({"left": Left("r", 1.0, Standing.CHANGING)}, asked(), set()),
        ({}, asked(state="probation"), {"unconfirmed"}),
        ({"trouble": Trouble(1.0, Reason.HOST_KEY, shunned=True)}, None, {"quarantined"}),
        ({"trouble": Trouble(1.0, Reason.HOST_KEY)}, None, set()),  # none is known at all
        (
            {"trouble": Trouble(1.0, Reason.HOST_KEY, shunned=True)},
            Trouble(2.0, Reason.UNREACHABLE),
            {"quarantined"},
        ),
        ({"trouble": Trouble(1.0, Reason.OLD_HELPER)}, None, {"old helper"}),
        ({}, Seen(9.0, SeenBy.ASKED, M, state="committed", helper="1.1.9"), {"old helper"}),
    ],
)
def test_devices_that_stand_out_are_known_as_what_they_are(known, answer, told) -> None:
    found = fleet_device(A, {}, remembered(**known), answer)
    flags = {
        "unconfirmed": found.is_unconfirmed,
        "quarantined": found.is_quarantined,
        "old helper": found.has_old_helper,
    }

    assert {name for name, is_so in flags.items() if is_so} == told


def test_device_that_could_not_go_back_is_quarantined_and_one_that_failed_is_held() -> None:
    for everywhere in (False, True):
        held = {A: Held(A, 1.0, "failed", "r-1", everywhere)}

        found = fleet_device(A, {}, Remembered({}, held, {}))

        assert found.is_quarantined is everywhere
        assert found.held is not None


def test_device_that_took_another_artifact_since_is_held_no_more() -> None:
    held = Held(A, 5.0, "failed", "r-0", False)

    def found(held: Held, left: Left | None = LEFT) -> Held | None:
        return fleet_device(A, {}, Remembered({A: Known(left)}, {A: held}, {})).held

    assert found(held) is None
    assert found(held, None) == held
    assert found(replace(held, rollout_id="r-1")) is not None  # that one took it back
    assert found(replace(held, since=11.0)) is not None
    assert found(replace(held, everywhere=True)) is not None
    assert found(held, replace(LEFT, standing=Standing.UNKNOWN)) == held
