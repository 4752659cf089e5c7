"""What a release ticket lets happen when, for people: which of its lines stops which wave."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.plan.preview import WavePreview
from orchestrator.plan.resolved import PlannedTicket, PlannedTrust
from orchestrator.plan.ticket_fit import WaveOpening
from orchestrator.plan.trust_groups import TrustGroup
from orchestrator.render.text import escape, number, plural
from orchestrator.render.words import instant, instants

NAMES_MAX = 5
GROUPS_MAX = 5  # the JSON form has all


def ticket_words(ticket: PlannedTicket | None, zone: str) -> str:
    """What releases an artifact; a fleet without a trust root reads here that nothing does."""
    if ticket is None:
        return "none: devices take the artifact by its signature alone"
    fleet, until = escape(ticket.fleet), instant(ticket.expires_at, zone)
    words = f"serial {ticket.serial} of fleet {fleet}, good until {until}; devices judge it"
    if not ticket.openings:
        return words
    times = instants((each.opens_at for each in ticket.openings), zone)
    opens = [f"{each.percent} % from {at}" for each, at in zip(ticket.openings, times, strict=True)]
    return f"{words}, and let begin {', '.join(opens)}"


def trust_words(groups: Sequence[TrustGroup]) -> str:
    """What devices hold the release against; "" where none of them has a trust root."""
    if all(group.trust is None for group in groups):
        return ""
    parts = [f"{_held(group.trust)} ({number(len(group.devices))})" for group in groups]
    more = len(parts) - GROUPS_MAX
    return "; ".join(parts[:GROUPS_MAX]) + (f"; and {more} more" if more > 0 else "")


def _held(trust: PlannedTrust | None) -> str:
    if trust is None:
        return "no trust root: any signed artifact"
    version, floor, serial = (
        "unknown" if value is None else number(value)
        for value in (trust.root_version, trust.security_floor, trust.serial)
    )
    fleet = "" if trust.fleet is None else f" of {escape(trust.fleet)}"
    means = [f"{', '.join(trust.kinds)} keys"] if trust.kinds else []
    stands_in = "ssh-keygen" if trust.reads_ssh else "usign or signify"
    means += [f"{stands_in} in place of openssl"] if trust.lacks_openssl else []
    held = f"root {version}{fleet}, floor {floor}, serial {serial}"
    return f"{held}, {', '.join(means) or 'no keys'}"


def opening_words(wave: WavePreview, zone: str) -> list[str]:
    """Where the lines of the ticket stop a wave, for how many devices, and until when."""
    return [_stops(wave, opening, zone) for opening in wave.openings if opening.stops]


def _stops(wave: WavePreview, opening: WaveOpening, zone: str) -> str:
    count = len(opening.devices)
    if opening.opens_at is None:
        names = ", ".join(opening.devices[:NAMES_MAX])
        more = f" and {number(count - NAMES_MAX)} more" if count > NAMES_MAX else ""
        which = plural(count, "device")
        return (
            f"no line of the ticket ever lets {which} in, if they have a trust root: {names}{more}"
        )
    which = f"{number(count)} of its {plural(wave.devices_count, 'device')}"
    if count == wave.devices_count:
        which = "its one device" if count == 1 else f"its {plural(count, 'device')}"
    line = f"`open {opening.percent}`"
    return (
        f"the ticket ({line}) lets {which} begin at {instant(opening.opens_at, zone)}, not before"
    )
