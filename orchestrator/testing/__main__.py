"""`python -m orchestrator.testing --seed N`: repeats one simulation, or runs many."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.faults import Fault, parse_faults
from orchestrator.testing.report import SimulationFailed
from orchestrator.testing.scenario import draw
from orchestrator.testing.shrink import explained
from orchestrator.testing.simulation import simulate


def main(arguments: list[str]) -> int:
    """Runs the seeds that were asked for; 0 when every rule held."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.testing", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one, with its journal")
    parser.add_argument(
        "--faults",
        type=parse_faults,
        metavar="LIST",
        help="with --seed: these faults happen, and no others",
    )
    parser.add_argument("--plan", action="store_true", help="with --seed: print its plans first")
    parser.add_argument("--seeds", type=int, default=100, help="run so many, from --from on")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    chosen = parser.parse_args(arguments)
    if chosen.seed is None:
        return _many(range(chosen.first, chosen.first + chosen.seeds))
    if chosen.plan:
        for text in draw(chosen.seed).texts:
            _say(text)
    return _one(chosen.seed, chosen.faults)


def _one(seed: int, faults: Sequence[Fault] | None) -> int:
    try:
        report = simulate(seed, faults=faults, twice=True)
    except SimulationFailed as failure:
        _tell(failure.journal)
        _say(explained(failure) if faults is None else f"seed {seed}: {failure.rule}")
        return 1
    _tell(report.journal)
    ends = ", ".join(
        f"{state} (exit {int(code)})"
        for state, code in zip(report.states, report.exit_codes, strict=True)
    )
    _say(f"faults: {' '.join(map(str, report.faults))}")
    _say(f"seed {seed}: {ends}; {report.devices} devices, {report.engines} engines")
    return 0


def _tell(journal: Sequence[JournalEntry]) -> None:
    for entry in journal:
        data = " ".join(f"{key}={value}" for key, value in entry.data.items())
        _say(f"{entry.seq:5} {entry.at:.2f} {entry.type} {entry.wave} {entry.device} {data}")


def _many(seeds: range) -> int:
    broken = 0
    started = time.process_time()
    for seed in seeds:
        try:
            simulate(seed)
        except SimulationFailed as failure:
            broken += 1
            _say(explained(failure))
    took_s = time.process_time() - started
    _say(f"{len(seeds)} seeds, {broken} broken, {took_s:.1f} s of CPU")
    return 1 if broken else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
