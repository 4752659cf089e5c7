from __future__ import annotations

from dataclasses import replace

from orchestrator.plan.preview import preview
from orchestrator.plan.resolved import (
    PlannedTicket,
    PlannedTrust,
    ResolvedPlan,
    ResolvedWave,
    TicketProof,
)
from orchestrator.plan.trust_groups import TrustGroup, trust_groups
from orchestrator.testing.plans import device_ids, make_plan

NEW = PlannedTrust(2, "acme", 7, 41, ("ecdsa-p256",))
OLD = replace(NEW, root_version=1)
BROKEN = PlannedTrust(None, None, None, None)
IDS = device_ids(7)


def planned(*trusts: PlannedTrust | None, root_version: int | None = None) -> ResolvedPlan:
    """Devices that answered with these, and one more that did not."""
    devices = IDS[: len(trusts) + 1]
    plan = make_plan([ResolvedWave("all", "rest", devices)])
    answers = dict(zip(devices, trusts, strict=False))
    proof = None if root_version is None else TicketProof(root_version, 1, {})
    ticket = PlannedTicket("0" * 64, "1" * 64, "acme", 41, 1e9, 7, ("sim",), proof=proof)
    return replace(
        plan,
        artifact=replace(plan.artifact, ticket=ticket),
        devices={
            name: replace(one, trust=answers[name], current="old") if name in answers else one
            for name, one in plan.devices.items()
        },
    )


def test_devices_stand_together_that_hold_releases_against_the_same() -> None:
    plan = planned(OLD, NEW, None, NEW)

    assert trust_groups(plan) == (
        TrustGroup(NEW, (IDS[1], IDS[3])), TrustGroup(OLD, IDS[:1]), TrustGroup(None, IDS[2:3]),
    )  # fmt: skip


def test_devices_that_are_behind_are_named() -> None:
    (risk,) = preview(planned(OLD, NEW, None)).risks

    assert risk.message.startswith("1 device has an older trust root than version 2")
    assert risk.message.endswith("dev-0001")
    assert "`rollout device root`" in risk.message


def test_the_operators_own_root_may_be_the_newest() -> None:
    (risk,) = preview(planned(NEW, NEW, root_version=3)).risks

    assert risk.message.startswith("2 devices have an older trust root than version 3")


def test_broken_roots_are_named_and_many_are_counted() -> None:
    (risk,) = preview(planned(*[BROKEN] * 6)).risks

    assert risk.message.startswith("6 devices have a broken trust root")
    assert risk.message.endswith("dev-0005 and 1 more")


def test_where_all_are_alike_nothing_is_said() -> None:
    assert preview(planned(NEW, NEW, root_version=2)).risks == ()
    assert preview(planned(None, None)).risks == ()
