"""What a reader of a plan is warned of: nothing that refuses it, each with its code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Risk:
    """One warning about a plan, or about what it would do to these devices now.

    `code` is of the family `P9` ("" in plans that older programs saved); `line` is that of the
    plan file which is to blame, 0 where no single one is.
    """

    code: str
    message: str
    line: int = 0
