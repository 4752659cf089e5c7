"""What a device will refuse, against the judge that decides as devices do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.refusals import refusal
from orchestrator.plan.resolved import (
    PlannedOpening,
    PlannedTicket,
    PlannedTrust,
    TicketProof,
)

DEVICE = DeviceId("gw-0")  # its bucket for serial 41 is below
NOW = 1_000.0
TRUST = PlannedTrust(2, "acme", 7, 41, ("ecdsa-p256", "rsa"))
PROOF = TicketProof(2, 2, {"ecdsa-p256": 1, "ed25519": 1, "rsa": 1})
BOTH = replace(PROOF, ssh_signed={"ed25519": 1, "rsa": 1}, is_build_signed=True)
ALONE = {"kinds": (), "reads_ssh": True}  # no openssl, and ssh-keygen
USIGN = {"kinds": ("ed25519",)}  # neither
TWO = replace(BOTH, signed={"ed25519": 2, "rsa": 1}, build_signed={"ecdsa-p256": 1, "ed25519": 1})
NOT_BUILT = replace(TWO, build_signed={})
TICKET = PlannedTicket(
    "0" * 64, "1" * 64, "acme", 41, NOW + 1, 7, ("pi3", "pi4"),
    (PlannedOpening(100, NOW + 9),), PROOF,
)  # fmt: skip


@pytest.mark.parametrize(
    ("trust", "ticket", "reason"),
    [
        ({}, {}, None),  # not open yet, but it will be
        ({"fleet": "other"}, {}, Reason.TICKET_FLEET),
        ({"fleet": None}, {}, None),
        ({"kinds": ("ed25519",)}, {}, Reason.TICKET_SIGNATURES),
        ({"kinds": ()}, {}, Reason.TICKET_SIGNATURES),
        ({"kinds": ("ecdsa-p256", "ed25519", "rsa")}, {}, None),
        ({"kinds": (), "root_version": 1}, {}, None),  # whose keys its root has is not known
        ({"kinds": ()}, {"proof": None}, None),
        ({}, {"proof": replace(PROOF, needed_count=3)}, Reason.TICKET_SIGNATURES),
        ({"kinds": ("rsa",), "reads_ssh": True}, {"proof": BOTH}, None),
        ({"kinds": ("ed25519",), "reads_ssh": True}, {}, Reason.TICKET_SIGNATURES),
        (ALONE, {"proof": BOTH}, None),
        (ALONE, {"proof": replace(BOTH, is_build_signed=False)}, Reason.DENIED),
        (ALONE, {"proof": replace(BOTH, ssh_signed={"rsa": 1})}, Reason.TICKET_SIGNATURES),
        (ALONE, {}, Reason.TICKET_SIGNATURES),
        (ALONE, {"proof": None}, None),
        ({}, {"proof": replace(BOTH, signed={}, is_build_signed=True)}, Reason.TICKET_SIGNATURES),
        (USIGN, {"proof": TWO}, None),
        (USIGN, {"proof": replace(TWO, build_signed={"ecdsa-p256": 1, "rsa": 1})}, Reason.DENIED),
        (USIGN, {"proof": replace(TWO, build_signed={})}, Reason.DENIED),  # a plan of before
        (USIGN, {"proof": replace(TWO, ssh_only={"ed25519": 1})}, None),  # either form will do
        (USIGN, {"proof": replace(TWO, needed_count=3)}, Reason.TICKET_SIGNATURES),
        (USIGN, {"proof": None}, None),
        ({**ALONE, **USIGN}, {"proof": replace(TWO, build_signed={"rsa": 1})}, None),
        ({}, {"proof": replace(PROOF, ssh_only={"rsa": 1})}, Reason.TICKET_SIGNATURES),
        ({"reads_ssh": True}, {"proof": replace(PROOF, ssh_only={"rsa": 1})}, None),
        ({}, {"proof": replace(TWO, signed={"ecdsa-p256": 2}, build_signed={})}, None),
        ({}, {"device_types": ("pi3",)}, Reason.TICKET_DEVICE_TYPE),
        ({}, {"expires_at": NOW}, Reason.TICKET_EXPIRED),
        ({"security_floor": 8}, {}, Reason.TICKET_SECURITY),
        ({"security_floor": None}, {"security_version": 0}, None),
        ({"serial": 42}, {}, Reason.TICKET_SERIAL),
        ({"serial": None}, {"serial": 0}, None),
        ({}, {"openings": (PlannedOpening(1, 0.0),)}, Reason.NEVER_OPEN),
        ({}, {"openings": ()}, None),
        ({"fleet": "other", "serial": 99}, {"expires_at": 0.0}, Reason.TICKET_FLEET),
        ({"security_floor": 99, "serial": 99}, {"expires_at": 0.0}, Reason.TICKET_EXPIRED),
        ({"security_floor": 99, "serial": 99}, {}, Reason.TICKET_SECURITY),
        # the build key is the last that a device asks for, but for the lines
        (USIGN, {"proof": NOT_BUILT, "device_types": ("pi3",)}, Reason.TICKET_DEVICE_TYPE),
        (USIGN, {"proof": NOT_BUILT, "expires_at": NOW}, Reason.TICKET_EXPIRED),
        ({**USIGN, "serial": 42}, {"proof": NOT_BUILT}, Reason.TICKET_SERIAL),
        (USIGN, {"proof": NOT_BUILT, "openings": (PlannedOpening(1, 0.0),)}, Reason.DENIED),
    ],
)
def test_what_a_device_refuses_and_why(
    trust: dict[str, object], ticket: dict[str, object], reason: Reason | None
) -> None:
    found = refusal(
        DEVICE,
        "pi4",
        replace(TRUST, **trust),  # type: ignore[arg-type]  # fields by name
        replace(TICKET, **ticket),  # type: ignore[arg-type]  # fields by name
        NOW,
    )

    assert (None if found is None else found.reason) is reason
    assert found is None or found.detail
