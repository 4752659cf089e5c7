"""What a device with a trust root says of it: lines of `hello` and `facts`.

A device without a root says nothing of the kind, and costs not one byte more. What a device says
here helps to plan and to explain; it decides nothing, since the device checks tickets itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.device.protocol import Reply

TICKET_FRAMES = ("ticket", "ticket.sig")  # before `manifest` in a delivery
ROOT_FRAMES = ("root", "root.sig")  # the two of the verb `root`
_OPENSSL, _SSH_KEYGEN = "openssl", "ssh-keygen"
_ED25519 = frozenset({"openssl-ed25519", "usign", "signify", "signify-openbsd"})
# as tickets and roots have them
NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")
FLEET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}")


@dataclass(frozen=True, slots=True)
class DeviceTrust:
    """Root and floors of a device; None is what it could not say, as with a broken root.

    `verifiers` are the programs of `facts` that check signatures: `openssl` ECDSA and RSA;
    `openssl-ed25519`, `usign`, `signify` and `signify-openbsd` Ed25519, in either form;
    `ssh-keygen` all kinds, in the form of SSH.
    """

    root_version: int | None
    fleet: str | None
    security_floor: int | None
    serial: int | None
    verifiers: frozenset[str] = frozenset()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of keys whose plain signatures it can check, sorted."""
        found = {"ecdsa-p256", "rsa"} if _OPENSSL in self.verifiers else set()
        return tuple(sorted(found | ({"ed25519"} if self.verifiers & _ED25519 else set())))

    @property
    def reads_ssh(self) -> bool:
        """Whether it can check signatures in the form of SSH."""
        return _SSH_KEYGEN in self.verifiers


def trust_of(reply: Reply) -> DeviceTrust | None:
    """What a reply says of the device's root; None when the device has none."""
    fields = reply.fields
    if "root" not in fields:
        return None
    fleet = fields.get("fleet", "")
    return DeviceTrust(
        root_version=_number(fields["root"]) or None,
        fleet=fleet if FLEET_NAME.fullmatch(fleet) else None,
        security_floor=_number(fields.get("security-floor", "")),
        serial=_number(fields.get("serial", "")),
        verifiers=frozenset(fields.get("verify", "").split(",")) - {"", "none"},
    )


def _number(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) else None
