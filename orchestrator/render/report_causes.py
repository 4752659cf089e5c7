"""A part of a report: what went wrong, like causes put together, with what the devices said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from orchestrator.render.causes import Cause, grouped_causes
from orchestrator.render.entries import entry_words
from orchestrator.render.markup import Markup, block, join, moment, table, tag, text
from orchestrator.render.names import fold_line
from orchestrator.render.text import Look, number, plural
from orchestrator.render.words import reason_words, span
from orchestrator.rollout.chronicle import last_lines
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.story import Story

CAUSES_MAX = 30
WORDINGS_MAX = 3  # of one cause
EXCERPT_MAX = 10
REASONS_MAX = 60
NAMES_CELLS_MAX = 300
DETAIL_CELLS_MAX = 1100  # a line of a detail, which has at most 1 KiB
LOOK = Look(width=100)


def causes_section(story: Story, journal: Sequence[JournalEntry]) -> Iterable[Markup]:
    """Each cause with its devices, their words, and the last lines of one of them."""
    causes = grouped_causes(story)
    if not causes:
        yield tag("p", text("No device is in trouble."), class_="good")
        return
    shown, rest = causes[:CAUSES_MAX], causes[CAUSES_MAX:]
    lines = last_lines(journal, {cause.devices[0] for cause in shown}, EXCERPT_MAX)
    for cause in shown:
        yield from _cause(cause, lines[cause.devices[0]])
    if rest:
        counts: Counter[str] = Counter()
        for cause in rest:
            counts[cause.reason] += len(cause.devices)
        rows = [
            [text(reason_words(reason)), Markup(number(count))]
            for reason, count in counts.most_common(REASONS_MAX)
        ]
        yield table(f"{plural(len(rest), 'more cause')}, by reason", ["Reason", "Devices"], rows)


def _cause(cause: Cause, lines: Sequence[JournalEntry]) -> Iterable[Markup]:
    devices, first_s = cause.devices, cause.first_s
    yield tag("h3", text(f"{plural(len(devices), 'device')}: {reason_words(cause.reason)}"))
    which = fold_line(devices, NAMES_CELLS_MAX, LOOK)
    seen = "" if first_s is None else f", first after {span(first_s)}"
    yield tag(
        "p",
        text(f"{which}{seen}. Reason ", limit=NAMES_CELLS_MAX + 100),
        tag("code", text(cause.reason, limit=40)),
        text(": `rollout explain` has what it means."),
    )
    if cause.detail:
        for one in cause.wordings[:WORDINGS_MAX]:
            yield tag("pre", block(one.detail, limit=DETAIL_CELLS_MAX))
    if len(cause.wordings) > WORDINGS_MAX:
        more = plural(len(cause.wordings) - WORDINGS_MAX, "more wording")
        yield tag("p", text(f"{more} with other numbers or names."))
    if lines:
        yield tag("p", text(f"Last lines of the journal about {devices[0]}:"))
        yield tag("pre", join((_line(entry) for entry in lines), "\n"))


def _line(entry: JournalEntry) -> Markup:
    return Markup(moment(entry.at, "%H:%M:%SZ") + " " + text(entry_words(entry), limit=300))
