"""A rollout as one page: for who was not there, for reviews, and for the file of a change.

Laws:
1. The page needs nothing but itself: no network, no script, and its policy (CSP) allows none. Where
   it is opened it sends nothing.
2. Whatever devices, people and inventories wrote is text, visible and of limited length
   (`render.markup`).
3. It is read with a screen reader and on paper as well: landmarks, headings in order, captions, a
   text for each chart, and no fact in colour alone.
4. The page of a large fleet is no larger than that of many waves and causes: each list has a limit
   and says what it left out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.render.markup import Markup, moment, names, table, tag, text
from orchestrator.render.names import fold_line
from orchestrator.render.report_causes import causes_section
from orchestrator.render.report_course import course_section, gates_section, timeline_section
from orchestrator.render.report_proof import ProofFacts, people_section, proof_section
from orchestrator.render.report_style import style
from orchestrator.render.standing import Facts, is_over, standing
from orchestrator.render.summary import outcome_words, stop_words, verdict
from orchestrator.render.text import Look, Style, number, plural
from orchestrator.render.words import (
    clock,
    commit_words,
    glass_words,
    progress_words,
    reason_words,
    state_words,
)
from orchestrator.rollout.chronicle import Chronicle, chronicle
from orchestrator.rollout.events import JournalEntry

LOOK = Look(width=100)
NAMES_CELLS_MAX = 300
WAVES_MAX = 100
_CLASSES = {Style.GOOD: "good", Style.BAD: "bad", Style.WARN: "warn", Style.ACCENT: "work"}


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What a report is made of: where the rollout stands, its whole journal, and what proves that.

    `tool` is the version that makes it.
    """

    standing: Facts
    journal: Sequence[JournalEntry]
    proof: ProofFacts
    tool: str


def report_page(facts: ReportFacts) -> str:
    """The page: HTML in ASCII and UTF-8 letters, the same for the same facts."""
    story = facts.standing.story
    told = chronicle(facts.standing.plan, facts.journal)
    word = verdict(facts.standing)[0].lower()
    sections = [
        ("outcome", "Outcome", _outcome(facts, told)),
        ("timeline", "Timeline", timeline_section(facts.standing, facts.journal, told)),
        ("causes", "Failures by cause", causes_section(story, facts.journal)),
        ("gates", "Gates", gates_section(facts.standing, told)),
        ("course", "What happened", course_section(facts.standing, facts.journal)),
        ("people", "Approvals and requests", people_section(facts.journal)),
        ("proof", "Proof", proof_section(story.rollout_id, facts.proof, told)),
    ]
    title = f"Rollout {story.rollout_id} of {facts.standing.plan.name}: {word}"
    links = (tag("li", tag("a", text(name), href=f"#{key}")) for key, name, _ in sections)
    body = tag(
        "body",
        tag("a", text("Skip to the report"), class_="skip", href="#main"),
        tag("header", tag("h1", text(title)), _lead(facts.standing)),
        tag("nav", tag("ul", *links), aria_label="Sections"),
        tag("main", *(_section(*each) for each in sections), id="main"),
        tag("footer", _made(facts)),
    )
    return f"<!DOCTYPE html>\n{tag('html', _head(title), body, lang='en')}\n"


def _head(title: str) -> Markup:
    sheet = style()
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", text(title)),
        tag("style", Markup(sheet)),
    )


def _section(key: str, name: str, parts: Iterable[Markup]) -> Markup:
    return tag("section", tag("h2", text(name), id=key), *parts, aria_labelledby=key)


def _lead(facts: Facts) -> Markup:
    word, shown, symbol = verdict(facts)
    kind = _CLASSES.get(shown, "idle")
    sign = tag("span", Markup(LOOK.sign(symbol)), aria_hidden="true")
    return tag("p", sign, Markup(" "), text(word), class_=f"verdict {kind}")


def _made(facts: ReportFacts) -> Markup:
    return tag(
        "p",
        text(f"Made by rollout {facts.tool} as of "),
        moment(facts.standing.now),
        text(". Times are UTC. Texts of devices and people are shown as they are, without what "),
        text("looks like a secret."),
    )


def _outcome(facts: ReportFacts, told: Chronicle) -> Iterable[Markup]:
    """What the devices run, what stopped it, the rollout's own facts, and its waves."""
    story, plan = facts.standing.story, facts.standing.plan
    yield tag("p", text(outcome_words(story), limit=1000))
    for why in stop_words(story)[:20]:
        yield tag("p", text(f"Stopped: {why}", limit=400), class_="bad")
    if story.glass is not None:
        yield tag("p", text(glass_words(story.glass), limit=600), class_="warn")
    if said := standing(facts.standing):
        yield tag("p", text(f"Now: {said}.", limit=1000))
    given = [
        ("Plan", text(f"{plan.name}, release {plan.release}, from {plan.plan_file}")),
        ("Artifact", text(plan.artifact.name)),
        ("Artifact's SHA-256", tag("code", text(plan.artifact.sha256))),
        ("Plan's digest", tag("code", text(facts.standing.digest))),
        ("Began", moment(story.started_at)),
        ("Last event", moment(told.ended_at)),
        ("Took", Markup(clock(max(0.0, told.ended_at - story.started_at)))),
        ("Devices", Markup(number(story.devices))),
    ]
    if plan.commit is not None:
        given.append(("Signed commit", text(commit_words(plan.commit))))
    yield tag("dl", *(Markup(tag("dt", text(key)) + tag("dd", value)) for key, value in given))
    yield _waves(facts.standing, told)
    yield from _left_out(facts.standing)


def _waves(facts: Facts, told: Chronicle) -> Markup:
    spans = {span.name: span for span in told.waves}
    waves = facts.story.waves
    unknown = "never" if is_over(facts) else "not yet"
    rows = []
    for wave in waves[:WAVES_MAX]:
        span = spans.get(wave.name)
        times = (None,) * 3 if span is None else (span.begun_at, span.soak_at, span.done_at)
        rows.append(
            [
                text(wave.name, limit=60),
                text(state_words(wave.state)),
                text(progress_words(wave.counts, wave.devices)),
                text(f"{number(wave.failures)} of {number(wave.allowed)}"),
                *(text(unknown) if at is None else moment(at) for at in times),
            ]
        )
    caption = plural(len(waves), "wave")
    if len(waves) > WAVES_MAX:
        caption += f", of which the first {WAVES_MAX} are shown"
    heads = [
        "Wave",
        "State",
        "Devices",
        "Failures of those allowed",
        "Began",
        "Soaked from",
        "Done",
    ]
    return table(caption, heads, rows)


def _left_out(facts: Facts) -> Iterable[Markup]:
    """Devices that the plan chose and the preview left out: a success that is none for them."""
    found: dict[str, list[str]] = {}
    for skipped in facts.plan.skipped:
        found.setdefault(skipped.reason, []).append(skipped.device)
    if found:
        rows = [
            [
                text(reason_words(reason)),
                Markup(number(len(devices))),
                names(fold_line(devices, NAMES_CELLS_MAX, LOOK), limit=NAMES_CELLS_MAX + 50),
            ]
            for reason, devices in found.items()
        ]
        yield table("Left out of the plan", ["Why", "Devices", "Which"], rows)
