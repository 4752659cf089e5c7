"""Release tickets: what may run where, until when, and which share of a fleet may begin when.

The first line tells a ticket from everything else that a key may have signed. Times are Unix
seconds. docs/reference/release.md has the format.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.trust.errors import TrustRule
from orchestrator.trust.text import Lines

DEVICE_TYPES_MAX = 16
OPENINGS_MAX = 16
_HEAD = "fleet-release"
_VERSION = "1"
_PERCENT_MAX = 100


@dataclass(frozen=True, slots=True)
class Opening:
    """From `not_before_s` on, the first `percent` of 100 buckets may begin."""

    percent: int
    not_before_s: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A release of one artifact for one fleet.

    `min_security_version` is None where the line is left out; without `openings` everybody may
    begin at once, and whom the last of them does not reach is never let in by this ticket.
    """

    fleet: str
    serial: int
    issued_s: int
    expires_s: int
    security_version: int
    device_types: tuple[str, ...]
    artifact: str
    manifest_sha256: str
    min_security_version: int | None = None
    openings: tuple[Opening, ...] = ()

    @property
    def next_floor(self) -> int:
        """What a device's security floor rises to once it has committed this release."""
        least = self.min_security_version
        return self.security_version if least is None else least

    def is_open(self, bucket: int, at_s: int) -> bool:
        """Whether a device of this bucket may begin."""
        if not self.openings:
            return True
        return any(
            bucket < opening.percent and opening.not_before_s <= at_s for opening in self.openings
        )


def parse_ticket(data: bytes) -> Ticket:
    """The ticket that a file holds; says nothing about who signed it.

    Raises:
        TrustError: it is none, to the byte.
    """
    lines = Lines(data, "ticket")
    if lines.one(_HEAD) != _VERSION:
        raise lines.wrong(TrustRule.TEXT_VALUE, f"is not `{_HEAD} {_VERSION}`")
    fleet = lines.name(lines.one("fleet"))
    serial = lines.number(lines.one("serial"))
    issued_s = lines.number(lines.one("issued"))
    expires_s = lines.number(lines.one("expires"))
    if expires_s <= issued_s:
        raise lines.wrong(TrustRule.TEXT_VALUE, "expires before it was issued")
    security_version = lines.number(lines.one("security-version"))
    least = lines.maybe("min-security-version")
    ticket = Ticket(
        fleet=fleet,
        serial=serial,
        issued_s=issued_s,
        expires_s=expires_s,
        security_version=security_version,
        min_security_version=None if least is None else lines.number(least, most=security_version),
        device_types=_device_types(lines),
        artifact=lines.long_name(lines.one("artifact")),
        manifest_sha256=lines.sha256(lines.one("manifest-sha256")),
        openings=_openings(lines),
    )
    lines.end()
    return ticket


def write_ticket(ticket: Ticket) -> bytes:
    """The ticket as the one text that stands for it.

    Raises:
        TrustError: a value has no place in a ticket.
    """
    least = ticket.min_security_version
    lines = [
        f"{_HEAD} {_VERSION}",
        f"fleet {ticket.fleet}",
        f"serial {ticket.serial}",
        f"issued {ticket.issued_s}",
        f"expires {ticket.expires_s}",
        f"security-version {ticket.security_version}",
        *([] if least is None else [f"min-security-version {least}"]),
        *(f"device-type {name}" for name in ticket.device_types),
        f"artifact {ticket.artifact}",
        f"manifest-sha256 {ticket.manifest_sha256}",
        *(f"open {opening.percent} {opening.not_before_s}" for opening in ticket.openings),
    ]
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    read = parse_ticket(data)
    assert read == ticket, "what is written is read the same"
    return data


def _device_types(lines: Lines) -> tuple[str, ...]:
    first = lines.long_name(lines.one("device-type"))
    others = lines.many("device-type", DEVICE_TYPES_MAX - 1)
    found = (first, *(lines.long_name(name) for name in others))
    if not _is_rising(found):
        raise lines.wrong(TrustRule.TEXT_VALUE, "ends device types that are not sorted or distinct")
    return found


def _openings(lines: Lines) -> tuple[Opening, ...]:
    found = []
    for value in lines.many("open", OPENINGS_MAX):
        percent, not_before = lines.words(value, 2)
        opening = Opening(
            lines.number(percent, least=1, most=_PERCENT_MAX), lines.number(not_before)
        )
        found.append(opening)
    if not _is_rising([opening.percent for opening in found]):
        raise lines.wrong(TrustRule.TEXT_VALUE, "ends `open` lines whose percentages do not rise")
    times = [opening.not_before_s for opening in found]
    if times != sorted(times):
        raise lines.wrong(TrustRule.TEXT_VALUE, "ends `open` lines whose times fall")
    return tuple(found)


def _is_rising(values: Sequence[str] | Sequence[int]) -> bool:
    return all(first < second for first, second in itertools.pairwise(values))  # type: ignore[operator]  # of one type
