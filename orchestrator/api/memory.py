"""The garbage collector, for the time of a rollout."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG_OBJECTS = 20_000  # between two looks at what is new; Python's own 700 suit small programs

_lock = threading.Lock()
_found: list[tuple[tuple[int, int, int], bool]] = []  # by each block that is open, oldest first


@contextmanager
def settled_memory() -> Iterator[None]:
    """What is there already outlives the block: the collector does not look at it again.

    The plan of 100 000 devices is millions of objects, of which none becomes garbage while it
    runs; looking through them again and again was a tenth of the CPU that a device costs. Blocks
    may be inside one another, and overlap, as one process drives several rollouts; the last that
    is open restores what the first found.
    """
    with _lock:
        threshold = gc.get_threshold()
        _found.append((threshold, gc.get_freeze_count() > 0))
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, *threshold[1:])
    try:
        yield
    finally:
        with _lock:
            first, kept = _found[0]
            _found.pop()
            if not _found:
                gc.set_threshold(*first)
            if not (_found or kept):
                gc.unfreeze()
