"""What runs where: text for people, a document for programs (schemas/fleet.v1.json).

Counts come first, equal results are put together, and only who stands out is named with a reason.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.render.causes import likeness, other_wordings
from orchestrator.render.names import fold_line
from orchestrator.render.table import Cell, Column, Row, table
from orchestrator.render.text import Look, Style, Symbol, escape, number, plural, wrap
from orchestrator.render.words import instant, reason_words
from orchestrator.rollout.drift import Drift, FleetDevice

FORMAT_VERSION = "1.0"
BY_VERSION, BY_HARDWARE = "version", "hardware"
NEVER_SEEN, NOT_KNOWN = "never seen", "not known"
KINDS_MAX = 10  # kinds of results that one section shows; JSON has all
NAME_CELLS_MAX = 40
_INDENT = "    "
_BAD, _ODD = (Symbol.FAILED, Style.BAD), (Symbol.WARNING, Style.WARN)
Said = tuple[str, Sequence[str]]  # words, escaped, and the devices of which they are said


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """Devices of a pattern at a time (UTC seconds); `asked`: they were asked just then."""

    pattern: str
    component: str
    at: float
    asked: bool
    devices: Sequence[FleetDevice]


def value_of(device: FleetDevice, by: str) -> str:
    """The group that a device is in; untrusted text."""
    if by == BY_VERSION:
        unseen = NEVER_SEEN if device.seen is None and not device.is_in_doubt else NOT_KNOWN
        return device.version or unseen
    value = device.hardware if by == BY_HARDWARE else device.labels.get(by, "")
    return value or f"no {by}"


def grouped(devices: Sequence[FleetDevice], by: str) -> list[tuple[str, list[FleetDevice]]]:
    """Groups of devices, the largest first."""
    groups: dict[str, list[FleetDevice]] = {}
    for device in devices:
        groups.setdefault(value_of(device, by), []).append(device)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def text(facts: FleetFacts, by: str, look: Look) -> str:
    """The fleet for people."""
    groups = grouped(facts.devices, by)
    lines = wrap(_head(facts), look.width, indent="  ")
    if groups:
        lines += ["", *_table_lines(groups, by, look, len(facts.devices))]
    for each in SECTIONS:
        meant = [device for device in facts.devices if each.is_meant(device)]
        symbol, style = _BAD if each.is_bad else _ODD
        if meant:
            lines += ["", *section(each.title, kinds(meant, each.words), look, symbol, style)]
    if said := [f"`{command}` {what}" for command, what in _next(facts)]:
        lines += ["", *(line for words in said for line in wrap(words, look.width, indent="  "))]
    return "\n".join(lines) + "\n"


def _head(facts: FleetFacts) -> str:
    versions = {device.version for device in facts.devices} - {None}
    said = f"{plural(len(facts.devices), 'device')} of {escape(facts.pattern)}"
    if facts.component != "main":
        said += f", component {escape(facts.component)}"
    said += f": {plural(len(versions), 'version')}"
    if not facts.asked:
        return f"{said}; as last seen, nobody was asked"
    silent = sum(device.trouble is not None for device in facts.devices)
    answered = number(len(facts.devices) - silent)
    return f"{said}; {answered} answered at {instant(facts.at)}"


def _table_lines(
    groups: Sequence[tuple[str, Sequence[FleetDevice]]], by: str, look: Look, total_count: int
) -> Iterator[str]:
    rows: list[Row] = []
    for value, devices in groups:
        times = [device.seen.at for device in devices if device.seen is not None]
        share = f"{100 * len(devices) / total_count:.0f} %"
        newest = instant(max(times)) if times else ""
        oldest = instant(min(times)) if times else ""
        rows.append(
            [
                Cell(escape(value, limit=NAME_CELLS_MAX), Style.BOLD),
                number(len(devices)),
                share,
                newest,
                oldest if oldest != newest else "",
            ]
        )
    columns = (
        Column(escape(by, limit=NAME_CELLS_MAX), flex=True), Column("devices", right=True),
        Column("share", right=True, drop=3), Column("last seen", drop=1), Column("oldest", drop=2),
    )  # fmt: skip
    head, *lines = table(columns, rows, look, indent="  ")
    yield head
    for line, (_value, devices) in zip(lines, groups, strict=True):
        yield line
        if by != BY_VERSION:
            yield from wrap(_versions(devices, look), look.width, first=_INDENT, indent=_INDENT)
        yield _INDENT + fold_line([each.id for each in devices], look.width - 4, look)


def _versions(devices: Sequence[FleetDevice], look: Look) -> str:
    counts = Counter(value_of(device, BY_VERSION) for device in devices)
    times = look.sign(Symbol.TIMES)
    return ", ".join(
        f"{escape(version, limit=NAME_CELLS_MAX)} {times}{number(count)}"
        for version, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def section(
    title: str, said: Sequence[Said], look: Look, symbol: Symbol, style: Style
) -> list[str]:
    """A title with a count, and below it each kind of result with its devices."""
    count = sum(len(names) for _words, names in said)
    sign = look.paint(look.sign(symbol), style)
    lines = [f"{sign} {look.paint(f'{number(count)} {title}', Style.BOLD)}"]
    for words, names in said[:KINDS_MAX]:
        if words:
            lines += wrap(words, look.width, first="  ", indent="    ")
        lines.append(_INDENT + fold_line(list(names), look.width - 4, look))
    if len(said) > KINDS_MAX:
        lines.append(f"  and {plural(len(said) - KINDS_MAX, 'kind')} more: `--format json` has all")
    return lines


def kinds(devices: Iterable[FleetDevice], words: Callable[[FleetDevice], str]) -> list[Said]:
    """The devices by what is said of them, the most frequent first.

    Why devices did not answer is one kind apart from numbers and their own names (`causes`): each
    has an address of its own. The words are those of most of them.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for device in devices:
        said = words(device)
        found.setdefault(_alike(device, said), {}).setdefault(said, []).append(device.id)
    return sorted(map(_kind, found.values()), key=lambda item: (-len(item[1]), item[0]))


def _alike(device: FleetDevice, said: str) -> str:
    why = trouble_words(device)
    return said.replace(why, likeness("", why, device.id)[1]) if why else said


def _kind(wordings: Mapping[str, list[str]]) -> Said:
    said, _names = max(wordings.items(), key=lambda item: len(item[1]))
    more = f" ({other_wordings(len(wordings) - 1)})" if len(wordings) > 1 else ""
    return said + more, [name for names in wordings.values() for name in names]


class Section(NamedTuple):
    """Who stands out, and what is said of each."""

    title: str
    is_meant: Callable[[FleetDevice], bool]
    words: Callable[[FleetDevice], str]
    is_bad: bool = False


def _never_seen(device: FleetDevice) -> bool:
    return value_of(device, BY_VERSION) == NEVER_SEEN


def _is_silent(device: FleetDevice) -> bool:
    return device.trouble is not None and not device.is_quarantined and not device.has_old_helper


def why_words(device: FleetDevice) -> str:
    """How a device compares with what was left, in words."""
    return escape(device.judged.why)


def held_words(device: FleetDevice) -> str:
    """Why it is held; empty where it is not."""
    return "" if device.held is None else escape(device.held.text)


def trouble_words(device: FleetDevice) -> str:
    """Why it told nothing; empty where it did."""
    return (
        "" if device.trouble is None else reason_words(device.trouble.reason, device.trouble.detail)
    )


def helper_words(device: FleetDevice) -> str:
    """The version of its helper, as far as it is known."""
    if device.seen is not None and device.seen.helper:
        return f"helper {escape(device.seen.helper, limit=NAME_CELLS_MAX)}"
    return trouble_words(device)


def _quarantine_words(device: FleetDevice) -> str:
    return held_words(device) if device.held is not None else trouble_words(device)


def _open_words(device: FleetDevice) -> str:
    if device.seen is not None and device.seen.state:
        return f"in {escape(device.seen.state, limit=NAME_CELLS_MAX)}"
    return why_words(device)


SECTIONS = (
    Section(
        "drifted",
        lambda each: each.judged.drift is Drift.DIFFERS,
        why_words,
        is_bad=True,
    ),
    Section("quarantined", lambda each: each.is_quarantined, _quarantine_words, is_bad=True),
    Section("held", lambda each: each.held is not None and not each.is_quarantined, held_words),
    Section("with an unconfirmed update", lambda each: each.is_unconfirmed, _open_words),
    Section(
        "of which nobody knows what they run",
        lambda each: each.is_in_doubt and not each.is_unconfirmed,
        why_words,
        is_bad=True,
    ),
    Section("with an old helper", lambda each: each.has_old_helper, helper_words),
    Section("gave no answer when last looked at", _is_silent, trouble_words),
    Section("never seen", _never_seen, lambda _each: ""),
)


def _next(facts: FleetFacts) -> Iterator[tuple[str, str]]:
    """Commands that may follow, each with what it does."""
    pattern = escape(shlex.quote(facts.pattern))
    if not facts.asked:
        yield f"rollout fleet {pattern} --refresh", "asks the devices"
    if any(device.judged.drift is Drift.DIFFERS for device in facts.devices):
        yield f"rollout drift {pattern}", "is what a pipeline asks"
    if any(device.held is not None for device in facts.devices):
        yield "rollout device unhold DEVICE --reason TEXT", "lets one take part again"
    if any(device.has_old_helper for device in facts.devices):
        yield "rollout device enroll DEVICE", "brings the helper of this version"


def document(facts: FleetFacts, by: str) -> dict[str, object]:
    """The fleet as data."""
    every = facts.devices
    return {
        "format_version": FORMAT_VERSION,
        "kind": "fleet",
        "pattern": facts.pattern,
        "component": facts.component,
        "at": facts.at,
        "asked": facts.asked,
        "by": by,
        "counts": {
            "devices": len(every),
            "drifted": sum(each.judged.drift is Drift.DIFFERS for each in every),
            "quarantined": sum(each.is_quarantined for each in every),
            "held": sum(each.held is not None for each in every),
            "unconfirmed": sum(each.is_unconfirmed for each in every),
            "old_helper": sum(each.has_old_helper for each in every),
            "never_seen": sum(_never_seen(each) for each in every),
        },
        "groups": [
            {
                "value": value,
                "count": len(devices),
                "versions": dict(Counter(value_of(each, BY_VERSION) for each in devices)),
            }
            for value, devices in grouped(every, by)
        ],
        "devices": [device_document(each) for each in every],
    }


def device_document(device: FleetDevice) -> dict[str, object]:
    """One device as data; nothing is escaped."""
    left, seen, held, trouble = device.left, device.seen, device.held, device.trouble
    return {
        "device": device.id,
        "version": device.version,
        "hardware": device.hardware,
        "labels": dict(device.labels),
        "seen": None if seen is None else {
            "at": seen.at, "by": seen.by.value, "artifact": seen.artifact,
            "manifest": seen.manifest, "settled": seen.settled, "state": seen.state,
            "active": seen.active, "helper": seen.helper,
        },
        "left": None if left is None else {
            "rollout": left.rollout_id, "at": left.at, "standing": left.standing.value,
            "artifact": left.artifact, "manifest": left.manifest,
        },
        "drift": device.judged.drift.value,
        "why": device.judged.why,
        "held": None if held is None else {
            "since": held.since, "why": held.why, "rollout": held.rollout_id,
            "everywhere": held.everywhere,
        },
        "quarantined": device.is_quarantined,
        "unconfirmed": device.is_unconfirmed,
        "old_helper": device.has_old_helper,
        "trouble": None if trouble is None else {
            "at": trouble.at, "reason": trouble.reason.value, "detail": trouble.detail,
        },
    }  # fmt: skip
