"""Safe text for people: one sanitiser, and how text looks on a terminal of some width.

Laws:
1. `escape` is the only way for foreign text (devices, inventories, plans, artifacts) into an
   output for people: after it a text is one line that cannot move the cursor, change colours,
   reorder or hide characters, or flood the screen.
2. Colour is added last, by `Look.paint`, and is never the only sign: a word or symbol says it too.
3. Nothing here asks the terminal: width, colour and character set come in with a `Look`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

TEXT_CELLS_MAX = 200  # longer foreign text is cut: one device must not fill the screen
WORDS_CELLS_MAX = 1000  # of sentences made here, whose foreign parts are short: none is cut
WIDTH_MIN = 40
MARKS_MAX = 2  # combining marks on one character; more is "zalgo" that covers other lines

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_HIDDEN_LETTERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters nobody sees
_PAINT = re.compile(r"\x1b\[[0-9;]*m")
_HEX2_MAX, _HEX4_MAX = 0xFF, 0xFFFF


class Style(StrEnum):
    """Roles of text; the values are SGR parameters."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    GOOD = "32"
    WARN = "33"
    BAD = "1;31"
    ACCENT = "36"


class Symbol(StrEnum):
    """Signs beside words, by meaning."""

    DONE = "done"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    WARNING = "warning"
    ARROW = "arrow"
    TIMES = "times"
    DOT = "dot"
    ELLIPSIS = "ellipsis"
    BAR_FULL = "bar_full"
    BAR_EMPTY = "bar_empty"


_UNICODE: Mapping[Symbol, str] = {
    Symbol.DONE: "✓",
    Symbol.RUNNING: "▶",
    Symbol.WAITING: "·",
    Symbol.FAILED: "✗",
    Symbol.WARNING: "!",
    Symbol.ARROW: "→",
    Symbol.TIMES: "×",  # noqa: RUF001  the multiplication sign is meant
    Symbol.DOT: "·",
    Symbol.ELLIPSIS: "…",
    Symbol.BAR_FULL: "█",
    Symbol.BAR_EMPTY: "░",
}
_ASCII: Mapping[Symbol, str] = {
    Symbol.DONE: "+",
    Symbol.RUNNING: ">",
    Symbol.WAITING: ".",
    Symbol.FAILED: "x",
    Symbol.WARNING: "!",
    Symbol.ARROW: "->",
    Symbol.TIMES: "x",
    Symbol.DOT: "-",
    Symbol.ELLIPSIS: "...",
    Symbol.BAR_FULL: "#",
    Symbol.BAR_EMPTY: ".",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What the reader's side can show."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def sign(self, symbol: Symbol) -> str:
        """The sign in this character set."""
        return (_UNICODE if self.unicode else _ASCII)[symbol]

    def paint(self, text: str, style: Style) -> str:
        """The text in its style; as it is without colour. Paint last: it changes the length."""
        if not self.colour or not style or not text:
            return text
        return f"\x1b[{style.value}m{text}\x1b[0m"

    def bar(self, share: float, cells_count: int) -> str:
        """A progress bar of a fixed length; full only when all is done."""
        full = min(cells_count, int(share * cells_count))
        empty = cells_count - full
        return self.sign(Symbol.BAR_FULL) * full + self.sign(Symbol.BAR_EMPTY) * empty


def escape(text: str, *, limit: int = TEXT_CELLS_MAX) -> str:
    r"""One visible line of foreign text: what could act or hide is written as `\x1b`, `\u202e`.

    Controls (C0, C1, DEL), format characters (bidi, zero width, tags), line separators,
    surrogates, private and unassigned code points, blanks other than the space, and marks
    stacked more than two high are shown by number. Text wider than `limit` cells is cut and says
    how many characters are missing. Not for rich markup: our consoles run with markup off.
    """
    out: list[str] = []
    used = marks = 0
    for index, char in enumerate(text):
        marks = marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        shown = _visible(char, marks)
        used += cells(shown)
        if used > limit:
            out.append(f"(+{len(text) - index} characters)")
            break
        out.append(shown)
    return "".join(out)


def in_full(text: str) -> str:
    """Words of ours or of an operator, whole: they are wrapped, and not cut as a device's are."""
    return escape(text, limit=WORDS_CELLS_MAX)


def _visible(char: str, marks: int) -> str:
    if " " <= char <= "~":
        return char
    category = unicodedata.category(char)
    hidden = (
        category in _HIDDEN_CATEGORIES
        or char in _HIDDEN_LETTERS
        or category == "Zs"
        or marks > MARKS_MAX
        or "\ufe00" <= char <= "\ufe0f"  # variation selectors
        or "\U000e0100" <= char <= "\U000e01ef"
    )
    if not hidden:
        return char
    code = ord(char)
    if code <= _HEX2_MAX:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _HEX4_MAX else f"\\U{code:08x}"


def cells(text: str) -> int:
    """Columns that a text takes on a terminal (wide characters two, combining marks none)."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(char) for char in text)


def _cells_of(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def clip(text: str, width: int, look: Look) -> str:
    """The text, cut to `width` cells with an ellipsis where it is longer."""
    if cells(text) <= width:
        return text
    tail = look.sign(Symbol.ELLIPSIS)
    room = width - cells(tail)
    if room <= 0:
        return tail[:width]
    return _prefix(text, room).rstrip() + tail


def clip_start(text: str, width: int, look: Look) -> str:
    """The end of the text, behind an ellipsis where it is longer than `width` cells."""
    if cells(text) <= width:
        return text
    head = look.sign(Symbol.ELLIPSIS)
    room = width - cells(head)
    if room <= 0:
        return head[:width]
    first = next(i for i in range(len(text) + 1) if cells(text[i:]) <= room)
    return head + text[first:].lstrip()


def _prefix(text: str, width: int) -> str:
    used = 0
    for index, char in enumerate(text):
        used += _cells_of(char)
        if used > width:
            return text[:index]
    return text


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text filled with blanks to `width` cells; `right` puts the blanks before it."""
    blanks = " " * max(0, width - cells(text))
    return blanks + text if right else text + blanks


def wrap(text: str, width: int, *, first: str = "", indent: str = "") -> list[str]:
    """Lines of at most `width` cells, broken at blanks, behind `first` and then `indent`.

    A word longer than a line is broken anywhere: nothing is lost and nothing runs over.
    """
    lines: list[str] = []
    line = first
    fresh = True
    for word in _pieces(text.split(), max(8, width - max(cells(first), cells(indent)))):
        candidate = line + word if fresh else f"{line} {word}"
        if not fresh and cells(candidate) > width:
            lines.append(line)
            candidate = indent + word
        line, fresh = candidate, False
    return [*lines, line]


def first_painted(line: str, name: str, look: Look) -> str:
    """A line with the name that it begins with, behind blanks, in bold."""
    bare = line.lstrip(" ")
    if not bare.startswith(name):
        return line
    return line[: len(line) - len(bare)] + look.paint(name, Style.BOLD) + bare[len(name) :]


def fold(line: str, width: int, *, indent: str = "") -> list[str]:
    """A finished line, painted or not, in lines of at most `width` cells, broken at blanks.

    A word longer than a line stays where it is: the terminal breaks it.
    """
    lines: list[str] = []
    head, *words = line.split(" ")
    for word in words:
        candidate = f"{head} {word}"
        room = _shown_cells(indent + word) <= width
        if word and room and _shown_cells(candidate) > width:
            lines.append(head)
            candidate = indent + word
        head = candidate
    return [*lines, head]


def fitted(line: str, width: int, look: Look) -> str:
    """A finished line, painted or not, of at most `width` cells; cut it is without colour."""
    return line if _shown_cells(line) <= width else clip(_PAINT.sub("", line), width, look)


def _shown_cells(painted: str) -> int:
    return cells(_PAINT.sub("", painted))


def _pieces(words: list[str], width: int) -> list[str]:
    pieces: list[str] = []
    for word in words:
        rest = word
        while cells(rest) > width:
            head = _prefix(rest, width) or rest[0]
            pieces.append(head)
            rest = rest[len(head) :]
        pieces.append(rest)
    return pieces


def number(value: int) -> str:
    """A count for people, in groups of three: `1 284`."""
    return f"{value:,}".replace(",", " ")


def plural(value: int, noun: str, many: str = "") -> str:
    """A count with its noun: `1 device`, `12 devices`."""
    return f"{number(value)} {noun if value == 1 else many or noun + 's'}"


def colour_wanted(flag: str, environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether to colour: flag > NO_COLOR > FORCE_COLOR/CLICOLOR_FORCE > TERM=dumb > terminal.

    Args:
        flag: `always`, `never`, or `auto` to let the environment speak.
        environment: values of the process's environment; an empty value counts as not set.
        is_terminal: whether the stream in question is a terminal.
    """
    if flag != "auto":
        return flag == "always"
    if environment.get("NO_COLOR"):
        return False
    forced = (environment.get(name, "") for name in ("FORCE_COLOR", "CLICOLOR_FORCE"))
    if any(value not in {"", "0"} for value in forced):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


def unicode_wanted(encoding: str | None, environment: Mapping[str, str]) -> bool:
    """Whether our signs can be written in this encoding of the stream, and are welcome.

    `LC_ALL=C` asks for plain ASCII; Python writes UTF-8 even then (PEP 540).
    """
    if environment.get("LC_ALL") in {"C", "POSIX"}:
        return False
    return (encoding or "").lower().replace("-", "").replace("_", "") in {"utf8", "utf16", "utf32"}


def shell_word(name: str) -> str:
    """A device's name as a word for a shell; quoted where it holds anything unusual."""
    plain = name.replace("-", "").replace(".", "").replace("_", "")
    if plain.isascii() and plain.isalnum() and not name.startswith("-"):
        return name
    return "'" + escape(name).replace("'", "'\\''") + "'"
