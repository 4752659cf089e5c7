"""A terminal's output as an SVG picture, for documents: exactly what a person saw, as vectors.

The only module that loads rich; nothing imports it but `tools/terminal_svg.py`.
"""

from __future__ import annotations

import io
import re

_PART = re.compile(r"(\x1b\[\d+F|\x1b\[J|\x1b\[K|\r|\n)")
_SILENT = re.compile(r"\x1b\[\?25[lh]")
_FONT_FACE = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)


def settled(output: str) -> str:
    """What stays on the screen: what a live view drew over or took back is gone."""
    rows, at, is_fresh = [""], 0, True
    for part in _PART.split(_SILENT.sub("", output)):
        if part == "\n":
            at, is_fresh = at + 1, True
            rows += [""] * (at == len(rows))
        elif part == "\r":
            is_fresh = True
        elif part == "\x1b[K":
            rows[at] = "" if is_fresh else rows[at]
        elif part == "\x1b[J":
            rows[at:] = [""]
        elif part.startswith("\x1b[") and part.endswith("F"):
            at, is_fresh = max(0, at - int(part[2:-1])), True
        elif part:
            rows[at] = part if is_fresh else rows[at] + part
            is_fresh = False
    return "\n".join(rows)


def svg(output: str, *, title: str, width: int) -> str:
    """A picture of coloured output; the same output gives the same bytes.

    Args:
        output: text with our SGR codes, as captured from a terminal.
        title: stands in the window's bar.
        width: columns of the picture.
    """
    from rich._export_format import CONSOLE_SVG_FORMAT
    from rich.console import Console
    from rich.text import Text

    console = Console(
        record=True,
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard",
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    console.print(Text.from_ansi(settled(output)))
    # fonts of other hosts are left out: a document must not call home when it is opened
    template = _FONT_FACE.sub("", CONSOLE_SVG_FORMAT)
    template = template.replace("<svg ", '<svg xml:space="preserve" ', 1)  # indents count
    return console.export_svg(title=title, code_format=template, unique_id="terminal")
