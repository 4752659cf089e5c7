"""What a device decides about a ticket and a root, and the controller with it.

Laws:
1. The order of the checks is that of the rules in `TrustRule`; the first that fails is the reason.
   Form and signatures come before anything that a ticket says is used.
2. Time is the device's clock or the newest `issued` that it accepted, whichever is later: a clock
   that was set back neither revives a ticket nor opens one.
3. A root is replaced by the next version only, and only when enough of the old keys and enough of
   the new ones say so. A first root proves nothing but that its own keys agree; it is placed by
   enrolment.

Source: design "device and trust", B.3; TUF specification 5.3.4 and 5.3.5 for law 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.device.bucket import bucket
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.purpose import Purpose
from orchestrator.trust.root import Role, Root, parse_root
from orchestrator.trust.signature_file import Signature, parse_signatures
from orchestrator.trust.ticket import Ticket, parse_ticket


@dataclass(frozen=True, slots=True)
class Floors:
    """What a device remembers of the past; none of it ever falls, save `serial` with a new root."""

    time_s: int = 0
    security_version: int = 0
    serial: int = 0


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device that is asked to take a release."""

    device_id: str
    device_type: str
    now_s: int
    floors: Floors = Floors()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is delivered with a ticket: the digest of the manifest, and the header's name."""

    manifest_sha256: str
    artifact: str


def check_ticket(
    text: bytes, signatures: bytes, root: Root, device: DeviceView, delivery: Delivery
) -> Ticket:
    """The ticket, when this device may install what is delivered, now.

    Raises:
        TrustError: it may not; the code is the reason.
    """
    ticket = check_signed(text, signatures, root)
    check_device_type(ticket, device.device_type)
    at_s = max(device.now_s, device.floors.time_s)
    check_expiry(ticket, at_s)
    _check_floors(ticket, device.floors)
    check_delivery(ticket, delivery)
    check_open(ticket, device.device_id, at_s)
    return ticket


def check_signed(text: bytes, signatures: bytes, root: Root) -> Ticket:
    """The ticket, when it is one of the root's fleet and enough release keys signed it.

    Raises:
        TrustError: it is not, or they did not.
    """
    ticket = parse_ticket(text)
    found = parse_signatures(signatures)
    check_fleet(ticket, root)
    purpose = Purpose.of(Role.RELEASE, root.fleet, text)
    count = len(purpose.signed_by(found, root.of(Role.RELEASE)))
    if count < root.threshold_release:
        message = _too_few(count, root, Role.RELEASE, "the ticket")
        raise refuse(TrustRule.SIGNATURES, message)
    return ticket


def check_fleet(ticket: Ticket, root: Root) -> None:
    """The ticket is for the root's fleet.

    Raises:
        TrustError: it is for another.
    """
    if ticket.fleet != root.fleet:
        message = f"the ticket is for fleet `{ticket.fleet}`, the root of `{root.fleet}`"
        raise refuse(TrustRule.FLEET, message)


def check_device_type(ticket: Ticket, device_type: str) -> None:
    """The ticket is for devices of this type.

    Raises:
        TrustError: it is not.
    """
    if device_type not in ticket.device_types:
        message = f"the ticket is for {_listed(ticket.device_types)}, not for `{device_type}`"
        raise refuse(TrustRule.DEVICE_TYPE, message)


def check_expiry(ticket: Ticket, at_s: int) -> None:
    """The ticket has not expired.

    Raises:
        TrustError: it has.
    """
    if ticket.expires_s <= at_s:
        hint = "make a new one with `rollout release create`, and a higher serial"
        raise refuse(TrustRule.EXPIRED, "the ticket has expired", hint=hint)


def check_delivery(ticket: Ticket, delivery: Delivery) -> None:
    """The ticket is about what is delivered.

    Raises:
        TrustError: it is about something else.
    """
    if ticket.manifest_sha256 != delivery.manifest_sha256:
        message = "the ticket is about an artifact with another manifest"
        raise refuse(TrustRule.MANIFEST, message)
    if ticket.artifact != delivery.artifact:
        message = f"the ticket is about `{ticket.artifact}`, the artifact is `{delivery.artifact}`"
        raise refuse(TrustRule.ARTIFACT, message)


def check_open(ticket: Ticket, device_id: str, at_s: int) -> None:
    """The ticket lets this device begin at that time.

    Raises:
        TrustError: not yet, or never.
    """
    mine = bucket(ticket.serial, device_id)
    if not ticket.is_open(mine, at_s):
        message = f"the ticket does not let bucket {mine} of 100 in yet, where the device belongs"
        raise refuse(TrustRule.NOT_OPEN, message)


def check_first_root(text: bytes, signatures: bytes) -> Root:
    """A root that enrolment may place: enough of its own root keys signed it.

    Raises:
        TrustError: it is no root, or they did not.
    """
    root = parse_root(text)
    found = parse_signatures(signatures)
    _check_root_signed(text, found, root, TrustRule.ROOT_OWN_SIGNATURES)
    return root


def check_rotation(old: Root, text: bytes, signatures: bytes) -> Root:
    """The next root, when a holder of the old one takes it.

    Raises:
        TrustError: it does not; the code is the reason.
    """
    new = parse_root(text)
    found = parse_signatures(signatures)
    check_follows(old, new)
    _check_root_signed(text, found, old, TrustRule.ROOT_SIGNATURES)
    _check_root_signed(text, found, new, TrustRule.ROOT_OWN_SIGNATURES)
    return new


def check_follows(old: Root, new: Root) -> None:
    """The one root is the next version of the other, whoever signed it.

    Raises:
        TrustError: it is of another fleet, or of another version.
    """
    if new.fleet != old.fleet:
        message = f"the root is of fleet `{new.fleet}`, the one before of `{old.fleet}`"
        raise refuse(TrustRule.FLEET, message)
    if new.version != old.version + 1:
        message = f"version {new.version} does not follow version {old.version}"
        hint = "roots are taken one after the other; none is skipped"
        raise refuse(TrustRule.ROOT_VERSION, message, hint=hint)


def _check_floors(ticket: Ticket, floors: Floors) -> None:
    if ticket.security_version < floors.security_version:
        message = f"security version {ticket.security_version} is below {floors.security_version}"
        raise refuse(TrustRule.SECURITY_VERSION, message)
    if ticket.serial < floors.serial:
        message = f"serial {ticket.serial} is below {floors.serial}, which was accepted before"
        raise refuse(TrustRule.SERIAL, message)


def _check_root_signed(
    text: bytes, signatures: Sequence[Signature], by: Root, rule: TrustRule
) -> None:
    count = len(Purpose.of(Role.ROOT, by.fleet, text).signed_by(signatures, by.of(Role.ROOT)))
    if count < by.threshold_root:
        raise refuse(rule, _too_few(count, by, Role.ROOT, "the root"))


def _too_few(count: int, root: Root, role: Role, what: str) -> str:
    wanted, keys = root.threshold(role), len(root.of(role))
    return (
        f"{what} has {count} of the {wanted} signatures that it needs from the {keys} {role} keys"
        f" of root version {root.version}"
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
