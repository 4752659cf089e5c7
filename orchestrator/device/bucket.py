"""The share of a fleet to which a device belongs, as the device itself computes it."""

from __future__ import annotations

import hashlib

_DIGITS = 8
BUCKETS_COUNT = 100


def bucket(serial: int, device_id: str) -> int:
    """The device's bucket for a ticket: 0 to 99; a line `open 5 ...` lets buckets 0 to 4 in.

    The serial is in it, so that not the same devices are the first ones in every release.
    """
    digest = hashlib.sha256(f"{serial} {device_id}".encode("ascii")).hexdigest()
    return int(digest[:_DIGITS], 16) % BUCKETS_COUNT
