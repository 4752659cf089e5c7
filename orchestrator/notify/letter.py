"""A notice as an e-mail: plain text, in which nothing that a device or a plan says can be more.

Laws:
1. A character that is not printable stands as its escape; so no header can be added, and no line
   of the body can pretend to be another.
2. The same notice gives the same letter with the same Message-ID, by which mail programs know one
   that comes twice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from orchestrator.rollout.notices import Notice

SUBJECT_CHARS_MAX = 200


def letter(notice: Notice, *, sender: str, recipient: str, source: str) -> EmailMessage:
    """The message."""
    made = EmailMessage()
    made["From"] = sender
    made["To"] = recipient
    made["Subject"] = plain(_subject(notice))[:SUBJECT_CHARS_MAX]
    made["Date"] = format_datetime(datetime.fromtimestamp(notice.at, UTC))
    made["Message-ID"] = f"<{notice.rollout_id}.{notice.seq}@{source.rpartition(':')[2]}.invalid>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content("".join(f"{plain(line)}\n" for line in _lines(notice)))
    return made


def plain(text: str) -> str:
    """The text with all that is not printable escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )


def _subject(notice: Notice) -> str:
    event = notice.event.value.replace("_", " ")
    return f"[rollout] {event}: {notice.plan} {notice.release} ({notice.rollout_id})"


def _lines(notice: Notice) -> list[str]:
    facts = {
        "event": notice.event.value.replace("_", " "),
        "time": datetime.fromtimestamp(notice.at, UTC).isoformat(timespec="seconds"),
        "rollout": notice.rollout_id,
        "plan": f"{notice.plan}, release {notice.release}",
        "wave": notice.wave,
        "device": notice.device,
        "cause": notice.cause.replace("_", " "),
        "detail": notice.detail,
        "who": notice.who,
        "devices": f"{notice.devices}: " + _listed(notice.counts),
        "reasons": _listed(notice.reasons),
    }
    shown = [f"{name}: {text}" for name, text in facts.items() if text]
    return [*shown, "", f"rollout status {notice.rollout_id}"]


def _listed(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
