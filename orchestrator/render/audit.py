"""What an audit of the journals came to: text for people, a document for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.render.text import Look, escape, fold, number, plural
from orchestrator.render.words import instant, reason_words
from orchestrator.rollout.acts import ACTS
from orchestrator.rollout.audit import Audit, Finding

FORMAT_VERSION = "1.2"
UNASKED_MAX = 20  # devices that the text names; the document has all


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """Devices that were asked; of `unasked` each name, reason and detail, which is untrusted text.

    `blank_count` are those that know nothing of these journals.
    """

    asked_count: int
    blank_count: int
    unasked: tuple[tuple[str, str, str], ...]


def audit_document(
    audit: Audit, checkpoints: str, signers: Sequence[str], fleet: FleetFacts | None = None
) -> dict[str, object]:
    """An audit as data (schemas/audit.v1.json)."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "audit",
        "holds": not audit.findings,
        "rollouts": audit.rollout_count,
        "entries": audit.entry_count,
        "acts": audit.act_count,
        "checkpoints": {
            "file": checkpoints,
            "good": audit.seal_count,
            "newest_at": audit.last_sealed_at,
            "signers": list(signers),
        },
        "devices": None if fleet is None else _fleet_document(audit, fleet),
        "entries_after_checkpoints": audit.unsealed_count,
        "findings": [
            {
                "code": str(one.fault),
                "message": one.message,
                "rollout": one.rollout_id or None,
                "seq": one.seq or None,
                "at": one.at,
                "event": one.event or None,
            }
            for one in audit.findings
        ],
    }


def _fleet_document(audit: Audit, fleet: FleetFacts) -> dict[str, object]:
    return {
        "asked": fleet.asked_count,
        "know_nothing": fleet.blank_count,
        "good": audit.witness_count,
        "not_asked": [
            {"device": device, "reason": reason, "detail": detail}
            for device, reason, detail in fleet.unasked
        ],
    }


def audit_text(
    audit: Audit,
    checkpoints: str,
    signers: Sequence[str],
    fleet: FleetFacts | None = None,
    *,
    look: Look,
) -> str:
    """An audit for people: the verdict, what vouches for it, and each finding."""
    count = (
        f"{plural(audit.rollout_count, 'rollout')}, {plural(audit.entry_count, 'entry', 'entries')}"
    )
    if audit.act_count:
        count += f", {number(audit.act_count)} of them of acts"
    if audit.findings:
        lines = [f"the journals do not hold: {plural(len(audit.findings), 'finding')} ({count})"]
        lines += [_finding(one) for one in audit.findings]
    else:
        lines = [f"the journals hold{short_of(audit, fleet)}: {count}"]
    if fleet is not None:
        lines += _asked(audit, fleet)
    lines += _vouched(audit, escape(checkpoints))
    lines += [f"  signatures count by {escape(one)}" for one in signers]
    return "".join(f"{part}\n" for line in lines for part in _folded(line, look))


def _folded(line: str, look: Look) -> list[str]:
    blanks = len(line) - len(line.lstrip(" "))
    return fold(line, look.width, indent=" " * (blanks + 2))


def short_of(audit: Audit, fleet: FleetFacts | None) -> str:
    """What the word of devices that were to be asked falls short of; empty where it does not."""
    if fleet is None:
        return ""
    if fleet.unasked:
        return ", as far as devices could be asked"
    if audit.entry_count and not audit.witness_count:
        return ", but no device knows anything of them"
    return ""


def _asked(audit: Audit, fleet: FleetFacts) -> list[str]:
    """Who was asked, who was not, and what came of it."""
    answered = fleet.asked_count - len(fleet.unasked)
    found = plural(audit.witness_count, "head")
    line = f"{answered} of {plural(fleet.asked_count, 'device')} answered, {found} of theirs found again"
    if fleet.blank_count:
        line += f"; {fleet.blank_count} of them have nothing of these journals"
    lines = [line]
    for device, reason, detail in fleet.unasked[:UNASKED_MAX]:
        lines.append(f"  not asked: {escape(device)}: {reason_words(reason, detail)}")
    if (more := len(fleet.unasked) - UNASKED_MAX) > 0:
        lines.append(f"  not asked: {more} more")
    return lines


def _vouched(audit: Audit, file: str) -> list[str]:
    if audit.last_sealed_at is None:
        return [f"no checkpoint vouches for them: none that counts is in {file}"]
    found = f"{plural(audit.seal_count, 'checkpoint')} of {file} found again"
    newest = f"the newest of {instant(audit.last_sealed_at)}"
    after = f"{plural(audit.unsealed_count, 'entry', 'entries')} came after the last of a journal"
    return [f"{found}, {newest}; {after}"]


def _finding(one: Finding) -> str:
    place = [_journal(one.rollout_id)] if one.rollout_id else []
    place += [f"entry {one.seq}"] if one.seq else []
    place += [instant(one.at)] if one.at is not None else []
    place += [escape(one.event)] if one.event else []
    where = f"{', '.join(place)}: " if place else ""
    return f"  {one.fault} {where}{escape(one.message)}"


def _journal(rollout_id: str) -> str:
    return "acts" if rollout_id == ACTS else f"rollout {escape(rollout_id)}"
