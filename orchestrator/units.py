"""Units as people write them, parsed exactly: durations, sizes and shares, and back.

Laws:
1. A bare number is no duration and no size: the unit is always written.
2. A share is an exact `Fraction`; nothing here is ever rounded through a float.
3. `format_*` gives text that the matching `parse_*` reads back to the same value.
"""

from __future__ import annotations

import re
from fractions import Fraction

_SECONDS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
    "w": Fraction(604800),
}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
DURATION_S_MAX = 366 * 86400  # longer is a typing error ("1e9h"), not a plan
_NUMBER = r"(\d{1,12}(?:\.\d{1,6})?)"
_DURATION = re.compile(rf"(?:{_NUMBER}(ms|s|m|h|d|w))")
_DURATION_WHOLE = re.compile(rf"(?:{_NUMBER}(?:ms|s|m|h|d|w))+")
_SIZE = re.compile(rf"{_NUMBER} ?(B|KiB|MiB|GiB|kB|MB|GB)")
_PERCENT = re.compile(rf"{_NUMBER} ?%")


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `30s`, `5m`, `1h30m`, `14d`.

    Raises:
        ValueError: not a duration, or longer than a year (the text says how to write one).
    """
    if not _DURATION_WHOLE.fullmatch(text):
        message = (
            f"`{text}` is not a duration; write a number with a unit, as `30s`, `5m`, `4h`, `14d`"
        )
        raise ValueError(message)
    total = sum(
        (Fraction(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)), Fraction(0)
    )
    if total > DURATION_S_MAX:
        message = f"`{text}` is longer than a year"
        raise ValueError(message)
    return float(total)


def format_duration(seconds: float) -> str:
    """Text of a duration in its largest whole units: `90` gives `1m30s`, `0.25` gives `250ms`."""
    left = round(seconds * 1000)
    if left <= 0:
        return "0s"
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_size(text: str) -> int:
    """Bytes of a size such as `10MiB`; the result is a whole number of bytes.

    Raises:
        ValueError: not a size (the text says how to write one).
    """
    match = _SIZE.fullmatch(text)
    if not match:
        message = f"`{text}` is not a size; write a number with a unit, as `64KiB`, `10MiB`"
        raise ValueError(message)
    return int(Fraction(match[1]) * _BYTES[match[2]])


def format_size(size_bytes: int) -> str:
    """Text of a size for people, with three digits at most: `1.2 MiB`."""
    if size_bytes < 1000:  # noqa: PLR2004  three digits, then the next unit
        return f"{size_bytes} B"
    value = Fraction(size_bytes, 1024)
    units = ["KiB", "MiB", "GiB"]
    while value >= 1000 and len(units) > 1:  # noqa: PLR2004
        value /= 1024
        units.pop(0)
    digits = 1 if value < 100 else 0  # noqa: PLR2004
    return f"{float(value):.{digits}f} {units[0]}"


def parse_percent(text: str) -> Fraction:
    """Share (0..1) of a percentage such as `10%` or `2.5%`; may exceed 1, the caller judges.

    Raises:
        ValueError: not a percentage.
    """
    match = _PERCENT.fullmatch(text)
    if not match:
        message = f"`{text}` is not a percentage; write a number and `%`, as `10%`"
        raise ValueError(message)
    return Fraction(match[1]) / 100


def format_percent(share: Fraction) -> str:
    """Text of a share, exact where it is short: `Fraction(1, 4)` gives `25%`."""
    percent = share * 100
    if percent.denominator == 1:
        return f"{percent.numerator}%"
    return f"{float(percent):.2f}".rstrip("0").rstrip(".") + "%"
