"""What was done beside rollouts: lines for people, a document for programs.

Law: devices, commits and whoever wrote into the store have their words in it; none reaches a
terminal unescaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.render.text import Look, Style, escape, in_full, wrap
from orchestrator.render.words import instant, reason_words, state_words
from orchestrator.rollout.acts import OK, ActTold, End
from orchestrator.rollout.events import Value
from orchestrator.units import format_duration, format_size

FORMAT_VERSION = "1.0"
VALUE_CELLS_MAX = 80


def acts_document(acts: Sequence[ActTold]) -> dict[str, object]:
    """Acts as data (schemas/acts.v1.json)."""
    return {"format_version": FORMAT_VERSION, "kind": "acts", "acts": [_row(one) for one in acts]}


def _row(one: ActTold) -> dict[str, object]:
    end = one.end
    return {
        "seq": one.number,
        "at": one.at,
        "act": one.kind,
        "device": one.device or None,
        "who": one.who,
        "why": one.why,
        "data": dict(one.what),
        "open": one.is_open,
        "end": None
        if end is None
        else {
            "at": end.at,
            "result": end.result,
            "detail": end.detail,
            "data": dict(end.what),
        },
    }


def acts_text(acts: Sequence[ActTold], look: Look) -> str:
    """Acts in order, each with who, why and what came of it."""
    if not acts:
        return "nothing was done here beside rollouts\n"
    lines: list[str] = []
    for one in acts:
        subject = f" {escape(one.device)}" if one.device else ""
        head = f"{one.number} {instant(one.at)} {state_words(one.kind)}{subject}"
        lines += wrap(f"{head} by {escape(one.who)}{_values(one.what)}", look.width, indent="    ")
        if one.why:
            lines += wrap(f"why: {in_full(one.why)}", look.width, first="    ", indent="      ")
        if came := _came_of(one, look):
            lines += wrap(came, look.width, first="    ", indent="      ")
    return "\n".join(lines) + "\n"


def _came_of(one: ActTold, look: Look) -> str:
    if one.end is not None:
        return _ended(one.end, one.end.at - one.at)
    no_end = "no end is recorded: it goes on, or whoever did it was killed"
    return look.paint(no_end, Style.WARN) if one.is_open else ""


def _ended(end: End, took_s: float) -> str:
    result = "ended well" if end.result == OK else f"ended: {reason_words(end.result)}"
    detail = f": {escape(end.detail)}" if end.detail else ""
    return f"{result} after {format_duration(round(max(0.0, took_s)))}{detail}{_values(end.what)}"


def _values(what: Mapping[str, Value]) -> str:
    """Further values as `key value`, those of sizes as people write them."""
    return "".join(f", {_value(key, one)}" for key, one in what.items())


def _value(key: str, value: Value) -> str:
    words = escape(key.replace("_", " "), limit=40)
    if key.endswith("_bytes") and isinstance(value, int):
        return f"{words.removesuffix(' bytes')} {format_size(value)}"
    if key.endswith("_at") and isinstance(value, int | float):
        return f"{words.removesuffix(' at')} {instant(value)}"
    return f"{words} {escape(str(value), limit=VALUE_CELLS_MAX)}"
