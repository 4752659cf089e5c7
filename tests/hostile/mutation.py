"""Mutation testing of what verifies on a device: `python -m tests.hostile.mutation [--every N]`.

Each mutant runs against the lists of bad and good inputs until an answer differs from that of the
unspoilt program. Cases that cannot tell it apart are left out (`reach`), and those that told its
neighbours come first.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.device.kit import Key, Shell
from tests.device.tickets import Root, Signer, Ticket, build_key, signed
from tests.hostile import signed_artifacts
from tests.hostile.artifacts import frames_of
from tests.hostile.artifacts import signed as sealed
from tests.hostile.batch import SYSTEM_PATH, TIME_LIMIT_S, CoreBatch, Place, TrustBatch
from tests.hostile.core import OF_DEVICE, Core, Found
from tests.hostile.equivalent import EQUIVALENT
from tests.hostile.more_tickets import more_cases
from tests.hostile.mutants import PROGRAMS, Mutant, awk_of, mutants
from tests.hostile.reach import Reached, Text
from tests.hostile.spools import spools
from tests.hostile.tickets import device_cases
from tests.unit.artifact.crafting import Craft

SHELL = Shell("dash", ("dash",), SYSTEM_PATH)
LIMIT_CPU_S = 2.0  # a mutant that computes for so much longer, and five times longer, does not end
PLAIN = 8  # each of so many cases is also asked of the program that is not watched
ALIKE = 6  # so many cases of one way through a program come first; most mutants need no more


@dataclass(frozen=True)
class Asked:
    """A shell with a program, and how it is asked for its answer to a case."""

    batch: TrustBatch | CoreBatch
    ask: Callable[..., str]  # the name of a case, and `limit_cpu_s`


class Bench:
    """One program with its cases, and what it answers to them when it is unspoilt."""

    def __init__(self, program: str) -> None:
        self.program = program
        self._order = list(self._cases())
        self._took_s: dict[str, float] = {}
        self._told: dict[str, list[int]] = {}  # lines of the mutants that a case told apart
        self.truth: dict[str, str] = {}
        self._ran: dict[str, frozenset[int]] = {}
        self._texts_of: dict[str, frozenset[str]] = {}
        self._read: dict[Text, list[str]] = {}
        with Place() as place, ExitStack() as stack:
            reached = Reached(place / "reached", program)
            self._tellers = reached.own
            asked = self._start(place, reached.program, stack)
            for name in self._order:
                self.truth[name] = asked.ask(name)
                self._took_s[name] = asked.batch.used_s
                self._ran[name], texts = reached.taken()
                self._texts_of[name] = frozenset(text.variable for text in texts)
                for text in texts:
                    self._read.setdefault(text, []).append(name)
        for name, answer in self._answers(None, self._order[::PLAIN]):
            assert answer == self.truth[name], f"{name} differs when it is watched"
        awk = awk_of(program, PROGRAMS[program].read_text())
        self._seen = {text: text.read_by(program, awk) for text in self._read}
        self._reaches = {text: text.reaches(program, awk) | {""} for text in self._read}

    def survives(self, mutant: Mutant) -> bool:
        """Does the mutant answer every case as the program does."""
        names = self._by_texts(mutant) if mutant.is_awk else self._by_line(mutant)
        for name, answer in self._answers(mutant.text, names):
            if answer != self.truth[name]:
                self._told.setdefault(name, []).append(mutant.line)
                return False
        return True

    def _by_line(self, mutant: Mutant) -> Iterator[str]:
        """The cases that run the changed line, first a few of those that run the same lines to one answer.

        What makes them one way through the program may be the very thing that a change takes away
        (a checksum that is wrong beside a size that is): the others of them come last.
        """
        teller = self._tellers[mutant.line]
        alike: Counter[tuple[frozenset[int], frozenset[str], str]] = Counter()
        last = []
        for name in self._likely(mutant):
            if teller in self._ran[name]:
                kind = self._ran[name], self._texts_of[name], self.truth[name]
                alike[kind] += 1
                if alike[kind] <= ALIKE:
                    yield name
                else:
                    last.append(name)
        yield from last

    def _likely(self, mutant: Mutant) -> list[str]:
        """The cases: first those that told mutants near this one, then the fast ones."""

        def distance(name: str) -> int:
            return min((abs(line - mutant.line) for line in self._told.get(name, ())), default=9999)

        return sorted(self._order, key=lambda name: (distance(name), self._took_s[name]))

    def _by_texts(self, mutant: Mutant) -> Iterator[str]:
        """The cases with a text that the changed awk program reads in another way."""
        awk = awk_of(self.program, mutant.text)
        place = {name: at for at, name in enumerate(self._likely(mutant))}
        texts = [text for text in self._read if mutant.function in self._reaches[text]]
        texts.sort(key=lambda text: min(map(place.__getitem__, self._read[text])))
        done = set()
        for text in texts:
            if text.read_by(self.program, awk) != self._seen[text]:
                for name in sorted(self._read[text], key=place.__getitem__):
                    if name not in done:
                        done.add(name)
                        yield name

    def _answers(self, text: str | None, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """What a program says of those cases."""
        with Place() as place, ExitStack() as stack:
            asked = None
            for name in names:
                asked = asked or self._start(place, text, stack)
                yield name, asked.ask(name, LIMIT_CPU_S + 5 * self._took_s[name])

    def _cases(self) -> Iterable[str]:
        raise NotImplementedError

    def _start(self, place: Path, text: str | None, stack: ExitStack) -> Asked:
        raise NotImplementedError


class TrustBench(Bench):
    """`trust.sh`, with tickets, roots, keys and floors."""

    def _cases(self) -> Iterable[str]:
        self._known = {case.name: case for case in (*device_cases(), *more_cases())}
        return self._known

    def _start(self, place: Path, text: str | None, stack: ExitStack) -> Asked:
        batch = stack.enter_context(TrustBatch(SHELL, place, text))

        def ask(name: str, limit_cpu_s: float = TIME_LIMIT_S) -> str:
            answer = self._known[name].answer(batch, place, limit_cpu_s)
            return answer.replace(str(place), "")  # what a mutant leaves behind has other names

        return Asked(batch, ask)


class CoreBench(Bench):
    """The verifying part of the root core, with deliveries."""

    def _cases(self) -> Iterable[str]:
        self._key = Key("ec")
        cases = signed_artifacts.all_cases(self._key)
        self._known = {
            case.name: Found(case.frames, case.keys) for case in cases if case.frames is not None
        }
        self._known |= with_root(self._key) | spools(self._key)
        own = frames_of(sealed(Craft(type=OF_DEVICE), self._key))
        self._known["a module of the device"] = Found(own)
        return self._known

    def _start(self, place: Path, text: str | None, stack: ExitStack) -> Asked:
        batch = stack.enter_context(CoreBatch(SHELL, place, text))
        core = Core(batch, place, SHELL, self._key.public_pem)

        def ask(name: str, limit_cpu_s: float = TIME_LIMIT_S) -> str:
            return core.tells(self._known[name], limit_cpu_s)

        return Asked(batch, ask)


def with_root(key: Key) -> dict[str, Found]:
    """Deliveries to a device with a root: with a ticket, without one, too early, and for others."""
    signers = [Signer() for _ in range(4)]
    root = Root(tuple(signers[:2]), tuple(signers[2:]), (build_key(key),), need_release=1).text
    frames = frames_of(sealed(Craft(), key))
    ticket = Ticket(dict(frames)["manifest"], artifact="rel-1", device_types=("dt",))
    found = {}
    for name, text in (
        ("good", ticket.text),
        ("early", ticket.text + b"open 100 9999999999\n"),
        ("name", ticket.text.replace(b"artifact rel-1", b"artifact rel-2")),
        ("expired", ticket.text.replace(str(ticket.expires).encode(), b"1763812801")),
    ):
        more = (("ticket", text), ("ticket.sig", signed(text, signers[2:])))
        found[f"root, {name}"] = Found((*frames, *more), root=root)
    return found | {"root, no ticket": Found(frames, root=root)}


BENCHES = {"trust.sh": TrustBench, "helper.sh": CoreBench}


def chosen(program: str, shard: int, shards: int) -> list[Mutant]:
    """Every so many of a program's mutants that are not known to be no other program."""
    every = [mutant for mutant in mutants(program) if mutant.name not in EQUIVALENT]
    return every[shard::shards]


def run(program: str, some: list[Mutant]) -> Iterator[Mutant]:
    """Those that no case tells from the program."""
    bench = BENCHES[program](program)
    return (mutant for mutant in some if bench.survives(mutant))


def figures(some: int, survivors: int) -> str:
    """The figures of a run."""
    killed = some - survivors
    return f"mutants={some} killed={killed} score={killed / max(some, 1):.1%}"


def main(arguments: list[str]) -> int:
    """Runs (some of) the mutants; 0 when all were told apart."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.mutation", description=__doc__)
    parser.add_argument("--program", choices=PROGRAMS, action="append")
    parser.add_argument("--every", type=int, default=1, help="only each of so many")
    parser.add_argument("--again", type=Path, help="only those that a former run printed to a file")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    given = parser.parse_args(arguments)
    left = 0
    for program in given.program or PROGRAMS:
        start = time.monotonic()
        some = chosen(program, given.first, given.every)
        if given.again:
            before = {line.partition(": ")[2] for line in given.again.read_text().splitlines()}
            some = [mutant for mutant in some if mutant.name in before]
        survivors = 0
        for mutant in run(program, some):
            print(f"{mutant.line}: {mutant.name}", flush=True)
            survivors += 1
        print(
            f"{program}: {figures(len(some), survivors)} in {time.monotonic() - start:.0f} s",
            flush=True,
        )
        left += survivors
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
