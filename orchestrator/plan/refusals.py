"""Whether a device will refuse a release, from what it said of its trust root and floors.

The device decides by itself, later, and has the last word; what it will surely refuse is left out
before anything moves. Laws:
1. The order of the checks is the device's own, so that the reason is the one that it would give.
2. What is not known refuses nothing: a broken root, a floor that was not told.
3. Signatures are counted where the operator has the very version of the root that the device has.

Source: design "device and trust", B.3; `orchestrator.trust.judge`.
"""

from __future__ import annotations

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import PlannedTicket, PlannedTrust, Skipped, TicketProof


def refusal(
    device: DeviceId, device_type: str, trust: PlannedTrust, ticket: PlannedTicket, now: float
) -> Skipped | None:
    """Why the device will refuse what this ticket releases; None when nothing is known against it."""
    why = (
        _of_fleet(trust, ticket)
        or _of_signatures(trust, ticket)
        or _of_type(device_type, ticket)
        or _of_time(ticket, now)
        or _of_floors(trust, ticket)
        or _of_build(trust, ticket)
        or _of_lines(device, ticket)
    )
    return None if why is None else Skipped(device, *why)


_Why = tuple[Reason, str] | None


def _of_fleet(trust: PlannedTrust, ticket: PlannedTicket) -> _Why:
    if trust.fleet in (None, ticket.fleet):
        return None
    detail = f"its trust root is of fleet `{trust.fleet}`, the ticket of `{ticket.fleet}`"
    return Reason.TICKET_FLEET, detail


def _judged_by(trust: PlannedTrust, ticket: PlannedTicket) -> TicketProof | None:
    proof = ticket.proof
    return None if proof is None or proof.root_version != trust.root_version else proof


def _of_signatures(trust: PlannedTrust, ticket: PlannedTicket) -> _Why:
    proof = _judged_by(trust, ticket)
    if proof is None:
        return None
    count = trust.count(proof)
    if count < proof.needed_count:
        detail = f"it can count {count} of the ticket's signatures, with {_means(trust)}, its root "
        return Reason.TICKET_SIGNATURES, f"{detail}wants {proof.needed_count}"
    return None


def _of_build(trust: PlannedTrust, ticket: PlannedTicket) -> _Why:
    proof = _judged_by(trust, ticket)
    if proof is not None and trust.lacks_openssl and not trust.counts_build(proof):
        which = "build key" if trust.reads_ssh else "Ed25519 build key"
        return Reason.DENIED, f"it has no openssl, and no {which} signed beside the ticket"
    return None


def _means(trust: PlannedTrust) -> str:
    kinds = f"{', '.join(trust.kinds)} keys" if trust.kinds else ""
    return " and ".join(filter(None, (kinds, "ssh-keygen" * trust.reads_ssh))) or "no keys"


def _of_type(device_type: str, ticket: PlannedTicket) -> _Why:
    if device_type in ticket.device_types:
        return None
    wanted = ", ".join(ticket.device_types)
    detail = f"device type `{device_type}`, the ticket is for `{wanted}`"
    return Reason.TICKET_DEVICE_TYPE, detail


def _of_time(ticket: PlannedTicket, now: float) -> _Why:
    if now < ticket.expires_at:
        return None
    return Reason.TICKET_EXPIRED, "the ticket has expired"


def _of_floors(trust: PlannedTrust, ticket: PlannedTicket) -> _Why:
    floor, serial = trust.security_floor, trust.serial
    if floor is not None and ticket.security_version < floor:
        detail = f"its security floor is {floor}, the ticket's security version "
        return Reason.TICKET_SECURITY, f"{detail}{ticket.security_version}"
    if serial is not None and ticket.serial < serial:
        detail = f"it has seen serial {serial}, the ticket's is {ticket.serial}"
        return Reason.TICKET_SERIAL, detail
    return None


def _of_lines(device: DeviceId, ticket: PlannedTicket) -> _Why:
    if ticket.opens_at(device) is not None:
        return None
    return Reason.NEVER_OPEN, "no `open` line of the ticket lets it in"
