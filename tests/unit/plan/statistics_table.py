"""Writes tests/unit/plan/statistics.json: results of SciPy and NumPy that our own tests must meet.

SciPy is no dependency: run this by hand in an environment that has it, when a case is to be added.

usage: python tests/unit/plan/statistics_table.py >tests/unit/plan/statistics.json
"""

from __future__ import annotations

import json
import math

import numpy as np
from scipy import stats

WAYS_MAX = 200_000  # of a permutation test that goes through all of them
EXPERIMENTS = 20_000
RNG = np.random.default_rng(20260101)
SIDES = {"increase": "greater", "decrease": "less"}


def ranked(ours: list[float], theirs: list[float], direction: str, method: object) -> dict:
    found = stats.mannwhitneyu(
        ours, theirs, alternative=SIDES[direction], method=method, use_continuity=True
    )
    return {"treated": ours, "control": theirs, "direction": direction, "p": float(found.pvalue)}


def without_ties() -> list[dict]:
    cases = []
    for index in range(90):
        ours, theirs = (int(n) for n in RNG.integers(1, 16 if index < 70 else 60, 2))
        values = RNG.permutation(4 * (ours + theirs))[: ours + theirs].tolist()
        direction = ("increase", "decrease")[index % 2]
        cases.append(ranked(values[:ours], values[ours:], direction, "exact"))
    return cases


def with_ties() -> list[dict]:
    cases = []
    while len(cases) < 70:
        ours, theirs = (int(n) for n in RNG.integers(2, 12, 2))
        if math.comb(ours + theirs, ours) > WAYS_MAX:
            continue
        values = RNG.integers(0, RNG.integers(1, 8), ours + theirs).tolist()
        every = stats.PermutationMethod(n_resamples=np.inf)
        direction = ("increase", "decrease")[len(cases) % 2]
        cases.append(ranked(values[:ours], values[ours:], direction, every))
    return cases


def large() -> list[dict]:
    cases = []
    for index in range(24):
        ours, theirs = (int(n) for n in RNG.integers(101, 140, 2))
        shift = int(RNG.integers(-3, 4))
        top = int(RNG.integers(6, 1000))
        first = (RNG.integers(0, top, ours) + shift).tolist()
        second = RNG.integers(0, top, theirs).tolist()
        direction = ("increase", "decrease")[index % 2]
        cases.append(ranked(first, second, direction, "asymptotic"))
    return cases


def fisher() -> list[dict]:
    cases = []
    for index in range(90):
        top = 20 if index < 60 else 2000
        ours, theirs = (int(n) for n in RNG.integers(1, top, 2))
        hits = [int(RNG.integers(0, ours + 1)), int(RNG.integers(0, theirs + 1))]
        if index % 3 == 0:
            hits = [min(hits[0], 3), min(hits[1], 3)]
        table = [[hits[0], ours - hits[0]], [hits[1], theirs - hits[1]]]
        p = stats.fisher_exact(table, alternative="greater").pvalue
        cases.append({"table": [hits[0], ours, hits[1], theirs], "p": float(p)})
    return cases


def power() -> list[dict]:
    """How often simulated experiments with a change trip: ranks of normal values, and hits."""
    cases = []
    for ours, theirs, effect, alpha in [
        (8, 40, 1.1, 0.05), (10, 90, 1.1, 0.02), (10, 390, 1.0974, 0.02), (20, 20, 1.08, 0.05),
        (50, 1000, 1.04, 0.02), (30, 30, 0.94, 0.05), (15, 100, 0.92, 0.01), (12, 24, 1.0, 0.05),
        (100, 300, 1.03, 0.01), (6, 6, 1.2, 0.05),
    ]:  # fmt: skip
        first = RNG.normal(1 + (effect - 1), 0.1, (EXPERIMENTS, ours))
        second = RNG.normal(1, 0.1, (EXPERIMENTS, theirs))
        side = "less" if effect < 1 else "greater"
        method = "exact" if ours * theirs <= 10_000 else "asymptotic"
        p = stats.mannwhitneyu(first, second, axis=1, alternative=side, method=method).pvalue
        cases.append(trial("mann_whitney", ours, theirs, effect, alpha, p))
    for ours, theirs, effect, alpha in [
        (10, 390, 5.15, 0.02), (20, 20, 5.6, 0.02), (50, 500, 2.7, 0.05), (73, 73, 3.0, 0.02),
        (30, 60, 4.0, 0.01), (300, 900, 1.6, 0.05), (12, 40, 0.5, 0.02), (155, 895, 0.9, 0.02),
    ]:  # fmt: skip
        decrease = effect < 1
        base, changed = (0.9, 0.9 * effect) if decrease else (0.1, 0.1 * effect)
        first = RNG.binomial(ours, changed, EXPERIMENTS)
        second = RNG.binomial(theirs, base, EXPERIMENTS)
        both = first + second
        above = stats.hypergeom.sf(first - 1, ours + theirs, both, ours)
        below = stats.hypergeom.cdf(first, ours + theirs, both, ours)
        cases.append(trial("fisher", ours, theirs, effect, alpha, below if decrease else above))
    return cases


def trial(test: str, ours: int, theirs: int, effect: float, alpha: float, p: np.ndarray) -> dict:
    return {
        "test": test, "treated": ours, "control": theirs, "effect": effect, "alpha": alpha,
        "power": float((p < alpha).mean()),
    }  # fmt: skip


def main() -> None:
    made = {
        "about": "made by tests/unit/plan/statistics_table.py with SciPy; p values to meet, and simulated power",
        "mann_whitney": without_ties() + with_ties(),
        "mann_whitney_large": large(),
        "fisher": fisher(),
        "power": power(),
    }
    lines = [f'"about": {json.dumps(made.pop("about"))}']
    for key, cases in made.items():
        rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
    print("{" + ",\n".join(lines) + "}")


if __name__ == "__main__":
    main()
