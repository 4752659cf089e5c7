"""A ticket from what a person asked for: times, numbers that follow, and nothing that is silly."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.moments import MOMENT_HINT, moment
from orchestrator.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.api.trust_values import TicketRequest
    from orchestrator.artifact.model import Artifact
    from orchestrator.trust.ticket import Opening, Ticket

TICKET_SUFFIX = ".ticket"
LIFE_S_MAX = 5 * 366 * 86400  # a ticket that outlives its keys limits nothing
_OPEN_HINT = "as `--open 5%@2026-12-01T08:00Z`, or `--open 25%@24h` for a day from now"
_FORM_HINT = "what a ticket may say stands in docs/reference/release.md"
_EVERYBODY = 100


@dataclass(frozen=True, slots=True)
class Earlier:
    """The tickets of a fleet in a directory: the numbers that a next one follows."""

    serial: int = 0
    security_version: int = 0
    least: int = 0  # what devices that committed all of them refuse to go below
    least_path: Path | None = None


def draft_ticket(request: TicketRequest, artifact: Artifact, fleet: str, now_s: int) -> Ticket:
    """The ticket for an artifact.

    Args:
        request: what was asked for.
        artifact: gives name, manifest and device types.
        fleet: the fleet.
        now_s: when it is issued.

    Raises:
        TrustError: no device could take it, or an earlier ticket beside it makes it useless.
    """
    from orchestrator.trust.ticket import Ticket

    earlier = earlier_tickets(ticket_path(request).parent, fleet)
    serial = earlier.serial + 1 if request.serial is None else request.serial
    security = request.security_version
    ticket = Ticket(
        fleet=fleet,
        serial=serial,
        issued_s=now_s,
        expires_s=moment_of(request.expires, now_s),
        security_version=earlier.security_version if security is None else security,
        min_security_version=request.min_security_version,
        device_types=tuple(sorted(set(artifact.device_types))),
        artifact=artifact.name,
        manifest_sha256=artifact.manifest_sha256,
        openings=_openings(request.openings, now_s),
    )
    _check_times(ticket)
    _check_openings(ticket)
    _check_numbers(ticket, earlier)
    return ticket


def ticket_path(request: TicketRequest) -> Path:
    """Where the ticket goes: beside the artifact where nothing else was asked for.

    Raises:
        TrustError: its name is not that of a ticket, so that no later one would find it.
    """
    path = request.out or path_beside(request.artifact)
    if path.suffix != TICKET_SUFFIX:
        message = f"`{path}` is not named like a ticket"
        raise _refuse(message, f"tickets are `NAME{TICKET_SUFFIX}`: the next one looks for them")
    return path


def path_beside(artifact: Path) -> Path:
    """Where plans look for the ticket of an artifact: `app.ticket` beside `app.mender`."""
    return artifact.with_name(artifact.name.removesuffix(".mender") + TICKET_SUFFIX)


def artifact_beside(ticket: Path) -> Path:
    """The artifact for which plans look for that ticket."""
    return ticket.with_name(ticket.name.removesuffix(TICKET_SUFFIX) + ".mender")


def text_of(ticket: Ticket) -> bytes:
    """The ticket's text.

    Raises:
        TrustError: a value has no place in a ticket.
    """
    from orchestrator.trust.ticket import write_ticket

    try:
        return write_ticket(ticket)
    except TrustError as error:
        raise _refuse(f"no device takes this: {error.message}", _FORM_HINT) from error


def earlier_tickets(directory: Path, fleet: str) -> Earlier:
    """What the tickets of a fleet in a directory come to.

    Raises:
        TrustError: a file that is named like one cannot be read, so that nobody knows its numbers.
    """
    from orchestrator.trust.errors import in_file
    from orchestrator.trust.files import read_start
    from orchestrator.trust.text import TEXT_BYTES_MAX
    from orchestrator.trust.ticket import parse_ticket

    found = Earlier()
    for path in sorted(directory.glob(f"*{TICKET_SUFFIX}")):
        with in_file(path):
            ticket = parse_ticket(read_start(path, TEXT_BYTES_MAX + 1))
        if ticket.fleet != fleet:
            continue
        later, stricter = ticket.serial >= found.serial, ticket.next_floor > found.least
        found = Earlier(
            serial=max(ticket.serial, found.serial),
            security_version=ticket.security_version if later else found.security_version,
            least=max(ticket.next_floor, found.least),
            least_path=path if stricter else found.least_path,
        )
    return found


def moment_of(text: str, now_s: int) -> int:
    """Seconds of a time, or of a duration from now on.

    Raises:
        TrustError: it is neither.
    """
    try:
        return int(moment(text, now=now_s))
    except ValueError as error:
        raise _refuse(str(error), MOMENT_HINT) from error


def _openings(texts: Sequence[str], now_s: int) -> tuple[Opening, ...]:
    from orchestrator.trust.ticket import Opening

    found = []
    for text in texts:
        percent_text, _, time_text = text.partition("@")
        percent = percent_text.removesuffix("%")
        if not (time_text and percent.isascii() and percent.isdecimal()):
            raise _refuse(f"`{text}` is not PERCENT@TIME", _OPEN_HINT)
        found.append(Opening(int(percent), moment_of(time_text, now_s)))
    return tuple(found)


def _check_times(ticket: Ticket) -> None:
    if ticket.expires_s <= ticket.issued_s:
        raise _refuse("the ticket has expired already", "let it expire later, as `--expires 30d`")
    if ticket.expires_s - ticket.issued_s > LIFE_S_MAX:
        message = "the ticket would be good for more than five years"
        raise _refuse(message, "let it expire earlier; a new ticket needs no new artifact")


def _check_openings(ticket: Ticket) -> None:
    for first, second in pairwise(ticket.openings):
        if second.percent <= first.percent:
            message = f"`open` goes from {first.percent} % to {second.percent} %"
            raise _refuse(message, "a percentage is of all devices: each line lets more in")
        if second.not_before_s < first.not_before_s:
            message = f"{second.percent} % may begin before the {first.percent} % among them"
            raise _refuse(message, "times do not fall from one `open` to the next")
    for opening in ticket.openings:
        if not 1 <= opening.percent <= _EVERYBODY:
            message = f"`open` goes from 1 % to 100 %, not {opening.percent} %"
            raise _refuse(message, _OPEN_HINT)
        if opening.not_before_s >= ticket.expires_s:
            message = f"the ticket has expired before its {opening.percent} % may begin"
            raise _refuse(message, "let it expire later, with `--expires`")


def _check_numbers(ticket: Ticket, earlier: Earlier) -> None:
    from orchestrator.trust.errors import TrustRule, refuse

    least = ticket.min_security_version
    if least is not None and least > ticket.security_version:
        message = f"devices would refuse less than {least}, and this is {ticket.security_version}"
        raise _refuse(message, "`--min-security-version` is at most `--security-version`")
    if ticket.serial < earlier.serial:
        message = f"serial {ticket.serial} is below {earlier.serial} of a ticket that lies beside"
        hint = f"devices that took that one refuse it; `--serial {earlier.serial + 1}`, or leave it out"
        raise refuse(TrustRule.SERIAL, message, hint=hint)
    if ticket.security_version < earlier.least:
        message = (
            f"security version {ticket.security_version} is below {earlier.least}, which devices"
            f" hold after `{earlier.least_path}`"
        )
        hint = f"`--security-version {earlier.least}` or more"
        raise refuse(TrustRule.SECURITY_VERSION, message, hint=hint)


def _refuse(message: str, hint: str) -> TrustError:
    from orchestrator.trust.errors import TrustRule, refuse

    return refuse(TrustRule.RELEASE, message, hint=hint)
