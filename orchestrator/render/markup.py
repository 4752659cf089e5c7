"""HTML out of facts: a few functions, and a type of its own for what is markup already.

Laws:
1. A plain `str` is foreign: it becomes `Markup` by `text`, `block` or an attribute, and by nothing
   else. Type checkers see to it.
2. Foreign text is without what looks like a secret, visible (`render.text.escape`) and of limited
   length before its HTML is escaped.
3. Names of elements and attributes are ours, never data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape as html_escape
from typing import NewType

from orchestrator.evidence.masking import masked
from orchestrator.render.text import TEXT_CELLS_MAX, escape

Markup = NewType("Markup", str)

BLOCK_LINES_MAX = 40
_ATTRIBUTE_CELLS_MAX = 4000  # the points of a curve
_VOID = frozenset({"br", "link", "meta"})
NOTHING = Markup("")


def text(foreign: str, *, limit: int = TEXT_CELLS_MAX) -> Markup:
    """One visible line of text."""
    return Markup(html_escape(escape(masked(foreign)[0], limit=limit)))


def block(foreign: str, *, limit: int = TEXT_CELLS_MAX) -> Markup:
    """Text of several lines, each visible, of at most `BLOCK_LINES_MAX`."""
    lines = masked(foreign)[0].split("\n")
    shown = [html_escape(escape(line, limit=limit)) for line in lines[:BLOCK_LINES_MAX]]
    if len(lines) > BLOCK_LINES_MAX:
        shown.append(f"({len(lines) - BLOCK_LINES_MAX} more lines)")
    return Markup("\n".join(shown))


def tag(name: str, /, *children: Markup, **attributes: str | float) -> Markup:
    """An element. `_` in an attribute's name stands for `-`, one at its end for nothing."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{''.join(children)}</{name}>")


def names(folded: str, *, limit: int) -> Markup:
    """Names of devices in braces, which may be broken anywhere: they are longer than any word."""
    return tag("span", text(folded, limit=limit), class_="names")


def join(parts: Iterable[Markup], between: str = "") -> Markup:
    """Several of them, one after the other."""
    return Markup(html_escape(between).join(parts))


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Markup]]) -> Markup:
    """A table with its caption; the first cell of a row is its head."""
    head = tag("tr", *(tag("th", text(one), scope="col") for one in heads))
    body = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:]))
        for row in rows
    ]
    whole = tag(
        "table", tag("caption", text(caption)), tag("thead", head), tag("tbody", join(body))
    )
    return scrolling(whole, caption)


def scrolling(wide: Markup, label: str) -> Markup:
    """What may be wider than the page, and scrolls by itself then, with the keyboard as well."""
    return tag("div", wide, class_="wide", role="group", aria_label=label, tabindex=0)


def moment(at: float, form: str = "%Y-%m-%d %H:%M:%SZ") -> Markup:
    """A time in UTC, for people and programs."""
    when = datetime.fromtimestamp(at, UTC)
    exact = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    return tag("time", Markup(when.strftime(form)), datetime=exact)


def _attribute(value: str | float) -> str:
    if isinstance(value, str):
        return html_escape(escape(masked(value)[0], limit=_ATTRIBUTE_CELLS_MAX))
    return f"{value:.1f}".removesuffix(".0")
