"""Why a device is where it is: text for people, a document for programs (schemas/why.v1.json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.device.reason import Reason
from orchestrator.render.entries import entry_words
from orchestrator.render.text import Look, escape, in_full, shell_word, wrap
from orchestrator.render.words import DEVICE_WORDS, reason_words, state_words
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import AT_WORK, WAITING
from orchestrator.rollout.why import DeviceStory, Missed, Wait
from orchestrator.units import format_duration

FORMAT_VERSION = "1.0"
LINES_MAX = 12  # newest journal lines shown; `rollout logs` has all

_WAITS: Mapping[str, str] = {
    "rollout_stopped": "the rollout is stopped:",
    "start": "the rollout has not begun",
    "freeze": "frozen:",
    "rollout": "another rollout goes first:",
    "requires": "another plan has to run first:",
    "wave": "its wave has not begun: wave",
    "preflight": "the gates before its wave have not passed",
    "hours": "it may not be changed at this hour",
    "ticket": "the release ticket does not let it begin yet",
    "slots": "no slot is free:",
    "parallel": "its wave is at its limit:",
    "ahead": "others go first:",
    "rate": "the rate of starts:",
    "bound": "slow start:",
    "retry": "it is tried again after",
    "answer": "it is asked until it answers",
    "gate": "the next sample of gate",
    "deferred": "it was away and is not asked again",
    "follow": "it may still follow",
}


@dataclass(frozen=True, slots=True)
class WhyFacts:
    """A device's story with its journal lines, oldest first; `now` is UTC seconds.

    `engine` names who drives the rollout, empty for nobody; `go_on` is the command with which
    somebody does, empty where it is over.
    """

    rollout_id: str
    story: DeviceStory
    journal: Sequence[JournalEntry]
    now: float
    engine: str
    go_on: str


def text(facts: WhyFacts, look: Look) -> str:
    """The story for people."""
    story = facts.story
    lines = wrap(head_words(facts), look.width, first="", indent="  ")
    if story.missed is not None:
        lines += wrap(_missed(story.missed), look.width, first="  ", indent="    ")
    waits = bool(story.waits) or (story.missed is None and story.state in AT_WORK | WAITING)
    if waits and facts.go_on and not facts.engine:
        nobody = f"no engine drives the rollout: none of this goes on before `{facts.go_on}`"
        lines += wrap(nobody, look.width, first="  ", indent="    ")
    for wait in story.waits:
        lines += wrap(_wait(wait, facts.now), look.width, first="  waits: ", indent="    ")
    if not waits and story.wave and story.missed is None:
        lines.append("  waits for nothing")
    shown = facts.journal[-LINES_MAX:]
    if shown:
        lines += ["", "history:"]
    lines += history_lines(shown, look)
    more = len(facts.journal) - len(shown)
    if more > 0:
        lines.append(
            f"  {more} older lines: rollout logs {facts.rollout_id} {shell_word(story.device)}"
        )
    return "\n".join(lines) + "\n"


def history_lines(journal: Sequence[JournalEntry], look: Look) -> list[str]:
    """Entries of one device, each with its time."""
    told = (f"{_time(entry.at)} {entry_words(entry)}" for entry in journal)
    return [line for text in told for line in wrap(text, look.width, first="  ", indent="    ")]


def history_document(journal: Sequence[JournalEntry]) -> list[dict[str, object]]:
    """The same as data."""
    return [
        {"seq": entry.seq, "ts": entry.at, "type": entry.type, "data": dict(entry.data)}
        for entry in journal
    ]


def head_words(facts: WhyFacts) -> str:
    """Where the device stands in its rollout, and for which reason."""
    story = facts.story
    said = f"{escape(story.device)}: {DEVICE_WORDS[story.state]}"
    if story.reason not in (Reason.OK, story.state.value):
        said += f" ({reason_words(story.reason, story.detail)})"
    if story.since is not None:
        said += f" since {_time(story.since)}"
    if not story.wave:
        return f"{said}: it was left out of rollout {facts.rollout_id} when the plan was made"
    said += f", in wave {escape(story.wave)} of rollout {facts.rollout_id}"
    if story.attempt > 1:
        said += f", attempt {story.attempt}"
    if story.may_run_new:
        said += "; it runs, or may run, the new version because of it"
    return said


def _missed(missed: Missed) -> str:
    stops = "".join(f"; {in_full(stop)}" for stop in missed.stops)
    return f"never begun: the rollout was over before its turn: {state_words(missed.state)}{stops}"


def _wait(wait: Wait, now: float) -> str:
    said = _WAITS[wait.what]
    if wait.detail:
        said += f" {in_full(wait.detail)}"
    if wait.until_at is not None:
        left = format_duration(max(0, round(wait.until_at - now)))
        said += f", until {_time(wait.until_at)} (in {left})"
    return said


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def document(facts: WhyFacts) -> dict[str, object]:
    """The story as data."""
    story = facts.story
    return {
        "format_version": FORMAT_VERSION,
        "kind": "why",
        "rollout": facts.rollout_id,
        "engine": facts.engine,
        "device": story.device,
        "wave": story.wave,
        "state": story.state.value,
        "reason": story.reason.value,
        "detail": story.detail,
        "since": story.since,
        "attempt": story.attempt,
        "may_run_new": story.may_run_new,
        "waits": [
            {"what": wait.what, "detail": wait.detail, "until": wait.until_at}
            for wait in story.waits
        ],
        "missed": None
        if story.missed is None
        else {"state": story.missed.state.value, "stops": list(story.missed.stops)},
        "history": history_document(facts.journal),
    }
