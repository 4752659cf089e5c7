from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.eligible import eligible_devices
from orchestrator.plan.resolved import (
    PlannedArtifact,
    PlannedOpening,
    PlannedTicket,
    PlannedTrust,
)
from orchestrator.plan.survey import Surveyed


@pytest.mark.parametrize(
    ("ticket_of", "root_of", "runs", "reason"),
    [
        (None, None, "", None),
        (None, "acme", "", Reason.NO_TICKET),
        (None, "", "", Reason.NO_TICKET),
        (None, "acme", "m", None),  # it runs the release already: nothing has to be let in
        ("acme", "acme", "", None),
        ("acme", "", "", None),  # a broken root: the device says so itself, and it counts
        ("acme", None, "", None),
        ("acme", "other", "", Reason.TICKET_FLEET),
    ],
)
def test_device_with_a_root_takes_part_with_a_ticket_of_its_fleet(
    artifact: PlannedArtifact,
    ticket_of: str | None,
    root_of: str | None,
    runs: str,
    reason: Reason | None,
) -> None:
    ticket = ticket_of and PlannedTicket("0" * 64, "1" * 64, ticket_of, 1, 2.0, 7, ("pi4",))
    manifest = artifact.manifest_sha256 if runs else ""
    trust = None if root_of is None else PlannedTrust(1, root_of or None, 0, 0)
    answer = Surveyed(reachable=True, device_type="pi4", manifest=manifest, trust=trust)
    device = Device(DeviceId("gw-0"), Address("192.0.2.1"))

    eligible, skipped = eligible_devices(
        [device], replace(artifact, ticket=ticket or None), {device.id: answer}, {}, 1.0
    )

    assert [each.reason for each in skipped] == ([] if reason is None else [reason])
    assert bool(eligible) is (reason is None)


@pytest.mark.parametrize(
    ("percent", "trust", "reason"),
    [
        (100, PlannedTrust(1, "acme", 0, 0), None),
        (1, PlannedTrust(1, "acme", 0, 0), Reason.NEVER_OPEN),
        (1, None, None),  # it has no root, and asks for no ticket
    ],
)
def test_device_that_no_line_of_the_ticket_lets_in_is_left_out(
    artifact: PlannedArtifact, percent: int, trust: PlannedTrust | None, reason: Reason | None
) -> None:
    device = Device(DeviceId("gw-0"), Address("192.0.2.1"))  # its bucket for serial 1 is 54
    ticket = PlannedTicket(
        "0" * 64, "1" * 64, "acme", 1, 2.0, 7, ("pi4",), (PlannedOpening(percent, 0.0),)
    )
    answer = Surveyed(reachable=True, device_type="pi4", trust=trust)

    _, skipped = eligible_devices(
        [device], replace(artifact, ticket=ticket), {device.id: answer}, {}, 1.0
    )

    assert [each.reason for each in skipped] == ([] if reason is None else [reason])


@pytest.mark.parametrize(
    ("runs", "detail"),
    [
        ("gw-1.3", None),
        ("gw-1.4", None),
        (
            "gw-1.2",
            "it runs `gw-1.2`, the artifact follows `gw-1.3`, `gw-1.4`, `gw-1.5` and 1 more",
        ),
        (
            "",
            "it runs nothing of ours, the artifact follows `gw-1.3`, `gw-1.4`, `gw-1.5` and 1 more",
        ),
    ],
)
def test_device_that_does_not_run_what_the_artifact_follows_is_left_out(
    artifact: PlannedArtifact, runs: str, detail: str | None
) -> None:
    device = Device(DeviceId("gw-0"), Address("192.0.2.1"))
    bound = replace(artifact, follows=("gw-1.3", "gw-1.4", "gw-1.5", "gw-1.6"))
    answer = Surveyed(reachable=True, device_type="pi4", artifact=runs)

    _, skipped = eligible_devices([device], bound, {device.id: answer}, {}, 1.0)

    told = [(each.reason, each.detail) for each in skipped]
    assert told == ([] if detail is None else [(Reason.INCOMPATIBLE, detail)])


def test_device_at_the_target_follows_nothing(artifact: PlannedArtifact) -> None:
    device = Device(DeviceId("gw-0"), Address("192.0.2.1"))
    bound = replace(artifact, follows=("gw-1.3",))
    answer = Surveyed(
        reachable=True, device_type="pi4", artifact=artifact.name, manifest=artifact.manifest_sha256
    )

    eligible, _ = eligible_devices([device], bound, {device.id: answer}, {}, 1.0)

    assert list(eligible) == [device.id]
