"""What work costs in CPU, on a machine as fast as the one that promises are made for.

The same work takes half as long again on a machine whose cores are shared with others, so a promise
in plain seconds would say more about the neighbours. What is measured is divided by how much slower
this machine does a fixed piece of work, just before and after.
"""

from __future__ import annotations

import contextlib
import gc
import json
import time
from collections.abc import Iterator

_PIECE_S = 0.025  # what the fixed piece took at best on the machine that promises are made for
_TRIES = 3


class Cost:
    """How much was used within a block, once it is left."""

    cpu_s: float


@contextlib.contextmanager
def spending() -> Iterator[Cost]:
    """Measures a block: the CPU time of this process, without what earlier tests left to collect."""
    gc.collect()
    gc.freeze()
    cost, before = Cost(), slowness()
    began = time.process_time()
    yield cost
    used_s = time.process_time() - began
    cost.cpu_s = used_s / ((before + slowness()) / 2)


def slowness() -> float:
    """How many times as long as promised this machine takes now; 1 when it is as fast or faster."""
    return max(1.0, min(_piece() for _ in range(_TRIES)) / _PIECE_S)


def _piece() -> float:
    """The fixed piece of work: objects, texts and a sort, as planning and reading have them."""
    began = time.process_time()
    made = {f"gw-{number % 997:05}": (number, str(number)) for number in range(40_000)}
    json.dumps(sorted(made.items()))
    return time.process_time() - began
