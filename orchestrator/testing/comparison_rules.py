"""Comparisons of updated devices with others (R11), made anew from what was really measured.

The rule has its own statistics: p is counted out over all ways to deal the values to two groups, or
as a sum of exact fractions; nothing of `plan.comparison` is used.

Laws checked, of each reading of a gate that compares:
- The updated are the devices of the wave that are proven, the controls devices that were never
  changed, of the same strata, which are known to run another version and really do.
- Values from before a wave are from before its first device was begun with, of the same devices.
- Reading and numbers are what the rule's text makes of these groups.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import CompareTest, CompareTo, Direction, Gate, OnNoData
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.evidence_rules import Measured
from orchestrator.testing.seen import GOOD, STARTABLE, expect, is_start

LATEST = 3  # samples of which a line may tell: they can be heard late
COUNTED_OUT_MAX = 400  # pairs of which p is counted out; beyond it only its side is left open
DIGITS = 9
_ABOUT_THE_RELEASE = frozenset({"success", "failed", "inconclusive", "no_data"})

_Says = tuple[str, int, int, float | None]  # reading, sizes of both groups, factor between them


class Comparisons:
    """Watches one rollout."""

    def __init__(self, measured: Measured) -> None:
        self._books = books = measured.books
        self._devices = measured.devices
        self._taken = measured.taken
        self._now = measured.now
        self._liars = measured.liars
        self._gates = {gate.name: gate for gate in books.plan.gates if gate.compare is not None}
        self._target = books.plan.artifact.manifest_sha256
        self._changed: set[str] = set()  # devices that were let past the point of no return
        self._turn = -math.inf  # when the last wave was over
        self._begun: dict[str, float] = {}  # waves, by their first device

    def see(self, entry: JournalEntry) -> None:
        """Looks at readings, and at what makes groups of devices."""
        if not self._gates:
            return
        if entry.type == "device_state" and entry.data["to"] == "activating":
            self._changed.add(entry.device)
        elif is_start(entry):
            self._begun.setdefault(entry.wave, self._now())
        elif entry.type == "wave_done":
            self._turn = self._now()
        elif entry.type == "gate_result" and entry.data["reading"] in _ABOUT_THE_RELEASE:
            gate = self._gates.get(str(entry.data["gate"]))
            if gate is not None and "error" not in entry.data:
                self._check(gate, entry)

    def _check(self, gate: Gate, entry: JournalEntry) -> None:
        data = entry.data
        effect = data.get("effect")
        said = (
            str(data["reading"]),
            data["updated"],
            data["compared_with"],
            None if effect is None else _rounded(float(str(effect))),
        )
        expected = []
        for treated, control in self._groups(gate, entry):
            readings, *numbers = _by_the_text(gate, treated, control)
            expected += [(reading, *numbers) for reading in readings]
        expect(said in expected, f"R11: gate `{gate.name}` says {said} of {expected}", entry)

    def _groups(self, gate: Gate, entry: JournalEntry) -> Iterator[tuple[list[float], list[float]]]:
        """Values of both groups, of each sample that the line can be about."""
        assert gate.compare is not None
        updated = [
            name
            for name, seen in self._books.seen.items()
            if seen.wave == entry.wave and seen.state in GOOD
        ]
        if gate.compare.to is CompareTo.CONTROL:
            controls = self._controls(updated, entry)
            for now in self._samples(gate, since=self._turn):
                yield _values(now, updated), _values(now, controls)
            return
        begun = self._begun.get(entry.wave, math.inf)
        for now in self._samples(gate, since=begun):
            for before in self._samples(gate, since=self._turn, until=begun):
                both = [name for name in updated if name in before]
                yield _values(now, both), _values(before, both)

    def _samples(
        self, gate: Gate, *, since: float, until: float = math.inf
    ) -> Sequence[Mapping[str, float]]:
        of_gate = (one for one in reversed(self._taken) if one.probe == gate.probe)
        found: list[Mapping[str, float]] = []
        for one in of_gate:
            if one.at < since or len(found) == LATEST:
                break
            if one.at <= until:
                found.append(one.series)
        return found

    def _controls(self, updated: Sequence[str], entry: JournalEntry) -> list[str]:
        books = self._books
        kinds = {self._stratum(name) for name in updated}
        found = []
        for name, seen in books.seen.items():
            fresh = seen.state in STARTABLE and name not in self._changed
            known = seen.joined or books.plan.devices[DeviceId(name)].current_manifest is not None
            if fresh and known and self._stratum(name) in kinds:
                runs = self._devices[DeviceId(name)].active
                honest = name not in self._liars
                expect(runs != self._target or not honest, f"R11: control {name} runs it", entry)
                found.append(name)
        return found

    def _stratum(self, name: str) -> tuple[str, ...]:
        labels = self._books.labels[DeviceId(name)]
        return tuple(labels.get(label, "") for label in self._books.plan.spread)


def _values(sample: Mapping[str, float], names: Sequence[str]) -> list[float]:
    return [sample[name] for name in names if name in sample]


def _by_the_text(
    gate: Gate, treated: Sequence[float], control: Sequence[float]
) -> tuple[tuple[str, ...], int, int, float | None]:
    """What is right to say of these values; two readings where p is not counted out."""
    compare = gate.compare
    assert compare is not None
    sizes = len(treated), len(control)
    no_data = "failed" if gate.on_no_data is OnNoData.FAIL else "no_data"
    if min(sizes) < max(1, compare.min_samples):
        return (no_data,), *sizes, None
    chance = compare.test is not CompareTest.RATIO
    if chance and 1 / math.comb(sum(sizes), sizes[0]) >= compare.alpha:
        return (no_data,), *sizes, None
    ours, theirs = (Fraction(sum(map(Fraction, each))) / len(each) for each in (treated, control))
    effect = float(ours / theirs) if theirs else (math.inf if ours else 1.0)
    up = compare.direction is Direction.INCREASE
    harmful = effect >= compare.min_effect if up else effect <= compare.min_effect
    numbers = (*sizes, _rounded(effect))
    if not harmful:
        return ("success",), *numbers
    if not chance:
        return ("failed",), *numbers
    if sizes[0] * sizes[1] > COUNTED_OUT_MAX:
        return ("failed", "inconclusive"), *numbers
    worse = [value if up else -value for value in treated]
    others = [value if up else -value for value in control]
    p = _p_of_ranks(worse, others)  # of 0 and 1 that is Fisher's
    return ("failed" if p < compare.alpha else "inconclusive",), *numbers


def _p_of_ranks(treated: Sequence[float], control: Sequence[float]) -> float:
    """In how many of all ways to choose the treated their ranks are as high in sum, or higher."""
    every = sorted([*treated, *control])
    ranks = {value: every.index(value) * 2 + every.count(value) for value in every}
    ways: list[Counter[int]] = [Counter({0: 1}), *(Counter() for _ in treated)]
    for value in every:
        for chosen in range(len(treated) - 1, -1, -1):
            for total, count in ways[chosen].items():
                ways[chosen + 1][total + ranks[value]] += count
    least = sum(ranks[value] for value in treated)
    as_high = sum(count for total, count in ways[-1].items() if total >= least)
    return as_high / math.comb(len(every), len(treated))


def _rounded(effect: float) -> float | None:
    """As it is journalled; there is no factor to nothing."""
    return None if math.isinf(effect) else float(f"{effect:.{DIGITS}g}")
