"""Where stored rollouts stand: one in full, or all in a table; text and data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.render.documents import commit_document
from orchestrator.render.standing import Facts, is_interrupted
from orchestrator.render.summary import summary
from orchestrator.render.table import Cell, Column, Row, table
from orchestrator.render.text import Look, Style, escape, number, wrap
from orchestrator.render.words import ROLLOUT_STYLES, instant, state_words
from orchestrator.rollout.runs import Runs
from orchestrator.rollout.states import PROVEN
from orchestrator.rollout.story import Trouble, WaveStory

FORMAT_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Unread:
    """A stored rollout that this version cannot read, and why."""

    rollout_id: str
    plan_name: str
    state: str
    why: str


def text(facts: Facts, look: Look) -> str:
    """One rollout for people."""
    return "\n".join(summary(facts, look, here="status")) + "\n"


def table_text(rollouts: Sequence[Facts | Unread], look: Look) -> str:
    """All rollouts for people, newest first; below, why some cannot be read."""
    if not rollouts:
        return "no rollouts yet\n"
    rows = [_unread_row(one) if isinstance(one, Unread) else _row(one) for one in rollouts]
    columns = (
        Column("rollout"),
        Column("state"),
        Column("plan", flex=True, drop=4),
        Column("artifact", flex=True),
        Column("wave", flex=True, drop=1),
        Column("updated", right=True),
        Column("unchanged", right=True, drop=2),
        Column("began", drop=3),
        Column("driven by", flex=True, drop=5),
    )
    lines = list(table(columns, rows, look))
    for one in rollouts:
        if isinstance(one, Unread):
            lines += wrap(escape(one.why), look.width, first="", indent="  ")
    return "\n".join(lines) + "\n"


def _row(facts: Facts) -> Row:
    story = facts.story
    state = Cell(state_words(story.state), ROLLOUT_STYLES[story.state])
    if is_interrupted(facts):
        state = Cell("interrupted", Style.WARN)
    updated = sum(wave.counts.get(state, 0) for wave in story.waves for state in PROVEN)
    return [
        story.rollout_id,
        state,
        escape(facts.plan.name, limit=40),
        escape(facts.plan.artifact.name, limit=40),
        escape(story.wave, limit=24),
        f"{number(updated)}/{number(story.devices)}",
        number(story.unchanged) if story.unchanged else "",
        instant(story.started_at),
        escape(facts.engine, limit=40),
    ]


def _unread_row(one: Unread) -> Row:
    unread = Cell(f"{state_words(one.state)}, not readable", Style.BAD)
    return [one.rollout_id, unread, escape(one.plan_name, limit=40), *[""] * 6]


def document(facts: Facts) -> dict[str, object]:
    """One rollout as data (schemas/status.v1.json)."""
    return {"format_version": FORMAT_VERSION, "kind": "status", **_rollout(facts)}


def list_document(rollouts: Sequence[Facts | Unread]) -> dict[str, object]:
    """All rollouts as data, newest first; those that cannot be read in a list of their own."""
    found = [_rollout(one) for one in rollouts if isinstance(one, Facts)]
    unread = [
        {"rollout": one.rollout_id, "plan_name": one.plan_name, "state": one.state, "why": one.why}
        for one in rollouts
        if isinstance(one, Unread)
    ]
    return {
        "format_version": FORMAT_VERSION,
        "kind": "rollouts",
        "rollouts": found,
        "unreadable": unread,
    }


def _rollout(facts: Facts) -> dict[str, object]:
    story, plan = facts.story, facts.plan
    return {
        "rollout": story.rollout_id,
        "plan": {"name": plan.name, "release": plan.release, "file": plan.plan_file},
        "artifact": {"name": plan.artifact.name, "sha256": plan.artifact.sha256},
        "plan_sha256": facts.digest,
        "commit": commit_document(plan.commit),
        "state": str(story.state),
        "wave": story.wave,
        "engine": facts.engine,
        "started_at": story.started_at,
        "at": story.at,
        "stops": [{"cause": str(stop.cause), "detail": stop.detail} for stop in story.stops],
        "deferred": {
            "devices": story.deferred.devices,
            "given_up": story.deferred.given_up,
            "next_at": story.deferred.next_at,
            "until": story.deferred.until_at,
        },
        "waits_for": list(story.waits_for),
        "next_at": story.next_at,
        "break_glass": None if story.glass is None else dataclasses.asdict(story.glass),
        "held_up": list(story.held_up),
        "frozen": None if facts.frozen is None else dataclasses.asdict(facts.frozen),
        "exit_code": int(story.exit_code),
        "counts": {
            "devices": story.devices,
            "succeeded": story.succeeded,
            "unchanged": story.unchanged,
            "at_work": story.at_work,
            "untouched": story.untouched,
            "ran_already": story.runs.get(Runs.ALREADY, 0),
            "on_new": story.on_new,
            "excluded": story.excluded,
        },
        "waves": [_wave(wave) for wave in story.waves],
        "troubles": [_trouble(trouble) for trouble in story.troubles],
        "next_commands": list(story.next_commands),
    }


def _wave(wave: WaveStory) -> dict[str, object]:
    return {
        "name": wave.name,
        "state": str(wave.state),
        "device_count": wave.devices,
        "counts": {str(state): count for state, count in wave.counts.items()},
        "failure_count": wave.failures,
        "allowed_failures_count": wave.allowed,
        "required_count": wave.required,
        "flight_bound_count": wave.bound,
        "soak_until": wave.soak_until,
    }


def _trouble(trouble: Trouble) -> dict[str, object]:
    return {
        "state": str(trouble.state),
        "reason": str(trouble.reason),
        "detail": trouble.detail,
        "devices": list(trouble.devices),
        "first_at": trouble.first_at,
    }
