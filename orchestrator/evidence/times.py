"""Moments as SBOM, VEX and OSV files write them: RFC 3339."""

from __future__ import annotations

import re
from datetime import datetime

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def moment_of(text: str) -> float | None:
    """UTC seconds of a moment with its zone; None for any other text."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    zone = "+00:00" if match[4] in "Zz" else match[4]
    try:
        return datetime.fromisoformat(
            f"{match[1]}T{match[2]}.{match[3] or '0':0<6}{zone}"
        ).timestamp()
    except ValueError:
        return None
