"""Whether devices are as they were left: text for people, a document (schemas/drift.v1.json)."""

from __future__ import annotations

from collections import Counter

from orchestrator.render.fleet import (
    FORMAT_VERSION,
    FleetFacts,
    device_document,
    kinds,
    section,
    trouble_words,
    why_words,
)
from orchestrator.render.text import Look, Style, Symbol, escape, number, plural, wrap
from orchestrator.rollout.drift import Drift, FleetDevice

_SECTIONS = (
    (Drift.DIFFERS, "not as the last rollout left them", Symbol.FAILED, Style.BAD),
    (Drift.UNKNOWN, "not known", Symbol.WARNING, Style.WARN),
)


def text(facts: FleetFacts, look: Look) -> str:
    """What differs and what is not known, for people."""
    lines = wrap(_head(facts), look.width, indent="  ")
    for drift, title, symbol, style in _SECTIONS:
        of_kind = [device for device in facts.devices if device.judged.drift is drift]
        if said := kinds(of_kind, _words):
            lines += ["", *section(title, said, look, symbol, style)]
    return "\n".join(lines) + "\n"


def _head(facts: FleetFacts) -> str:
    counts = Counter(device.judged.drift for device in facts.devices)
    said = f"{plural(len(facts.devices), 'device')} of {escape(facts.pattern)}: "
    said += f"{number(counts[Drift.SAME])} as the last rollout left them, "
    said += f"{number(counts[Drift.DIFFERS])} different, {number(counts[Drift.UNKNOWN])} not known"
    return said if facts.asked else f"{said}; nobody was asked"


def _words(device: FleetDevice) -> str:
    unknown = device.judged.drift is Drift.UNKNOWN
    why = trouble_words(device) if unknown else ""
    return f"{why_words(device)}: {why}" if why else why_words(device)


def document(facts: FleetFacts) -> dict[str, object]:
    """The comparison as data; devices that are as they were left are counted, not listed."""
    counts = Counter(device.judged.drift for device in facts.devices)
    return {
        "format_version": FORMAT_VERSION,
        "kind": "drift",
        "pattern": facts.pattern,
        "component": facts.component,
        "at": facts.at,
        "asked": facts.asked,
        "counts": {drift.value: counts[drift] for drift in Drift},
        "devices": [
            device_document(device)
            for device in facts.devices
            if device.judged.drift is not Drift.SAME
        ],
    }
