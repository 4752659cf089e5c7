"""All that the journal has of one device: text for people, a document for programs.

Law: no entry is left out, and nothing that a device said reaches a terminal unescaped.
"""

from __future__ import annotations

from orchestrator.render.text import Look, wrap
from orchestrator.render.why import WhyFacts, head_words, history_document, history_lines

FORMAT_VERSION = "1.0"


def text(facts: WhyFacts, look: Look) -> str:
    """Where the device stands, and every entry of it, oldest first."""
    lines = wrap(head_words(facts), look.width, first="", indent="  ")
    lines += history_lines(facts.journal, look) or ["  nothing was done with it yet"]
    return "\n".join(lines) + "\n"


def document(facts: WhyFacts) -> dict[str, object]:
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
    }
