"""Parts of a report: who asked, approved and signed, and what shows that the journal is true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.render.markup import Markup, block, join, moment, table, tag, text
from orchestrator.render.text import number, plural
from orchestrator.render.words import state_words, wave_words
from orchestrator.rollout.audit import Seal
from orchestrator.rollout.chronicle import Chronicle
from orchestrator.rollout.events import JournalEntry

ASKED_MAX = 150
SIGNATURES_MAX = 12
SEALS_MAX = 10
FINDINGS_MAX = 20
_OF_PEOPLE = frozenset({"operator", "approval", "break_glass"})
_ANSWERS = {"done": "", "already": "nothing to do"}


@dataclass(frozen=True, slots=True)
class ProofFacts:
    """What came of judging one journal.

    Attributes:
        controller_id: the store's.
        seq: number of its last entry.
        hash: that entry's.
        fault: what does not fit; empty where all does.
        seals: heads of it that somebody signed, and that were found again.
        findings: what is wrong with those who vouch.
    """

    controller_id: str
    seq: int
    hash: str
    fault: str
    seals: tuple[Seal, ...]
    findings: tuple[str, ...]


def people_section(journal: Iterable[JournalEntry]) -> Iterable[Markup]:
    """Requests and approvals with who and why; statements that were signed, whole."""
    found = [entry for entry in journal if entry.type in _OF_PEOPLE]
    if not found:
        yield tag("p", text("Nobody asked for anything, and nothing needed an approval."))
        return
    shown = found[-ASKED_MAX:]
    caption = plural(len(found), "entry", "entries")
    if len(found) > len(shown):
        caption += f"; the {len(found) - len(shown)} oldest are left out"
    heads = ["Entry", "When", "Who", "What", "Why", "Key of the signature"]
    yield table(caption, heads, (_asked(entry) for entry in shown))
    signed = [entry for entry in found if entry.data.get("statement")]
    for entry in signed[-SIGNATURES_MAX:]:
        yield tag("h3", text(f"Signed by {_of(entry, 'who')}: entry {entry.seq}"))
        both = f"{_of(entry, 'statement')}\n{_of(entry, 'signature')}"
        yield tag("pre", block(both))
    if len(signed) > SIGNATURES_MAX:
        yield tag("p", text(f"{len(signed) - SIGNATURES_MAX} older statements are left out."))


def proof_section(rollout_id: str, facts: ProofFacts, told: Chronicle) -> Iterable[Markup]:
    """Whether the journal holds, who vouches for it, and how to look for oneself."""
    if facts.fault:
        yield tag("p", text(f"The journal does not hold: {facts.fault}."), class_="bad")
    else:
        said = (
            f"The journal holds: its {plural(facts.seq, 'entry', 'entries')} hang on one another."
        )
        yield tag("p", text(said), class_="good")
    yield _vouched(facts)
    for finding in facts.findings[:FINDINGS_MAX]:
        yield tag("p", text(finding, limit=400), class_="bad")
    if len(facts.findings) > FINDINGS_MAX:
        yield tag("p", text(f"{len(facts.findings) - FINDINGS_MAX} more findings."), class_="bad")
    given = [
        ("Store", facts.controller_id),
        ("Last entry", number(facts.seq)),
        ("Its hash", facts.hash),
        (
            "Reports signed by devices",
            f"{number(told.signed)} of {plural(told.proven, 'proven device')}",
        ),
    ]
    yield tag(
        "dl",
        *(Markup(tag("dt", text(k)) + tag("dd", tag("code", text(v)))) for k, v in given),
    )
    if facts.seals:
        newest = sorted(facts.seals, key=lambda seal: seal.head.seq)[-SEALS_MAX:]
        rows = [[Markup(number(s.head.seq)), _made(s), text(s.by)] for s in newest]
        title = f"Checkpoints of this journal, the newest {len(rows)} of {len(facts.seals)}"
        yield table(title, ["Up to entry", "Signed", "By"], rows)
    commands = ["rollout audit verify", f"rollout release evidence --cra {rollout_id} --out FILE"]
    words = "A page proves nothing by itself. To judge the store, and to take the proof elsewhere: "
    shown = join((tag("code", text(command)) for command in commands), ", ")
    yield tag("p", text(words), shown)


def _vouched(facts: ProofFacts) -> Markup:
    if not facts.seals:
        said = "No checkpoint vouches for it: that its end was cut off would not be seen."
        return tag("p", text(said), class_="warn")
    after = facts.seq - max(seal.head.seq for seal in facts.seals)
    if after:
        said = f"{plural(after, 'entry', 'entries')} came after the last signed checkpoint."
        return tag("p", text(said), class_="warn")
    return tag("p", text("Its end is signed by a checkpoint."), class_="good")


def _made(seal: Seal) -> Markup:
    return text("not said") if seal.made_at is None else moment(seal.made_at)


def _asked(entry: JournalEntry) -> Sequence[Markup]:
    return [
        Markup(number(entry.seq)),
        moment(entry.at),
        text(_of(entry, "who"), limit=60),
        text(_what(entry), limit=300),
        text(_of(entry, "why"), limit=300),
        text(_of(entry, "key"), limit=80),
    ]


def _what(entry: JournalEntry) -> str:
    """`rollback`, `approval of wave rest given`, `break glass broken`, with what came of it."""
    if entry.type == "operator":
        said = state_words(_of(entry, "ask"))
    else:
        of = wave_words(entry.wave) if entry.wave else "the start"
        said = f"{state_words(entry.type)} of {of} {state_words(_of(entry, 'what'))}"
    answer, detail = _of(entry, "answer"), _of(entry, "detail")
    parts = (said, _ANSWERS.get(answer, state_words(answer)), detail)
    return ": ".join(part for part in parts if part)


def _of(entry: JournalEntry, key: str) -> str:
    value = entry.data.get(key)
    return value if isinstance(value, str) else ""
