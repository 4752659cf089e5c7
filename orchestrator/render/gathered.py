"""Answers of many devices in few lines: how many of which kind, then the exceptions by name."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.render.names import fold_line
from orchestrator.render.shown import AnswerFacts
from orchestrator.render.text import Look, Style, Symbol, escape, plural
from orchestrator.render.words import reason_words

UNCHANGED = "unchanged"


def gathered_text(answers: Sequence[AnswerFacts], look: Look, *, done: str) -> str:
    """Counts first, then each cause of failure with its code and its devices.

    Args:
        answers: untrusted text but for `ok`.
        look: of the stream.
        done: what happened to the good ones, such as `enrolled`.
    """
    good = [answer for answer in answers if answer.ok]
    same = [answer for answer in good if answer.reason == UNCHANGED]
    bad = [answer for answer in answers if not answer.ok]
    counts = [
        f"{len(good) - len(same)} {done}",
        *([f"{len(same)} left as they were"] if same else []),
        *([f"{len(bad)} failed"] if bad else []),
    ]
    lines = [f"{plural(len(answers), 'device')}: {', '.join(counts)}"]
    groups: dict[tuple[str, str], list[str]] = {}
    for answer in bad:
        groups.setdefault((answer.reason, answer.detail), []).append(answer.device)
    for (reason, detail), names in sorted(groups.items(), key=lambda one: -len(one[1])):
        sign = look.paint(look.sign(Symbol.FAILED), Style.BAD)
        lines += [
            f"{sign} {len(names)}x {escape(reason, limit=40)}: {reason_words(reason, detail)}",
            f"    {fold_line(names, look.width - 4, look)}",
        ]
    return "\n".join(lines) + "\n"
