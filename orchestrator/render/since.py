"""What changed since a plan that was reviewed: for people, and as data."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction

from orchestrator.plan.difference import Change, Difference, Move, Place, Section, Since
from orchestrator.plan.digest import Json
from orchestrator.render.limit_lines import LABEL_CELLS, labelled, percent
from orchestrator.render.names import fold_line
from orchestrator.render.text import Look, Style, Symbol, cells, escape, number, pad, plural, wrap
from orchestrator.render.words import instant, reason_words
from orchestrator.secret_names import shown_url
from orchestrator.units import format_duration, format_size

DIGEST_CHARS = 12
CHANGES_MAX = 40  # more are in the JSON form
MOVES_MAX = 20
NAMES_MAX = 5  # of waves in which the same changed
NAMES_CELLS_MIN = 24  # of devices behind words; a line that is too narrow is wrapped
_LIST_KEYS = {Section.WAVES, Section.GATES}  # their second key is a name
_FINGERPRINT_CHARS = 64
_BETTER = {
    "current": "running",
    "current_manifest": "running manifest",
    "plan_sha256": "file",
    "inventory_sha256": "inventory files",
    "choice_sha256": "choice by -l and -e",
}


class Kind(StrEnum):
    """What became of a device between two plans."""

    IN = "in"
    OUT = "out"
    MOVED = "moved"
    LEFT_OUT = "left_out"  # it took part neither before nor now, for another reason


def kind_of(move: Move) -> Kind:
    """Whether it comes, goes, changes its wave, or stays left out."""
    if move.before.wave and move.after.wave:
        return Kind.MOVED
    if move.after.wave:
        return Kind.IN
    return Kind.OUT if move.before.wave else Kind.LEFT_OUT


def since_document(since: Since, digest: str) -> dict[str, object]:
    """The difference as data (`diff` of schemas/preview.v1.json)."""
    found = since.difference
    return {
        "against": {"file": since.file, "digest": since.digest},
        "same": since.digest == digest,
        "same_canary": found.same_canary,
        "devices": [
            {
                "device": move.device,
                "change": str(kind_of(move)),
                "before": {"wave": move.before.wave or None, "reason": move.before.reason or None},
                "after": {"wave": move.after.wave or None, "reason": move.after.reason or None},
            }
            for move in found.moves
        ],
        "reordered": list(found.reordered),
        "changes": [
            {
                "section": str(change.section),
                "path": list(change.path),
                "before": _shown(change.before),
                "after": _shown(change.after),
                "devices": list(change.devices),
            }
            for change in found.changes
        ],
    }


def _shown(value: Json) -> Json:
    """A value of a plan without what opens an address in it."""
    match value:
        case str():
            return shown_url(value)
        case list():
            return [_shown(item) for item in value]
        case dict():
            return {key: _shown(item) for key, item in value.items()}
        case _:
            return value


def since_lines(since: Since, digest: str, look: Look) -> list[str]:
    """Lines for people: in one sentence, and below it each change."""
    found = since.difference
    name = f"{escape(since.file)} (sha256:{escape(since.digest[:DIGEST_CHARS])}"
    name += f"{look.sign(Symbol.ELLIPSIS)})"
    if since.digest == digest:
        words = f"{name}: nothing has changed, the digest is the same; its review carries over"
        return labelled("Since", words, look)
    lines = labelled("Since", f"{name}: {summary(found)}", look)
    lines += _moves(found, look)
    for wave in found.reordered:
        where = f"wave {escape(wave, limit=40)}" if wave else "devices that are left out"
        lines += _row("order", f"{where}: the same devices follow in another order", look)
    said = ""
    groups = _alike(found.changes)
    for names, change in groups[:CHANGES_MAX]:
        section = str(change.section)
        lines += _row(section if section != said else "", _words(change, names, look), look)
        said = section
    if len(groups) > CHANGES_MAX:
        more = plural(len(groups) - CHANGES_MAX, "more change")
        lines += _row("", f"{more}, all of them with `--format json`", look)
    return lines


def summary(found: Difference) -> str:
    """`3 devices in, 1 moved, 2 other changes; the canary is the same`."""
    kinds = [kind_of(move) for move in found.moves]
    parts: list[str] = []
    for kind, word in ((Kind.IN, "in"), (Kind.OUT, "out"), (Kind.MOVED, "moved")):
        if count := kinds.count(kind):
            parts.append(f"{number(count) if parts else plural(count, 'device')} {word}")
    others = len(found.changes) + len(found.reordered) + kinds.count(Kind.LEFT_OUT)
    if others:
        parts.append(plural(others, "other change" if parts else "change"))
    canary = "the canary is the same" if found.same_canary else "the canary is another one"
    return f"{', '.join(parts)}; {canary}"


def _moves(found: Difference, look: Look) -> list[str]:
    groups: dict[tuple[Place, Place], list[Move]] = {}
    for move in found.moves:
        groups.setdefault((move.before, move.after), []).append(move)
    lines: list[str] = []
    for moves in list(groups.values())[:MOVES_MAX]:
        lines += _group(moves, look)
    if len(groups) > MOVES_MAX:
        left = sum(len(moves) for moves in list(groups.values())[MOVES_MAX:])
        lines += _row("", f"{plural(left, 'more device')}, all of them with `--format json`", look)
    return lines


def _group(moves: Sequence[Move], look: Look) -> list[str]:
    kind, style = kind_of(moves[0]), Style.PLAIN
    before, after = moves[0].before, moves[0].after
    match kind:
        case Kind.IN:
            was = f" (was left out: {reason_words(before.reason)})" if before.reason else ""
            sign, style, words = "+", Style.GOOD, f"into {_wave(after)}{was}"
        case Kind.OUT:
            why = reason_words(after.reason) if after.reason else "not in the plan any more"
            sign, style, words = "-", Style.BAD, f"out of {_wave(before)} ({why})"
        case Kind.MOVED:
            arrow = look.sign(Symbol.ARROW)
            sign, style, words = "~", Style.WARN, f"{_wave(before)} {arrow} {_wave(after)}"
        case Kind.LEFT_OUT:
            now = f"left out ({reason_words(after.reason)})" if after.reason else "not left out"
            sign, words = look.sign(Symbol.DOT), now
    label = f"{sign} {number(len(moves))}"
    room = max(NAMES_CELLS_MIN, look.width - LABEL_CELLS - cells(words) - 2)
    names = fold_line([move.device for move in moves], room, look)
    return _row(label, f"{words}: {names}", look, style)


def _wave(place: Place) -> str:
    return escape(place.wave, limit=40)


def _row(label: str, words: str, look: Look, style: Style = Style.DIM) -> list[str]:
    """A line below the first one, with a small label of its own."""
    first = f"  {pad(label, LABEL_CELLS - 2)}"
    lines = wrap(words, look.width, first=first, indent=" " * (LABEL_CELLS + 2))
    lines[0] = look.paint(first.rstrip(), style) + lines[0][len(first.rstrip()) :]
    return lines


def _alike(changes: Sequence[Change]) -> list[tuple[list[str], Change]]:
    """Changes of one value in several waves or gates together, with the names of these."""
    found: dict[str, tuple[list[str], Change]] = {}
    for index, change in enumerate(changes):
        within = change.section in _LIST_KEYS and len(change.path) > 2  # noqa: PLR2004  a name, a key
        rest = (change.path[2:], change.before, change.after)
        key = f"{change.section} {rest!r}" if within else str(index)
        found.setdefault(key, ([], change))[0].extend(change.path[1:2] if within else ())
    return list(found.values())


def _words(change: Change, names: Sequence[str], look: Look) -> str:
    """`canary, early: soak 30m -> 1h`, with the devices that it is true of."""
    path = [escape(part, limit=40) for part in change.path]
    if change.section is Section.RISKS:
        return _risk_words(change)
    where = ""
    if change.section in _LIST_KEYS and len(path) > 1:
        shown = [escape(name, limit=40) for name in names[:NAMES_MAX]] or [path[1]]
        more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
        where, path = f"{', '.join(shown)}{more}: ", path[2:]
    elif len(path) > 1 and path[0] == str(change.section):
        path = path[1:]
    key = change.path[-1]
    what = " ".join(part.replace("_", " ") for part in [*path[:-1], *map(_plain, path[-1:])])
    if change.before is None and isinstance(change.after, dict):
        words = f"{where}{what} added: {_value(key, change.after)}"
    elif change.after is None and isinstance(change.before, dict):
        words = f"{where}{what} removed"
    else:
        arrow = look.sign(Symbol.ARROW)
        before, after = _value(key, change.before), _value(key, change.after)
        words = f"{where}{what} {before} {arrow} {after}"
    words = " ".join(words.split())
    if not change.devices:
        return words
    count = plural(len(change.devices), "device")
    words = f"{words} on {count}"
    room = max(NAMES_CELLS_MIN, look.width - LABEL_CELLS - cells(words) - 2)
    return f"{words}: {fold_line(change.devices, room, look)}"


def _risk_words(change: Change) -> str:
    gone = change.after is None
    risk = change.before if gone else change.after
    said = f"{risk['code']} {risk['message']}" if isinstance(risk, dict) else str(risk)
    return f"{'no more' if gone else 'new'}: {escape(said, limit=400)}"


def _plain(key: str) -> str:
    """A key without its unit, which its value has, or its better word."""
    if key in _BETTER:
        return _BETTER[key]
    for unit in ("_s", "_at", "_bytes", "_share", "_sha256"):
        if key.endswith(unit):
            return key.removesuffix(unit)
    return key


def _value(key: str, value: Json) -> str:
    match value:
        case None:
            shown = "none"
        case bool():
            shown = "yes" if value else "no"
        case int() | float():
            shown = _number(key, value)
        case str():
            shown = _text(key, value)
        case list():
            shown = ", ".join(_value(key, item) for item in value) or "none"
        case _:
            parts = [f"{_plain(name)} {_value(name, item)}" for name, item in value.items() if item]
            shown = ", ".join(parts).replace("_", " ")
    return escape(shown, limit=200)


def _number(key: str, value: float) -> str:
    if key.endswith("_s"):
        return format_duration(value)
    if key.endswith("_at"):
        return instant(value)
    if key.endswith("_bytes"):
        return format_size(int(value))
    return f"{value:g}" if isinstance(value, float) else number(value)


def _text(key: str, value: str) -> str:
    if key.endswith("_share"):
        return percent(float(Fraction(value)))
    if key.endswith(("sha256", "manifest")) and len(value) == _FINGERPRINT_CHARS:
        return value[:DIGEST_CHARS]
    return shown_url(value) or '""'
