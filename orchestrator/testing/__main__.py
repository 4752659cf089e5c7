"""`python -m orchestrator.testing --seed N`: repeats one simulation, or runs many."""

from __future__ import annotations

import argparse
import sys
import time

from orchestrator.testing.invariants import InvariantBroken
from orchestrator.testing.simulation import simulate


def main(arguments: list[str]) -> int:
    """Runs the seeds that were asked for; 0 when every rule held."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.testing", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one, with its journal")
    parser.add_argument("--seeds", type=int, default=100, help="run so many, from --from on")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        return _one(chosen.seed)
    return _many(range(chosen.first, chosen.first + chosen.seeds))


def _one(seed: int) -> int:
    try:
        report = simulate(seed, twice=True)
    except InvariantBroken as broken:
        _say(f"seed {seed}: {broken}")
        raise
    for entry in report.journal:
        data = " ".join(f"{key}={value}" for key, value in entry.data.items())
        _say(f"{entry.seq:5} {entry.at:.2f} {entry.type} {entry.wave} {entry.device} {data}")
    _say(f"seed {seed}: {report.state} (exit {int(report.exit_code)}), {report.engines} engines")
    return 0


def _many(seeds: range) -> int:
    broken = 0
    started = time.process_time()
    for seed in seeds:
        try:
            simulate(seed)
        except InvariantBroken as error:
            broken += 1
            _say(f"seed {seed}: {error}")
    took_s = time.process_time() - started
    _say(f"{len(seeds)} seeds, {broken} broken, {took_s:.1f} s of CPU")
    return 1 if broken else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
