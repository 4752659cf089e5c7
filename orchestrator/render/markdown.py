"""Markdown for comments on GitHub and GitLab, in which text of others stays text.

Laws:
1. Foreign text stands in code spans and fenced blocks alone, where neither mentions, references,
   links, images, commands of the forge nor HTML are looked for. Of a message only plain words,
   numbers and a few signs stand outside.
2. A document never grows over its limit: what is folded is cut by whole lines, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.render.text import escape

COMMENT_BYTES_MAX = 60_000  # GitHub takes 65 536 characters, its step summary 1 MiB; GitLab more
_TICKS = re.compile(r"`+")
_SPAN = re.compile(r"`([^`]+)`")
_PLAIN = re.compile(
    r"\(?(?:"
    r"[A-Za-z]+(?:['-][A-Za-z]+)*"
    r"|(?:[0-9]{1,6}(?:[.,][0-9]{1,6})?(?:%|ms|[wdhms])?){1,5}"
    r")\)?[.,;:]{0,2}"
    r"|[-%+=<→·…]|[.,;:()]{1,2}"
)


@dataclass(frozen=True, slots=True)
class Fold:
    """Lines of text that are shown when a reader asks for them; the title is our own words."""

    title: str
    lines: tuple[str, ...]


def code(text: str, *, limit: int = 200) -> str:
    """Foreign text as a code span: one line in which nothing acts."""
    shown = escape(text, limit=limit) or '""'
    fence = "`" * (_longest(shown) + 1)
    blank = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def prose(message: str, *, limit: int = 800) -> str:
    """A message of ours, which has names of others in it, as one line.

    What stands in backticks becomes a code span, and so does every word that is not plain. Two
    spans never touch: their backticks would be read as others.
    """
    shown = escape(message, limit=limit)
    parts: list[_Part] = []
    at = 0
    for match in _SPAN.finditer(shown):
        parts += _words(shown[at : match.start()])
        parts.append(_Part(match[1], is_code=True))
        at = match.end()
    parts += _words(shown[at:])
    return "".join(map(_written, _joined(parts))).strip()


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    is_code: bool = False


def _words(text: str) -> Iterator[_Part]:
    """The words of a text and the blanks between them."""
    for word in re.split(r"( +)", text):
        if word:
            is_plain = word.isspace() or _PLAIN.fullmatch(word) is not None
            yield _Part(word, is_code=not is_plain)


def _joined(parts: Sequence[_Part]) -> Iterator[_Part]:
    """Code that touches code, or has but a blank between, as one part."""
    held, blank = "", ""
    for part in parts:
        if part.is_code:
            held, blank = held + blank + part.text, ""
        elif held and not blank and part.text.isspace():
            blank = part.text
        else:
            if held:
                yield _Part(held, is_code=True)
            if blank:
                yield _Part(blank)
            held, blank = "", ""
            yield part
    if held:
        yield _Part(held, is_code=True)


def _written(part: _Part) -> str:
    if part.is_code:
        return code(part.text, limit=10 * len(part.text))
    return part.text.replace("<", "&lt;")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of Markdown; its first and last columns stand to the left, numbers between them."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 2), "---"], *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def document(
    head: Sequence[str], folds: Sequence[Fold], foot: str, *, more: str, limit_bytes: int
) -> str:
    """Head, folded parts and foot, within the limit; what comes first is cut last.

    Args:
        head: lines of Markdown, whose number the caller has limited.
        folds: parts that may be cut.
        foot: a last line of Markdown.
        more: where all of a part is to be seen that was cut; text of ours.
        limit_bytes: of the document in UTF-8.
    """
    start, end = "\n".join(head) + "\n", f"\n{foot}\n"
    left = limit_bytes - _size(start + end)
    parts = []
    for fold in folds:
        part = _folded(fold, left, more)
        parts.append(part)
        left -= _size(part)
    return start + "".join(parts) + end


def _folded(fold: Fold, room: int, more: str) -> str:
    """A part as it is, or as many of its lines as there is room for; "" where there is for none."""
    fence = "`" * max(3, max(map(_longest, fold.lines), default=0) + 1)
    start = f"\n<details><summary>{fold.title}</summary>\n\n{fence}text\n"
    end = f"{fence}\n\n</details>\n"
    note = f"... {len(fold.lines)} more lines are left out here: {more}\n"
    left = room - _size(start + end)
    if sum(map(_line_size, fold.lines)) <= left:
        return start + "".join(f"{line}\n" for line in fold.lines) + end
    left -= _size(note)
    kept = 0
    while kept < len(fold.lines) and (left := left - _line_size(fold.lines[kept])) >= 0:
        kept += 1
    if not kept:
        return ""
    cut = note.replace(str(len(fold.lines)), str(len(fold.lines) - kept), 1)
    return start + "".join(f"{line}\n" for line in fold.lines[:kept]) + cut + end


def _longest(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)


def _line_size(line: str) -> int:
    return _size(line) + 1


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
