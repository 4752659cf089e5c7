"""Parts of a report: when things happened, and what the gates measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from orchestrator.plan.gate import Gate, Stage
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.render.board import Board
from orchestrator.render.charts import samples, samples_words, state_class, timeline
from orchestrator.render.lines import Lines
from orchestrator.render.markup import Markup, moment, names, scrolling, table, tag, text
from orchestrator.render.names import fold_line
from orchestrator.render.standing import Facts, is_over
from orchestrator.render.text import Look, Symbol, number, plural
from orchestrator.render.words import DEVICE_WORDS, clock, reason_words, state_words
from orchestrator.rollout.chronicle import Chronicle, Sample, Track
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import DeviceState
from orchestrator.rollout.verdict import Verdict

CROWDS_MAX = 150
COURSE_MAX = 200
TRACKS_MAX = 24
CHECKS_MAX = 100
STRETCHES_MAX = 20
NAMES_CELLS_MAX = 300
LOOK = Look(width=100)
_SIGNS = " " + "".join(LOOK.sign(symbol) for symbol in Symbol)
_OWN_SECTIONS = frozenset({"device_state", "gate_result"})
_CALM = frozenset({Verdict.OPEN.value, Verdict.PASSED.value})
_VERDICTS = {Verdict.OPEN.value: "idle", Verdict.PASSED.value: "good", Verdict.FAILED.value: "bad"}


def timeline_section(
    facts: Facts, journal: Iterable[JournalEntry], told: Chronicle
) -> Iterable[Markup]:
    """Waves and devices over time, as a chart and as a table."""
    stops = [entry.at for entry in journal if entry.type in ("halted", "paused")]
    chart = scrolling(timeline(told, stops, name="time"), "Chart of the timeline")
    words = (
        "Wave: changed, then (lighter) soaking. Below it devices, from the first step to the last."
    )
    if stops:
        words += " Dashed: halted or paused."
    yield tag("figure", chart, tag("figcaption", text(words, limit=300), class_="dim"))
    shown = told.crowds[:CROWDS_MAX]
    rows = [
        [
            text(one.wave, limit=60),
            tag("span", text(_ended(facts, one.state, one.reason)), class_=state_class(one.state)),
            Markup(number(len(one.devices))),
            names(fold_line(one.devices, NAMES_CELLS_MAX, LOOK), limit=NAMES_CELLS_MAX + 50),
            _at(one.from_at),
            _at(one.to_at),
        ]
        for one in shown
    ]
    caption = "Devices, equal ones put together"
    if len(told.crowds) > len(shown):
        caption += f"; {len(told.crowds) - len(shown)} more lines are left out"
    yield table(caption, ["Wave", "Ended as", "Devices", "Which", "First step", "Last step"], rows)


def gates_section(facts: Facts, told: Chronicle) -> Iterable[Markup]:
    """What the gates measured: charts of those that speak for waves, counts of devices' own."""
    plan = facts.plan
    by_name = {gate.name: gate for gate in plan.gates}
    tracks = sorted(told.tracks, key=lambda track: track.samples[-1].verdict in _CALM)
    for index, track in enumerate(tracks[:TRACKS_MAX], start=1):
        yield from _track(track, by_name.get(track.gate), told.began_at, f"gate-{index}")
    if len(tracks) > TRACKS_MAX:
        yield tag("p", text(f"{len(tracks) - TRACKS_MAX} more charts, of gates that hold or that "
                            "stand behind these, are left out; `rollout events` has all samples."))  # fmt: skip
    yield from _checks(plan, told)
    sampled = {track.gate for track in told.tracks}
    silent = [gate.name for gate in plan.gates if gate.stage is not Stage.DEVICE]
    silent = [name for name in silent if name not in sampled]
    if silent:
        said = f"No sample was taken of {fold_line(silent, NAMES_CELLS_MAX, LOOK)}."
        yield tag("p", text(said, limit=400), class_="warn")
    if not plan.gates:
        yield tag("p", text("The plan has no gates."))


def course_section(facts: Facts, journal: Iterable[JournalEntry]) -> Iterable[Markup]:
    """All but devices and samples, in order."""
    lines = Lines(Board(facts.plan, facts.story.rollout_id), LOOK)
    found: list[tuple[float, str]] = []
    for entry in journal:
        told = lines.told(entry)
        if told and entry.type not in _OWN_SECTIONS:
            found.append((entry.at, told.lstrip(_SIGNS)))
    half = COURSE_MAX // 2
    shown = found if len(found) <= COURSE_MAX else found[:half] + found[-half:]
    start = facts.story.started_at
    rows = [
        [moment(at), Markup(clock(max(0.0, at - start))), text(said, limit=400)]
        for at, said in shown
    ]
    caption = plural(len(found), "event")
    if len(found) > len(shown):
        caption += f"; {len(found) - len(shown)} between the first {half} and the last are left out"
    yield table(caption, ["When", "After", "What"], rows)


def _track(track: Track, gate: Gate | None, began_at: float, name: str) -> Iterable[Markup]:
    verdict = track.samples[-1].verdict
    kind = _VERDICTS.get(verdict, "warn")
    yield tag("h3", text(f"{track.gate}, wave {track.wave}"))
    said = tag("span", text(state_words(verdict)), class_=kind)
    yield tag("p", text("Verdict after its last sample: "), said, text(_condition(gate), limit=400))
    words = text(samples_words(track, began_at), limit=400)
    if len(track.samples) > 1:
        chart = scrolling(samples(track, began_at, name=name), f"Chart of {track.gate}")
        yield tag("figure", chart, tag("figcaption", words, class_="dim"))
    else:
        yield tag("p", words, class_="dim")
    stretches = [list(each) for _, each in groupby(track.samples, key=_alike)]
    rows = [_stretch(each) for each in stretches[-STRETCHES_MAX:]]
    title = f"Samples of {track.gate} in {track.wave}, equal ones in a row put together"
    if len(stretches) > STRETCHES_MAX:
        title += f"; {len(stretches) - STRETCHES_MAX} older lines are left out"
    yield table(title, ["From", "To", "Samples", "Reading", "Verdict", "Last of them"], rows)


def _alike(sample: Sample) -> tuple[str, str]:
    return sample.reading, sample.verdict


def _stretch(found: Sequence[Sample]) -> list[Markup]:
    last = found[-1]
    return [
        moment(found[0].at),
        moment(last.at),
        Markup(number(len(found))),
        text(state_words(last.reading)),
        text(state_words(last.verdict)),
        text(last.words),
    ]


def _condition(gate: Gate | None) -> str:
    """What the gate asks for, as the plan says it."""
    if gate is None:
        return ". The plan has no such gate any more."
    parts = []
    if gate.success_when is not None:
        parts.append(f"succeeds when {gate.success_when}")
    if gate.fail_when is not None:
        parts.append(f"fails when {gate.fail_when}")
    if gate.compare is not None:
        parts.append(f"compares with {gate.compare.to} by {state_words(gate.compare.test)}")
    if gate.dry_run:
        parts.append("decides nothing (dry run)")
    return f". It {', '.join(parts)}." if parts else "."


def _checks(plan: ResolvedPlan, told: Chronicle) -> Iterable[Markup]:
    """Gates of single devices: what they decide, and their samples that were no success."""
    deciding = [g.name for g in plan.gates if g.stage is Stage.DEVICE and not g.dry_run]
    if deciding:
        said = f"No device counts as updated before {fold_line(deciding, NAMES_CELLS_MAX, LOOK)} passed on it. "
        said += "Of such samples those are kept that were no success" + (
            "." if told.checks else ": there is none."
        )
        yield tag("p", text(said, limit=600))
    if not told.checks:
        return
    rows = [
        [
            text(one.gate, limit=80),
            text(one.wave, limit=60),
            Markup(number(one.devices)),
            text(", ".join(f"{number(n)} {state_words(r)}" for r, n in one.readings.items())),
        ]
        for one in told.checks[:CHECKS_MAX]
    ]
    caption = "Gates of single devices: samples that were no success"
    yield table(caption, ["Gate", "Wave", "Devices", "Samples"], rows)


def _ended(facts: Facts, state: DeviceState, reason: str) -> str:
    never = state is DeviceState.PENDING and is_over(facts)
    words = "never started" if never else DEVICE_WORDS[state]
    return f"{words} ({reason_words(reason)})" if reason else words


def _at(at: float | None) -> Markup:
    return text("never") if at is None else moment(at)
