"""The shortest list of faults under which a seed still fails (delta debugging).

Laws:
1. What is given back fails by the same rule as the whole list did.
2. It ends: after so many runs or so much time the best list so far is given back.

Source: A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", 2002.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.testing.faults import Fault
from orchestrator.testing.report import SimulationFailed
from orchestrator.testing.simulation import simulate

RUNS_MAX = 400
SECONDS_MAX = 20.0
_DETAIL = re.compile(r" \(.*|[`\[{'].*|dev-\d+|r-\d+|[0-9.]+")
_COMMAND = "python -m orchestrator.testing"


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What is left of a failing list; `runs` simulations found it."""

    faults: tuple[Fault, ...]
    runs: int


def shrink(
    failure: SimulationFailed, *, runs_max: int = RUNS_MAX, seconds_max: float = SECONDS_MAX
) -> Shrunk:
    """Leaves out of a failure's faults what it does not need."""
    search = _Search(failure, runs_max, time.monotonic() + seconds_max)
    return Shrunk(_least(failure.faults, search.fails), search.runs)


def explained(failure: SimulationFailed) -> str:
    """The failure in three lines: what, how to repeat it, and how with the fewest faults."""
    least = shrink(failure)
    text = shlex.quote(" ".join(map(str, least.faults)))
    count = f"{len(least.faults)} of {len(failure.faults)} faults, found by {least.runs} runs"
    return "\n".join(
        (
            f"seed {failure.seed}: {failure.rule}",
            f"repeat with: {_COMMAND} --seed {failure.seed}",
            f"least needed: {_COMMAND} --seed {failure.seed} --faults {text}  # {count}",
        )
    )


class _Search:
    """Tries lists out, as long as it may."""

    def __init__(self, failure: SimulationFailed, runs_max: int, until: float) -> None:
        self.runs = 0
        self._seed = failure.seed
        self._rule = _kind(failure.rule)
        self._runs_max = runs_max
        self._until = until

    def fails(self, faults: Sequence[Fault]) -> bool:
        """Whether this list still breaks the rule; False once the time is over."""
        if self.runs >= self._runs_max or time.monotonic() > self._until:
            return False
        self.runs += 1
        try:
            simulate(self._seed, faults=faults)
        except SimulationFailed as failure:
            return _kind(failure.rule) == self._rule
        return False


def _kind(rule: str) -> str:
    """A rule without the devices and numbers of one run."""
    return _DETAIL.sub("", rule)


def _least(
    faults: tuple[Fault, ...], fails: Callable[[Sequence[Fault]], bool]
) -> tuple[Fault, ...]:
    if fails(()):
        return ()
    parts = 2
    while len(faults) > 1:
        size = -(-len(faults) // parts)
        for start in range(0, len(faults), size):
            rest = faults[:start] + faults[start + size :]
            if fails(rest):
                faults, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(len(faults), 2 * parts)
    return faults
