"""A part of a report: what went wrong, like causes put together, with what the devices said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from orchestrator.render.entries import entry_words
from orchestrator.render.markup import Markup, block, join, moment, table, tag, text
from orchestrator.render.names import fold_line
from orchestrator.render.summary import WITH_OTHERS, Cause, grouped_causes
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
_NUMBER = re.compile(r"[0-9]+")


def causes_section(story: Story, journal: Sequence[JournalEntry]) -> Iterable[Markup]:
    """Each cause with its devices, their words, and the last lines of one of them.

    Devices whose words differ only in numbers and in their own name have one cause.
    """
    causes = _alike(grouped_causes(story))
    if not causes:
        yield tag("p", text("No device is in trouble."), class_="good")
        return
    shown, rest = causes[:CAUSES_MAX], causes[CAUSES_MAX:]
    lines = last_lines(journal, {cause[0].devices[0] for cause in shown}, EXCERPT_MAX)
    for cause in shown:
        yield from _cause(cause, lines[cause[0].devices[0]])
    if rest:
        counts: Counter[str] = Counter()
        for wordings in rest:
            counts[wordings[0].reason] += sum(len(one.devices) for one in wordings)
        rows = [
            [text(reason_words(reason)), Markup(number(count))]
            for reason, count in counts.most_common(REASONS_MAX)
        ]
        yield table(f"{plural(len(rest), 'more cause')}, by reason", ["Reason", "Devices"], rows)


def _alike(causes: Iterable[Cause]) -> list[list[Cause]]:
    """Causes that are one but for the wording; behind the others what only followed from them."""
    groups: dict[tuple[str, str], list[Cause]] = {}
    for cause in causes:
        nameless = cause.detail.replace(cause.devices[0], "")
        groups.setdefault((cause.reason, _NUMBER.sub("#", nameless)), []).append(cause)
    return sorted(groups.values(), key=_weight)


def _weight(wordings: Sequence[Cause]) -> tuple[bool, int]:
    return wordings[0].reason in WITH_OTHERS, -sum(len(one.devices) for one in wordings)


def _cause(wordings: Sequence[Cause], lines: Sequence[JournalEntry]) -> Iterable[Markup]:
    devices = [device for one in wordings for device in one.devices]
    reason, detail = wordings[0].reason, wordings[0].detail
    yield tag("h3", text(f"{plural(len(devices), 'device')}: {reason_words(reason)}"))
    which = fold_line(devices, NAMES_CELLS_MAX, LOOK)
    first_s = min((one.first_s for one in wordings if one.first_s is not None), default=None)
    seen = "" if first_s is None else f", first after {span(first_s)}"
    yield tag(
        "p",
        text(f"{which}{seen}. Reason ", limit=NAMES_CELLS_MAX + 100),
        tag("code", text(reason, limit=40)),
        text(": `rollout explain` has what it means."),
    )
    if detail:
        for one in wordings[:WORDINGS_MAX]:
            yield tag("pre", block(one.detail, limit=DETAIL_CELLS_MAX))
    if len(wordings) > WORDINGS_MAX:
        more = plural(len(wordings) - WORDINGS_MAX, "more wording")
        yield tag("p", text(f"{more} with other numbers or names."))
    if lines:
        yield tag("p", text(f"Last lines of the journal about {devices[0]}:"))
        yield tag("pre", join((_line(entry) for entry in lines), "\n"))


def _line(entry: JournalEntry) -> Markup:
    return Markup(moment(entry.at, "%H:%M:%SZ") + " " + text(entry_words(entry), limit=300))
