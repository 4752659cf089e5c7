"""What codes mean, for people and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orchestrator.render.text import Look, Style, Symbol, pad, wrap

FORMAT_VERSION = "1.0"
CODE_CELLS = 6


class Explained(Protocol):
    """A code with what the pages say of it."""

    @property
    def code(self) -> str:
        """As `P203`, `check_failed` or `5`."""
        ...

    @property
    def meaning(self) -> str:
        """In a sentence."""
        ...

    @property
    def page(self) -> str:
        """Where it stands."""
        ...

    @property
    def passages(self) -> tuple[str, ...]:
        """Other sentences that name it."""
        ...


def codes_text(found: Sequence[Explained], look: Look, *, in_full: bool) -> str:
    """Each code with its meaning; in full also where else it is spoken of."""
    lines: list[str] = []
    indent = " " * CODE_CELLS
    for one in found:
        if in_full and lines:
            lines.append("")
        head = f"{pad(one.code, CODE_CELLS - 2)}  "
        first, *more = wrap(one.meaning, look.width, first=head, indent=indent)
        lines += [look.paint(one.code, Style.BOLD) + first[len(one.code) :], *more]
        if in_full:
            mark = f"{indent}{look.sign(Symbol.DOT)} "
            for passage in one.passages:
                lines += wrap(passage, look.width, first=mark, indent=f"{indent}  ")
            lines.append(look.paint(f"{indent}{one.page}", Style.DIM))
    return "\n".join(lines) + "\n"


def codes_document(found: Sequence[Explained]) -> dict[str, object]:
    """The same as data (schemas/codes.v1.json)."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "codes",
        "codes": [
            {
                "code": one.code,
                "meaning": one.meaning,
                "page": one.page,
                "passages": list(one.passages),
            }
            for one in found
        ],
    }
