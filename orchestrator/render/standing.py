"""What a rollout waits for, who drives it, and what may be typed now.

Law: the words come from the story and the name of the engine alone, so that every command that
shows a rollout says the same of it: `status`, `watch`, and `apply` in its last lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.render.text import Look, Style, escape, in_full, plural, wrap
from orchestrator.render.words import frozen_words, glass_words, state_words
from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.states import TERMINAL_ROLLOUT, RolloutState
from orchestrator.rollout.story import Story
from orchestrator.rollout.waiting import Waiting

_AT_REST = TERMINAL_ROLLOUT | {RolloutState.HALTED, RolloutState.PAUSED}
_APPROVAL = "approval"
_FREEZE = "freeze"
_ONCE = {
    _APPROVAL: "once approved, ",
    _FREEZE: "once that is over, ",
    "rollout": "once that is over, ",
}
_REST_OF_IT = "rollout reconcile --once"  # also of one that is halted or paused
_COME_BY_THEMSELVES = frozenset({"start", "window", "ticket", "requires", "deferred"})
_TOLD_BY_WAVES = frozenset({"devices", "soak", "operator"})  # the last: in the line of the stop
_TOLD_UNTIL = ("start", "freeze", "window")  # the end of others stands in lines of their own


@dataclass(frozen=True, slots=True)
class Facts:
    """A stored rollout at `now`, in UTC seconds.

    `engine` names who drives it, empty for nobody; `frozen` is of all rollouts. `controller` names
    the `reconcile` that comes by where no engine drives it, empty for none.
    """

    plan: ResolvedPlan
    digest: str
    story: Story
    engine: str
    now: float
    frozen: FleetFreeze | None = None
    controller: str = ""


def is_over(facts: Facts) -> bool:
    """Whether nothing more can become of it."""
    return facts.story.state in TERMINAL_ROLLOUT


def is_interrupted(facts: Facts) -> bool:
    """Whether somebody ought to drive it and nobody does.

    One that only waits for its hours, other plans or devices that are away may be left to
    `reconcile`.
    """
    waits = facts.story.waits_for
    idle = waits and _COME_BY_THEMSELVES.issuperset(waits)
    driven = facts.engine or facts.controller
    return facts.story.state is RolloutState.RUNNING and not driven and not idle


def standing(facts: Facts) -> str:
    """`waits for soak; driven by ann@ops`, in one line without a full stop; may be empty."""
    return "; ".join(_told(facts))


def standing_lines(facts: Facts, look: Look) -> list[str]:
    """The same, indented below a head."""
    return [
        line for text in _told(facts) for line in wrap(text, look.width, first="  ", indent="    ")
    ]


def commands(facts: Facts) -> list[str]:
    """What an operator may type now, but for commands that only look."""
    run, story = facts.story.rollout_id, facts.story
    looks = (look_at(run), f"rollout events {run}")
    found = [command for command in story.next_commands if command not in looks]
    if facts.engine:
        return found
    if story.state in _AT_REST:
        return [_REST_OF_IT, *found] if _is_left_at_work(facts) else found
    if _comes_by(facts):
        return found
    resume = go_on(story)
    if _APPROVAL in story.waits_for:  # it wants both, in this order
        return [found[0], resume, *found[1:]]
    return [*(look_at(rival) for rival in story.rivals), resume]


def look_at(rollout_id: str) -> str:
    """The command that shows where a rollout stands."""
    return f"rollout status {rollout_id}"


def go_on(story: Story) -> str:
    """The command with which somebody drives it on; empty for one that is over."""
    if story.state in TERMINAL_ROLLOUT:
        return ""
    # a wave that is paused without any success has no `resume`
    verbs = ("resume", "promote") if story.state is RolloutState.PAUSED else ("resume",)
    begins = tuple(f"rollout {verb} {story.rollout_id}" for verb in verbs)
    return next((one for one in story.next_commands if one.startswith(begins)), begins[0])


def next_words(facts: Facts) -> str:
    """`next: rollout pause r-1  |  rollout halt r-1`; empty where the standing has it already."""
    found = commands(facts)
    said = standing(facts)
    return "" if all(f"`{one}`" in said for one in found) else "next: " + "  |  ".join(found)


def waits_words(waits_for: Sequence[str], until: Mapping[str, float]) -> list[str]:
    """`window until 2026-12-01 02:00:00Z`, for each thing that a rollout waits for."""
    return [
        state_words(what)
        + (f" until {_time(until[what])}" if what in _TOLD_UNTIL and what in until else "")
        for what in waits_for
    ]


def idle_words(found: Waiting) -> str:
    """`waits for window until ...`, of one that is driven; empty where its waves say it."""
    if _TOLD_BY_WAVES.issuperset(found.what):
        return ""
    return f"waits for {', '.join(waits_words(found.what, found.until))}"


def waits_foot(found: Waiting, look: Look) -> list[str]:
    """The same for the bottom of a live view."""
    said = idle_words(found)
    return wrap(said, look.width, first=" ", indent="   ") if said else []


def foot(facts: Facts, look: Look) -> list[str]:
    """The same for the bottom of a live view."""
    at_ease = (
        facts.engine
        or _comes_by(facts)
        or (facts.story.state in _AT_REST and not _is_left_at_work(facts))
    )
    said = [
        (standing(facts), Style.PLAIN if at_ease else Style.WARN),
        (next_words(facts), Style.DIM),
    ]
    return [
        look.paint(line, style)
        for text, style in said
        if text
        for line in wrap(text, look.width, first=" ", indent="   ")
    ]


def left(facts: Facts) -> str:
    """What is so of a rollout that is watched no longer."""
    said = "the rollout goes on" if facts.engine else standing(facts)
    return f"stopped watching {facts.story.rollout_id}: {said or state_words(facts.story.state)}"


def _told(facts: Facts) -> list[str]:
    story = facts.story
    waits = ", ".join(waits_words(story.waits_for, story.until))
    main = (f"waits for {waits}" if waits else "", _driver(facts))
    told = ["; ".join(part for part in main if part), _deferred(story)]
    told += [f"waits for {in_full(held_up)}" for held_up in story.held_up]
    if story.glass is not None:
        told.append(glass_words(story.glass))
    if facts.frozen is not None and story.state not in TERMINAL_ROLLOUT:
        told.append(frozen_words(facts.frozen))
    return [text for text in told if text]


def _is_frozen(facts: Facts) -> bool:
    """Whether a freeze is on now, of all rollouts or of the plan."""
    own = facts.plan.schedule.freezes
    return facts.frozen is not None or any(
        freeze.from_at <= facts.now < freeze.to_at for freeze in own
    )


def _driver(facts: Facts) -> str:
    story = facts.story
    if facts.engine and story.state in TERMINAL_ROLLOUT:
        return ""  # it is about to leave
    if facts.engine:
        return f"driven by {escape(facts.engine)}"
    if _is_left_at_work(facts):
        count = plural(story.at_work, "device")
        return (
            f"no engine drives it, with {count} at work: `{_REST_OF_IT}` sees to the rest of that"
        )
    if story.state in TERMINAL_ROLLOUT or story.state is RolloutState.HALTED:
        return ""
    once = next((words for what, words in _ONCE.items() if what in story.waits_for), "")
    if story.waits_for == (_FREEZE,) and not _is_frozen(facts):
        once = "the freeze is over, "  # and nobody was there to notice
    if _comes_by(facts):
        return f"{once}`rollout reconcile` goes on: {escape(facts.controller)}"
    return f"no engine drives it: {once}`{go_on(story)}` goes on"


def _comes_by(facts: Facts) -> bool:
    """Whether a controller brings it on at its next pass, so that nobody has to."""
    return bool(facts.controller) and facts.story.state not in _AT_REST


def _is_left_at_work(facts: Facts) -> bool:
    """Whether devices are at work in a rollout that rests otherwise, and nobody looks after them."""
    stopped = facts.story.state in _AT_REST - TERMINAL_ROLLOUT
    return stopped and not facts.engine and facts.story.at_work > 0


def _deferred(story: Story) -> str:
    """Devices that were away: whether and when they are asked again."""
    away = story.deferred
    if not away.devices:
        return ""
    said = f"{plural(away.devices, 'device')} deferred"
    if away.until_at is None:
        return f"{said}: asked again once the last wave has passed"
    next_at = "" if away.next_at is None else f"asked again at {_time(away.next_at)}, "
    return f"{said}: {next_at}given up at {_time(away.until_at)}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
