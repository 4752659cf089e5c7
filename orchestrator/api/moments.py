"""Points in time as people write them on a command line."""

from __future__ import annotations

from datetime import datetime

from orchestrator.units import parse_duration

MOMENT_HINT = "write a time with its zone, as `2026-12-27T06:00+01:00`, or a duration, as `12h`"


def moment(text: str, *, now: float) -> float:
    """UTC seconds of a time with its zone, or of a duration from `now` on.

    Raises:
        ValueError: it is neither (the text is a message).
    """
    try:
        return now + parse_duration(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"`{text}` is no time"
        raise ValueError(message) from error
    if found.tzinfo is None:
        message = f"`{text}` names no zone"
        raise ValueError(message)
    return found.timestamp()
