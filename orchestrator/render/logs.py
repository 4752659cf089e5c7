"""All that is known of what happened to one device: text for people, a document for programs.

Law: no entry is left out, and nothing that a device said reaches a terminal unescaped.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.device.reason import Reason
from orchestrator.render.text import Look, Style, escape, wrap
from orchestrator.render.why import WhyFacts, head_words, history_document, history_lines
from orchestrator.render.words import reason_words

FORMAT_VERSION = "1.0"
LINE_CHARS_MAX = 2000


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What the device keeps of its update module, or why it gave nothing; both untrusted."""

    text: str
    reason: Reason
    detail: str


def text(facts: WhyFacts, log: LogFacts | None, look: Look) -> str:
    """Where the device stands, every entry of it, oldest first, and then its own log.

    Args:
        facts: the device's story.
        log: what the device keeps; None where it was not asked.
        look: width and colours.
    """
    lines = wrap(head_words(facts), look.width, first="", indent="  ")
    lines += history_lines(facts.journal, look) or ["  nothing was done with it yet"]
    if log is not None:
        lines += ["", *_log(log, look)]
    return "\n".join(lines) + "\n"


def _log(log: LogFacts, look: Look) -> list[str]:
    if log.reason is not Reason.OK:
        why = f"no log of its update module: {reason_words(log.reason, log.detail)}"
        return wrap(why, look.width, first="", indent="  ")
    if not log.text:
        return ["its update module said nothing"]
    lines = [look.paint("what its update module said last", Style.BOLD)]
    for line in log.text.rstrip("\n").split("\n"):
        lines += wrap(escape(line, limit=LINE_CHARS_MAX), look.width, first="  ", indent="    ")
    return lines


def document(facts: WhyFacts, log: LogFacts | None) -> dict[str, object]:
    """The same as data (schemas/logs.v1.json)."""
    story = facts.story
    return {
        "format_version": FORMAT_VERSION,
        "kind": "logs",
        "rollout": facts.rollout_id,
        "device": story.device,
        "wave": story.wave,
        "state": story.state.value,
        "reason": story.reason.value,
        "detail": story.detail,
        "history": history_document(facts.journal),
        "module_log": None if log is None else _log_document(log),
    }


def _log_document(log: LogFacts) -> dict[str, object]:
    given = log.reason is Reason.OK
    return {
        "text": log.text if given else None,
        "reason": log.reason.value,
        "detail": log.detail,
    }
