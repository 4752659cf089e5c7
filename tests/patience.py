"""What a promise of seconds may take on a machine that others use as well."""

from __future__ import annotations

import os

_LONGER_MAX = 4.0  # tests that wait for the end of such a time have to end, too


def within(promised_s: float) -> float:
    """The promise itself on a quiet machine; longer by as much as its cores are oversubscribed."""
    oversubscribed = os.getloadavg()[0] / (os.cpu_count() or 1)
    return promised_s * min(max(1.0, oversubscribed), _LONGER_MAX)
