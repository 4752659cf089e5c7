"""Charts of a report as inline SVG: the timeline of waves, and the samples of a gate.

Laws:
1. Each chart has a title and a description that say in words what it shows; colour is never the only
   sign: samples differ in shape, bars carry the state's name.
2. A chart has at most `ROWS_MAX` rows and `MARKS_MAX` marks: of samples that share one mark the
   worst is shown, so that none that failed is ever hidden by folding.
3. Styles are classes of the page; there are no scripts and no references.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.render.markup import Markup, join, tag, text
from orchestrator.render.text import Style, number, plural
from orchestrator.render.words import DEVICE_STYLES, DEVICE_WORDS, clock, state_words
from orchestrator.rollout.chronicle import Chronicle, Crowd, Sample, Track, WaveSpan
from orchestrator.rollout.states import AT_WORK, DeviceState
from orchestrator.rollout.verdict import Reading

ROWS_MAX = 60
CROWDS_MAX = 6  # rows below one wave
MARKS_MAX = 100
WIDTH = 960
_LEFT, _RIGHT, _TOP, _ROW = 230, 14, 26, 22
_HEIGHT = 150  # of the samples' own field
_TICKS_MAX = 8
_STEPS_S = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
    172_800, 604_800, 2_592_000, 31_536_000,
)  # fmt: skip
_WORST = (Reading.FAILED, Reading.ERROR, Reading.NO_DATA, Reading.INCONCLUSIVE, Reading.SUCCESS)
_CLASSES: Mapping[Style, str] = {Style.GOOD: "good", Style.BAD: "bad", Style.WARN: "warn"}
_MARKS: Mapping[Reading, tuple[str, str]] = {  # class, and path around a point
    Reading.SUCCESS: ("good", "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0"),
    Reading.FAILED: ("bad line", "m-4-4l8 8m0-8l-8 8"),
    Reading.INCONCLUSIVE: ("warn", "m0-5l5 5l-5 5l-5-5z"),
    Reading.NO_DATA: ("warn line", "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0"),
    Reading.ERROR: ("bad", "m0-5l5 9l-10 0z"),
}


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a time stands, from left to right."""

    from_at: float
    to_at: float

    def x(self, at: float) -> float:
        span = max(self.to_at - self.from_at, 1.0)
        share = min(1.0, max(0.0, (at - self.from_at) / span))
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)


def state_class(state: DeviceState) -> str:
    """The class of the page for a device's state: `good`, `bad`, `warn`, `work` or `idle`."""
    known = _CLASSES.get(DEVICE_STYLES.get(state, Style.PLAIN))
    return known or ("work" if state in AT_WORK else "idle")


def timeline(story: Chronicle, stops: Sequence[float], *, name: str) -> Markup:
    """Waves and what became of their devices, as bars over the time of the rollout.

    Args:
        story: what happened.
        stops: when it was halted or paused: a line through all rows.
        name: the beginning of its ids, unique in the page.
    """
    rows = _rows(story)
    shown = rows[:ROWS_MAX]
    height = _TOP + _ROW * len(shown) + 8
    scale = _Scale(story.began_at, story.ended_at)
    parts = [_axis(scale, story.began_at, height)]
    for index, (span, crowd) in enumerate(shown):
        y = _TOP + _ROW * index
        parts.append(_wave_row(span, scale, y) if crowd is None else _crowd_row(crowd, scale, y))
    for at in stops[:ROWS_MAX]:
        x = scale.x(at)
        parts.append(tag("line", class_="stop", x1=x, x2=x, y1=_TOP - 4, y2=height - 4))
    said = [_wave_words(span, story.began_at) for span in story.waves[:ROWS_MAX]]
    if len(rows) > len(shown):
        said.append(f"{len(rows) - len(shown)} more rows stand in the table only")
    took = clock(story.ended_at - story.began_at)
    return _svg(name, f"Timeline of the waves, {took} in all", "; ".join(said), height, parts)


def samples(track: Track, began_at: float, *, name: str) -> Markup:
    """The samples of a gate over time: by value where they have one, else in a row."""
    marks = folded(track.samples)
    values = [sample.value for sample in marks if sample.value is not None]
    scale = _Scale(marks[0].at, marks[-1].at)
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    height = _TOP + _HEIGHT + 34 if values else _TOP + 64
    base = height - 34

    def y(sample: Sample) -> float:
        if sample.value is None:
            return base - 8
        share = (sample.value - low) / (high - low) if high > low else 0.5
        return base - 22 - share * (_HEIGHT - 34)

    points = [(scale.x(sample.at), y(sample), sample) for sample in marks]
    parts = [_axis(scale, began_at, base), *_levels(track, low, high, values, base)]
    parts += _lines(points)
    parts += [_mark(x, at_y, sample.reading) for x, at_y, sample in points]
    parts.append(_legend(track.samples, height - 12))
    title = f"Samples of gate {track.gate}, wave {track.wave}"
    return _svg(name, title, samples_words(track, began_at), height, parts)


def folded(found: Sequence[Sample]) -> tuple[Sample, ...]:
    """At most `MARKS_MAX` samples: the worst of each stretch of equally many."""
    size = -(-len(found) // MARKS_MAX) or 1
    stretches = (found[first : first + size] for first in range(0, len(found), size))
    return tuple(min(each, key=lambda one: _WORST.index(one.reading)) for each in stretches)


def samples_words(track: Track, began_at: float) -> str:
    """What a chart of samples shows, in words."""
    counts = Counter(sample.reading for sample in track.samples)
    said = ", ".join(
        f"{number(counts[one])} {state_words(one)}" for one in reversed(_WORST) if counts[one]
    )
    first, last = track.samples[0], track.samples[-1]
    since = clock(first.at - began_at)
    when = f"between {since} and {clock(last.at - began_at)}" if last is not first else since
    words = f"{plural(len(track.samples), 'sample')} {when} after the start: {said}."
    values = [sample.value for sample in track.samples if sample.value is not None]
    if values and min(values) == max(values):
        words += f" {track.measure} {values[0]:g} wherever there is one."
    elif values:
        low, high = min(values), max(values)
        words += f" {track.measure} from {low:g} to {high:g}, {values[-1]:g} at the end."
    return words


def _rows(story: Chronicle) -> list[tuple[WaveSpan, Crowd | None]]:
    rows: list[tuple[WaveSpan, Crowd | None]] = []
    for span in story.waves:
        rows.append((span, None))
        crowds = [one for one in story.crowds if one.wave == span.name and one.from_at is not None]
        rows += [(span, crowd) for crowd in crowds[:CROWDS_MAX]]
    return rows


def _wave_row(span: WaveSpan, scale: _Scale, y: float) -> Markup:
    label = tag("text", text(span.name, limit=26), class_="strong", x=0, y=y + 15)
    if span.begun_at is None:
        never = tag("text", text("never started"), class_="dim", x=_LEFT, y=y + 15)
        return join((label, never))
    done_at = scale.to_at if span.done_at is None else span.done_at
    soak_at = done_at if span.soak_at is None else min(span.soak_at, done_at)
    bars = [_bar(scale, span.begun_at, soak_at, y + 4, 14, "wave")]
    if done_at > soak_at:
        bars.append(_bar(scale, soak_at, done_at, y + 4, 14, "soak"))
    return join((label, *bars))


def _crowd_row(crowd: Crowd, scale: _Scale, y: float) -> Markup:
    said = f"{number(len(crowd.devices))} {DEVICE_WORDS[crowd.state]}"
    label = tag("text", text(said, limit=30), class_="dim", x=14, y=y + 15)
    if crowd.from_at is None or crowd.to_at is None:
        return label
    bar = _bar(scale, crowd.from_at, crowd.to_at, y + 7, 8, state_class(crowd.state))
    return join((label, bar))


def _bar(scale: _Scale, from_at: float, to_at: float, y: float, height: float, kind: str) -> Markup:
    x = scale.x(from_at)
    width = max(2.0, scale.x(to_at) - x)  # what took no time is seen, too
    return tag("rect", class_=f"bar {kind}", x=x, y=y, width=width, height=height, rx=2)


def _axis(scale: _Scale, began_at: float, height: float) -> Markup:
    """Ticks at round times since the start of the rollout."""
    span = max(scale.to_at - scale.from_at, 1.0)
    step = next((step for step in _STEPS_S if span / step <= _TICKS_MAX), span)
    parts: list[Markup] = []
    elapsed = -(-(scale.from_at - began_at) // step) * step
    while elapsed <= scale.to_at - began_at:
        x = scale.x(began_at + elapsed)
        parts.append(tag("line", class_="grid", x1=x, x2=x, y1=_TOP - 6, y2=height))
        end = "end" if x > WIDTH - 60 else "start" if x < _LEFT + 10 else "middle"
        label = Markup(clock(elapsed))
        parts.append(tag("text", label, class_=f"tick {end}", x=x, y=_TOP - 10))
        elapsed += step
    return join(parts)


def _levels(
    track: Track, low: float, high: float, values: Sequence[float], base: float
) -> Iterable[Markup]:
    """What the field of values shows, and its highest and lowest number."""
    if not values:
        return
    yield tag("text", text(track.measure, limit=24), class_="strong", x=0, y=_TOP + 6)
    top = base - 22 - (_HEIGHT - 34 if high > low else (_HEIGHT - 34) / 2)
    for value, y in {high: top, low: base - 22 if high > low else top}.items():
        yield tag("line", class_="grid", x1=_LEFT - 8, x2=WIDTH - _RIGHT, y1=y, y2=y)
        yield tag("text", Markup(f"{value:g}"), class_="tick end", x=_LEFT - 12, y=y + 4)


def _lines(points: Sequence[tuple[float, float, Sample]]) -> Iterable[Markup]:
    """A line through neighbouring samples that have a value; a gap where one has none."""
    run: list[str] = []
    for x, y, sample in points:
        if sample.value is not None:
            run.append(f"{x:.1f},{y:.1f}")
            continue
        if len(run) > 1:
            yield tag("polyline", class_="curve", points=" ".join(run))
        run = []
    if len(run) > 1:
        yield tag("polyline", class_="curve", points=" ".join(run))


def _mark(x: float, y: float, reading: Reading) -> Markup:
    kind, path = _MARKS[reading]
    return tag("path", class_=f"mark {kind}", d=f"M{x:.1f} {y:.1f}{path}")


def _legend(found: Iterable[Sample], y: float) -> Markup:
    there = {sample.reading for sample in found}
    parts: list[Markup] = []
    x = float(_LEFT)
    for reading in (one for one in reversed(_WORST) if one in there):
        parts.append(_mark(x, y - 4, reading))
        parts.append(tag("text", text(state_words(reading)), class_="tick", x=x + 10, y=y))
        x += 120
    return join(parts)


def _wave_words(span: WaveSpan, began_at: float) -> str:
    if span.begun_at is None:
        return f"{span.name} never started"
    words = f"{span.name} began at {clock(span.begun_at - began_at)}"
    if span.soak_at is not None:
        words += f", soaked from {clock(span.soak_at - began_at)}"
    if span.done_at is not None:
        words += f", was done at {clock(span.done_at - began_at)}"
    return words


def _svg(name: str, title: str, words: str, height: float, parts: Iterable[Markup]) -> Markup:
    return tag(
        "svg",
        tag("title", text(title), id=f"{name}-title"),
        tag("desc", text(words, limit=4000), id=f"{name}-desc"),
        *parts,
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
        viewBox=f"0 0 {WIDTH} {height:.0f}",
    )
