"""Mutation testing of what verifies on a device: `python -m tests.hostile.mutation [--every N]`.

Each mutant runs against the lists of bad and good inputs until an answer differs from that of the
unspoilt program; the cases that told mutants apart before come first.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.device.kit import Key, Shell
from tests.device.tickets import Root, Signer, Ticket, build_key, signed
from tests.hostile import signed_artifacts
from tests.hostile.artifacts import Frames, frames_of
from tests.hostile.artifacts import signed as sealed
from tests.hostile.batch import SYSTEM_PATH, CoreBatch, Place, TrustBatch
from tests.hostile.core import Core
from tests.hostile.equivalent import EQUIVALENT
from tests.hostile.more_tickets import more_cases
from tests.hostile.mutants import PROGRAMS, Mutant, mutants
from tests.hostile.tickets import device_cases
from tests.unit.artifact.crafting import Craft

SHELL = Shell("dash", ("dash",), SYSTEM_PATH)
LIMIT_S = 8.0  # a mutant that takes longer does not end
RECENT = 8  # cases that told the last mutants apart: neighbours in a program fall alike
# Which functions a case is about, by the reason of its answer; it only says what to try first.
CONCERNS = {
    "ticket_syntax": ("ticket", "signatures", "must", "name", "number", "digest", "take", "load_ticket"),
    "root_syntax": ("root", "want", "long", "last_one", "bits", "kind_of", "load_root", "real_keys"),
    "ticket_signatures": ("count", "made", "lengths", "keys_of"),
    "io": ("floor", "num"),
    "denied": ("der", "manifest", "placed_keys", "manifest_signed", "kind_of"),
}  # fmt: skip
Ask = Callable[[str], str]


class Bench:
    """One program with its cases, and what it answers to them when it is unspoilt."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.order = list(self._cases())
        self.truth = self._answers(None, self.order)

    def survives(self, mutant: Mutant) -> bool:
        """Does the mutant answer every case as the program does."""
        recent, rest = self.order[:RECENT], self.order[RECENT:]
        near = [name for name in rest if mutant.function in CONCERNS.get(self._concern(name), ())]
        for name, answer in self._each(
            mutant.text, [*recent, *near, *(name for name in rest if name not in near)]
        ):
            if answer != self.truth[name]:
                self.order.remove(name)
                self.order.insert(0, name)
                return False
        return True

    def _concern(self, name: str) -> str:
        """What a case is about: the reason of its answer."""
        return self.truth[name].partition("/")[2].partition(" ")[0]

    def _answers(self, text: str | None, names: list[str]) -> dict[str, str]:
        return dict(self._each(text, names))

    def _each(self, text: str | None, names: list[str]) -> Iterable[tuple[str, str]]:
        with Place() as place, ExitStack() as stack:
            ask = self._start(place, text, stack)
            for name in tuple(names):
                yield name, ask(name)

    def _cases(self) -> Iterable[str]:
        raise NotImplementedError

    def _start(self, place: Path, text: str | None, stack: ExitStack) -> Ask:
        raise NotImplementedError


class TrustBench(Bench):
    """`trust.sh`, with tickets, roots, keys and floors."""

    def _cases(self) -> Iterable[str]:
        self._known = {case.name: case for case in (*device_cases(), *more_cases())}
        return self._known

    def _start(self, place: Path, text: str | None, stack: ExitStack) -> Ask:
        batch = stack.enter_context(TrustBatch(SHELL, place, text))
        batch.limit_s = LIMIT_S if text else batch.limit_s
        # what a mutant leaves behind has other names for each place
        return lambda name: self._known[name].answer(batch, place).replace(str(place), "")


class CoreBench(Bench):
    """The verifying part of the root core, with deliveries."""

    def _cases(self) -> Iterable[str]:
        self._key = Key("ec")
        cases = signed_artifacts.all_cases(self._key)
        self._known = {
            case.name: (case.frames, dict(case.keys), b"")
            for case in cases
            if case.frames is not None
        }
        self._known |= with_root(self._key)
        return self._known

    def _start(self, place: Path, text: str | None, stack: ExitStack) -> Ask:
        batch = stack.enter_context(CoreBatch(SHELL, place, text))
        batch.limit_s = LIMIT_S if text else batch.limit_s
        core = Core(batch, place, SHELL, self._key.public_pem)
        return lambda name: core.tells(*self._known[name])


def with_root(key: Key) -> dict[str, tuple[Frames, dict[str, bytes], bytes]]:
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
        found[f"root, {name}"] = ((*frames, *more), {}, root)
    return found | {"root, no ticket": (frames, {}, root)}


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
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    given = parser.parse_args(arguments)
    left = 0
    for program in given.program or PROGRAMS:
        start = time.monotonic()
        some = chosen(program, given.first, given.every)
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
