"""The garbage collector, for the time of a rollout."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG_OBJECTS = 20_000  # between two looks at what is new; Python's own 700 suit small programs


@contextmanager
def settled_memory() -> Iterator[None]:
    """What is there already outlives the block: the collector does not look at it again.

    The plan of 100 000 devices is millions of objects, of which none becomes garbage while it
    runs; looking through them again and again was a tenth of the CPU that a device costs. Blocks
    may be inside one another; the outermost one ends it.
    """
    before = gc.get_threshold()
    nested = gc.get_freeze_count() > 0
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not nested:
            gc.unfreeze()
