"""The whole picture of a rollout for people: what is so now, why, what was not touched, what next.

`status`, and the last words of `apply`, `resume` and `watch`, are all made here, from the story.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.render.causes import WITH_OTHERS, Cause, grouped_causes, other_wordings
from orchestrator.render.names import fold_line
from orchestrator.render.standing import Facts, commands, is_interrupted, look_at, standing_lines
from orchestrator.render.text import (
    Look,
    Style,
    Symbol,
    cells,
    escape,
    in_full,
    number,
    pad,
    plural,
    shell_word,
    wrap,
)
from orchestrator.render.words import (
    WAVE_SIGNS,
    commit_words,
    progress_words,
    reason_words,
    soak_words,
    span,
    state_words,
    wave_words,
)
from orchestrator.rollout.runs import Runs
from orchestrator.rollout.states import COUNTED, TERMINAL_ROLLOUT, RolloutState, WaveState
from orchestrator.rollout.story import Story, WaveStory

CAUSES_MAX = 5
_PURPOSES: Mapping[str, str] = {
    "--why": "why one that failed is where it is",
    "logs": "what it said, step by step",
    "resume": "go on",
    "reconcile": "see to the devices at work",
    "retry": "try the failed devices again",
    "rollback": "take the updated devices back",
    "abort": "end it here",
    "approve": "approve what it waits for",
    "promote": "end the wait of this wave",
    "halt": "stop it",
    "pause": "start no further device",
    "status": "the whole picture",
    "events": "everything that happened, in order",
}
_NOT_STARTED = frozenset({WaveState.PENDING, WaveState.SKIPPED_EMPTY})
NAMES_CELLS_MAX = 60
_EXIT_WORDS: Mapping[int, str] = {
    ExitCode.DONE: "done",
    ExitCode.PARTIAL: "done, with exceptions within tolerance",
    ExitCode.REFUSED: "refused: nothing was changed on any device",
    ExitCode.NEEDS_HUMAN: "needs a human: a rollback failed or a device's state is unknown",
    ExitCode.WAITING: "waiting",
    ExitCode.INTERRUPTED: "interrupted; the rollout is saved",
    ExitCode.TERMINATED: "terminated; the rollout is saved",
}
_HEADS: Mapping[RolloutState, tuple[str, Style, Symbol]] = {
    RolloutState.SUCCEEDED: ("SUCCEEDED", Style.GOOD, Symbol.DONE),
    RolloutState.SUCCEEDED_WITH_EXCEPTIONS: (
        "SUCCEEDED WITH EXCEPTIONS",
        Style.WARN,
        Symbol.WARNING,
    ),
    RolloutState.HALTED: ("HALTED", Style.BAD, Symbol.FAILED),
    RolloutState.ROLLED_BACK: ("ROLLED BACK", Style.BAD, Symbol.FAILED),
    RolloutState.FAILED: ("FAILED", Style.BAD, Symbol.FAILED),
    RolloutState.ABORTED: ("ABORTED", Style.WARN, Symbol.WARNING),
    RolloutState.PAUSED: ("PAUSED", Style.WARN, Symbol.WARNING),
    RolloutState.CATCHING_UP: ("CATCHING UP", Style.ACCENT, Symbol.RUNNING),
    RolloutState.RUNNING: ("RUNNING", Style.ACCENT, Symbol.RUNNING),
}

_ENDED = frozenset({RolloutState.ABORTED, RolloutState.ROLLED_BACK, RolloutState.SUPERSEDED})
_ALL_WAVES = frozenset({RolloutState.SUCCEEDED, RolloutState.CATCHING_UP})


def summary(facts: Facts, look: Look, *, exit_code: int = 0, here: str = "") -> list[str]:
    """Head, waves, causes, what was not touched, and what may be done now.

    Args:
        facts: what is known.
        look: what the reader's side can show.
        exit_code: what the command ends with; named where it is not 0.
        here: the command that shows this, which is not recommended again.
    """
    return [*outcome_lines(facts, look, exit_code=exit_code), *_next(facts, look, here)]


def outcome_lines(facts: Facts, look: Look, *, exit_code: int = 0) -> list[str]:
    """The same without what may be done now."""
    story = facts.story
    lines = _head(facts, look)
    if exit_code:
        words = f"exit code {exit_code}: {_exit_words(exit_code, story)}"
        lines += wrap(words, look.width, first="  ", indent="    ")
    if facts.plan.commit is not None:
        words = f"from commit {commit_words(facts.plan.commit)}"
        lines += wrap(words, look.width, first="  ", indent="    ")
    lines += standing_lines(facts, look)
    lines += _waves(facts, look)
    causes = grouped_causes(story)
    if causes:
        lines += ["", *_causes(causes, look)]
    return [*lines, "", *_untouched(story, look), *left_out_lines(facts.plan, look)]


def _exit_words(code: int, story: Story) -> str:
    if code == ExitCode.HALTED and story.state is RolloutState.ROLLED_BACK and story.on_new:
        return f"the new version still runs on {plural(story.on_new, 'device')}"
    if code == ExitCode.HALTED and _took_nothing_back(story):
        return "halted, and nothing was to be rolled back"
    if code == ExitCode.HALTED:
        return state_words(story.state) if story.state in _ENDED else "halted"
    if code == ExitCode.ROLLED_BACK:
        ended = "halted and rolled back" if story.back_on else "halted"
        verb = "is known to run" if Runs.UNSEEN in story.runs else "runs"
        return f"{ended}: no device of the rollout {verb} the new version"
    return _EXIT_WORDS.get(code, "see the journal")


def verdict(facts: Facts) -> tuple[str, Style, Symbol]:
    """What the rollout is now, in capitals."""
    story = facts.story
    word, style, symbol = _HEADS.get(
        story.state, (state_words(story.state).upper(), Style.WARN, Symbol.WARNING)
    )
    if story.state is RolloutState.ROLLED_BACK:
        word = _back_words(story)
        if story.taken_back is not None and not story.stops:  # as it was asked for
            style, symbol = Style.WARN, Symbol.WARNING
    if is_interrupted(facts):
        word, style, symbol = "INTERRUPTED", Style.WARN, Symbol.WARNING
    return word, style, symbol


def _head(facts: Facts, look: Look) -> list[str]:
    """What the rollout is now, and what stopped it."""
    story = facts.story
    word, style, symbol = verdict(facts)
    where = _where(story)
    title = f"{look.sign(symbol)} {word}"
    artifact = escape(facts.plan.artifact.name, limit=60)
    until = story.at if story.state in TERMINAL_ROLLOUT else max(story.at, facts.now)
    took = span(max(0.0, until - story.started_at))
    rest = f" {artifact} ({story.rollout_id}){where} after {took}"
    lines = [look.paint(title, style) + rest]
    if cells(title + rest) > look.width:
        lines = [look.paint(title, style), *wrap(rest.strip(), look.width, first="  ", indent="  ")]
    for why in stop_words(story):
        lines += wrap(why, look.width, first="  ", indent="    ")
    return lines


def stop_words(story: Story) -> list[str]:
    """What halted or paused it, each cause with its figures."""
    return [
        ": ".join(part for part in (state_words(stop.cause), in_full(stop.detail)) if part)
        for stop in story.stops
    ]


def _back_words(story: Story) -> str:
    asked = story.taken_back
    if asked is not None and (asked.wave or asked.devices) and story.on_new:
        return "ROLLED BACK IN PART"
    if story.stops and story.on_new:  # of waves before the one that was taken back
        return f"HALTED AND {'ROLLED BACK IN PART' if story.back_on else 'NOTHING ROLLED BACK'}"
    if _took_nothing_back(story):
        return "HALTED, NOTHING TO ROLL BACK"
    return "HALTED AND ROLLED BACK" if story.stops else "ROLLED BACK"


def _took_nothing_back(story: Story) -> bool:
    """Whether it halted before any device was changed: a disk was full, an install refused."""
    at_all = story.back_on or story.on_new
    return story.state is RolloutState.ROLLED_BACK and bool(story.stops) and not at_all


def _where(story: Story) -> str:
    """The wave that it is in; of a rollback that a person asked for what that concerns."""
    asked = story.taken_back
    if asked is not None and asked.devices:
        return f": {plural(asked.devices, 'device')}"
    if asked is not None and asked.wave:
        return f": {wave_words(asked.wave)}"
    is_done = asked is not None and not story.stops  # no wave was stopped
    nowhere = story.state in _ALL_WAVES or not story.begun or is_done
    return "" if nowhere else f" in {wave_words(story.wave)}"


def _waves(facts: Facts, look: Look) -> list[str]:
    story = facts.story
    idle = _idle(story.waves, story.wave) if story.begun else list(story.waves)
    started = [wave for wave in story.waves if wave not in idle]
    width = max((cells(escape(wave.name)) for wave in started), default=0)
    lines = [_wave(wave, width, look, facts.now) for wave in started]
    if idle:
        names = ", ".join(escape(wave.name) for wave in idle)
        count = sum(wave.devices for wave in idle)
        text = f"{names}: never started ({plural(count, 'device')})"
        lines += wrap(text, look.width, first=f"  {look.sign(Symbol.WAITING)} ", indent="    ")
    return lines


def _idle(waves: Sequence[WaveStory], current: str) -> list[WaveStory]:
    """Waves that never started; a cancelled one did, unless it comes after the present one."""
    place = next((i for i, wave in enumerate(waves) if wave.name == current), -1)
    return [
        wave
        for i, wave in enumerate(waves)
        if wave.state in _NOT_STARTED or (wave.state is WaveState.CANCELLED and i > place)
    ]


def _wave(wave: WaveStory, width: int, look: Look, now: float) -> str:
    symbol, style = WAVE_SIGNS[wave.state]
    name = pad(escape(wave.name), width)
    words = progress_words(wave.counts, wave.devices)
    if wave.state is WaveState.SOAKING:
        words += f", {soak_words(wave.soak_until, now)}"
    return f"  {look.paint(look.sign(symbol), style)} {name}  {words}"


def _causes(causes: Sequence[Cause], look: Look) -> list[str]:
    lines = [look.paint(f"Why ({plural(len(causes), 'cause')})", Style.BOLD)]
    for cause in causes[:CAUSES_MAX]:
        names = fold_line(cause.devices, min(NAMES_CELLS_MAX, look.width - 10), look)
        count = f"{number(len(cause.devices))}{look.sign(Symbol.TIMES)}"
        text = f"{count} {names}: {reason_words(cause.reason, cause.detail)}"
        lines += wrap(text + _behind(cause), look.width, first="  ", indent="     ")
    if len(causes) > CAUSES_MAX:
        lines.append(f"  {look.sign(Symbol.ELLIPSIS)} {len(causes) - CAUSES_MAX} more")
    return lines


def _behind(cause: Cause) -> str:
    """How often its words differ, and when it was seen first."""
    others = len(cause.wordings) - 1
    said = [other_wordings(others)] if others else []
    if cause.first_s is not None:
        said.append(f"first after {span(cause.first_s)}")
    return f" ({'; '.join(said)})" if said else ""


def _untouched(story: Story, look: Look) -> list[str]:
    if story.state is RolloutState.SUCCEEDED:
        return [look.paint(outcome_words(story), Style.GOOD)]
    return wrap(outcome_words(story), look.width)


def outcome_words(story: Story) -> str:
    """What the devices run now, and what was not touched, in a sentence."""
    if story.state is RolloutState.SUCCEEDED:
        run = story.succeeded + story.unchanged
        verb = "runs" if run == 1 else "run"
        return f"{number(run)} of {plural(story.devices, 'device')} {verb} the new version."
    never = story.untouched - story.begun_on
    parts = [f"{_were(never)} never touched"] if never else []
    if story.begun_on:
        parts.append(f"{_were(story.begun_on)} begun, and nothing was activated there")
    if count := story.runs.get(Runs.SPARED, 0):
        parts.append(f"{plural(count, 'device')} failed before anything was changed there")
    for name, count in story.back_on.items():
        before = escape(name, limit=60) if name else "what ran before"
        parts.append(f"{_are(count)} back on {before}")
    for runs, words in _RUNS.items():
        if count := story.runs.get(runs, 0):
            parts.append(f"{_are(count)} {words}")
    if count := story.runs.get(Runs.ALREADY, 0):  # nothing was done to them, and they run it
        parts.append(f"{plural(count, 'device')} ran the new version already")
    parts.append(_on_new(story))
    return "; ".join(parts) + "."


_RUNS: Mapping[Runs, str] = {
    Runs.UNPROVEN: "back, but not proven well there",
    Runs.OTHER: "on another version by now",
    Runs.UNKNOWN: "in an unknown state",
    Runs.CHANGING: "being changed",
}


def _on_new(story: Story) -> str:
    """How many run the new version, besides those that were told of before."""
    count = story.runs.get(Runs.NEW, 0)
    told = Runs.ALREADY in story.runs
    noun = "other device" if told or Runs.UNKNOWN in story.runs else "device"
    it = "it" if told else "the new version"
    if count:
        return f"{plural(count, noun)} {'runs' if count == 1 else 'run'} {it}"
    verb = "is known to run" if Runs.UNSEEN in story.runs else "runs"
    return f"no {noun} {verb} {it}"


def left_out_lines(plan: ResolvedPlan, look: Look) -> list[str]:
    """Devices that the plan chose and the preview left out: a success that is none for them."""
    found: dict[str, list[str]] = {}
    for skipped in plan.skipped:
        found.setdefault(skipped.reason, []).append(skipped.device)
    lines: list[str] = []
    for reason, names in found.items():
        shown = fold_line(names, min(NAMES_CELLS_MAX, look.width - 10), look)
        text = f"{_were(len(names))} left out of the plan ({reason_words(reason)}): {shown}"
        if reason == Reason.HELD:
            text += "; `rollout device unhold DEVICE` lets one take part again"
        lines += wrap(text, look.width)
    return lines


def _were(count: int) -> str:
    return f"{plural(count, 'device')} {'was' if count == 1 else 'were'}"


def _are(count: int) -> str:
    return f"{plural(count, 'device')} {'is' if count == 1 else 'are'}"


def _next(facts: Facts, look: Look, here: str) -> list[str]:
    story = facts.story
    found = commands(facts)
    failed = [t for t in story.troubles if t.state in COUNTED and t.reason not in WITH_OTHERS]
    if failed:
        device = shell_word(failed[0].devices[0])
        found.insert(0, f"{look_at(story.rollout_id)} --why {device}")
        found.insert(1, f"rollout logs {story.rollout_id} {device}")
    if here != "status":
        found.append(look_at(story.rollout_id))
    found.append(f"rollout events {story.rollout_id} --format text")
    width = max(len(command) for command in found)
    lines = [look.paint("Next", Style.BOLD)]
    rivals = {look_at(rival): "what has to be over first" for rival in story.rivals}
    for command in found:
        why = rivals.get(command) or next(
            (words for verb, words in _PURPOSES.items() if f" {verb} " in command), ""
        )
        line = f"  {pad(command, width)}  "
        fits = why and cells(line + why) <= look.width
        lines.append(line + look.paint(why, Style.DIM) if fits else line.rstrip())
    return lines
