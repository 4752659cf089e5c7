"""What so many devices can prove."""

from __future__ import annotations

CONFIDENCE = 0.95


def upper_bound(devices_count: int) -> float:
    """Failure rate that so many devices without any failure exclude with 95 % confidence.

    Exact (Clopper-Pearson with 0 failures): 5 devices exclude 45 %, 59 exclude 5 %, 299 exclude
    1 %. No devices exclude nothing: 1.
    """
    if devices_count <= 0:
        return 1.0
    return float(1 - (1 - CONFIDENCE) ** (1 / devices_count))
