"""No evidence is never success (R8, R9): what gates really saw, against what passed.

Laws checked:
- A device is proven only after each deciding health check of stage `device` really said well often
  enough, on the new version, since its activation; and each deciding gate of the controller was
  really well at least once since then.
- A device of a plan with a health check of stage `preflight` gets nothing before it said well.
- The first device of a wave waits until each deciding gate of stage `preflight` was well once.
- A wave passes only when each deciding gate of stage `wave` and `background` was really well once
  since it began, unless somebody promoted it; with enough successes (R8) and few enough devices
  that were never reached (R7).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedPlan, Stage
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.seen import GOOD, STARTABLE, Books, expect, is_start

_FRESH = STARTABLE | {"preflight"}
_OF_THE_ROLLOUT = frozenset({ProbeKind.CHECK, ProbeKind.STATS})  # not asked of the prober


@dataclass(frozen=True, slots=True)
class Taken:
    """A sample that was really taken, and whether it was well.

    `series` has values of devices, and `ill` those of them that were not well.
    """

    at: float
    probe: Probe
    well: bool
    series: Mapping[str, float] = field(default_factory=dict)
    ill: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What was really measured during one rollout.

    Attributes:
        books: of it.
        devices: the fleet, with what its checks said.
        taken: samples of the prober, oldest first; it grows.
        now: true time.
        liars: devices whose checks prove nothing, and of which nobody knows what they run.
    """

    books: Books
    devices: Mapping[DeviceId, SimulatedDevice]
    taken: Sequence[Taken]
    now: Callable[[], float]
    liars: frozenset[str]


class Evidence:
    """Watches one rollout."""

    def __init__(self, measured: Measured) -> None:
        self._books = measured.books
        self._devices = measured.devices
        self._taken = measured.taken
        self._now = measured.now
        self._liars = measured.liars
        self._target = measured.books.plan.artifact.manifest_sha256
        self._began: dict[str, float] = {}  # waves
        self._activated: dict[str, float] = {}
        self._compared: dict[str, float] = {}  # gates that compare, by their last good reading
        self._opened: set[str] = set()  # waves of which a device was started
        self.touched = False  # an operator accepted something

    def see(self, entry: JournalEntry) -> None:
        """Looks at what is proven, begun and passed."""
        if entry.type == "wave_started":
            self._began[entry.wave] = self._now()
        elif entry.type == "gate_result" and entry.data["reading"] == "success":
            self._compared[str(entry.data["gate"])] = self._now()
        elif entry.type == "operator":
            self.touched |= entry.data["ask"] in ("resume", "promote") and bool(entry.data["done"])
        elif entry.type == "device_state":
            self._moved(entry)
        elif entry.type == "wave_done" and entry.data["state"] == "passed":
            self._passed(entry)

    def _moved(self, entry: JournalEntry) -> None:
        state, before = entry.data["to"], entry.data["from"]
        if state == "activating":
            self._activated[entry.device] = self._now()
        elif state in GOOD and before not in GOOD:
            self._proven(entry)
        elif state == "transferring" and before in _FRESH and entry.device not in self._liars:
            self._cleared(entry)
        if is_start(entry) and entry.wave not in self._opened and not self._books.follows:
            self._opened.add(entry.wave)
            for gate in _deciding(self._books.plan, entry.wave, Stage.PREFLIGHT):
                self._expect_well(gate, self._began[entry.wave], entry)

    def _proven(self, entry: JournalEntry) -> None:
        for gate in _deciding(self._books.plan, entry.wave, Stage.DEVICE):
            if gate.probe.kind is ProbeKind.CHECK and entry.device not in self._liars:
                needed = gate.consecutive_success_limit or gate.count // 2 + 1
                count = self._said_well(entry.device, gate, self._target)
                message = f"R9: proven, but gate `{gate.name}` was well {count} of {needed} times"
                expect(count >= needed, message, entry)
            self._expect_well(gate, self._activated.get(entry.device, 0.0), entry)

    def _cleared(self, entry: JournalEntry) -> None:
        for gate in _deciding(self._books.plan, entry.wave, Stage.PREFLIGHT):
            if gate.probe.kind is ProbeKind.CHECK:
                well = self._said_well(entry.device, gate, None)
                expect(well > 0, f"R9: begun, but gate `{gate.name}` was not well", entry)

    def _said_well(self, device: str, gate: Gate, manifest: str | None) -> int:
        return sum(
            (name, code) == (gate.probe.check, 0)
            for examined in self._devices[DeviceId(device)].examined
            if manifest in (None, examined.manifest)
            for name, code in examined.exits
        )

    def _passed(self, entry: JournalEntry) -> None:
        if "promoted_by" in entry.data:
            return
        for stage in (Stage.WAVE, Stage.BACKGROUND):
            for gate in _deciding(self._books.plan, entry.wave, stage):
                self._expect_well(gate, self._began[entry.wave], entry)
        if not self.touched:
            self._expect_successes(entry)

    def _expect_successes(self, entry: JournalEntry) -> None:
        books, name = self._books, entry.wave
        states = [seen.state for seen in books.members(name)]
        if states.count("unchanged") == len(states):
            return
        wave = books.waves[name]
        base = books.planned[name] - states.count("unchanged") - states.count("skipped")
        share = wave.max_unreachable_share
        unreached = share.numerator * max(0, base) // share.denominator
        backfilled = max(0, len(states) - books.planned[name])
        away = max(0, states.count("deferred") - backfilled)
        expect(away <= unreached, f"R7: passed with {away} devices not reached", entry)
        good = sum(state in GOOD for state in states)
        needed = max(1, base - books.allowed(name) - unreached)
        expect(good >= needed, f"R8: passed with {good} successes of {needed}", entry)

    def _expect_well(self, gate: Gate, since: float, entry: JournalEntry) -> None:
        if gate.probe.kind in _OF_THE_ROLLOUT:
            return
        if gate.compare is not None:  # whether a reading is right is told by `comparison_rules`
            is_well = self._compared.get(gate.name, -math.inf) >= since
            expect(is_well, f"R9: gate `{gate.name}` was never well", entry)
            return
        asked = self._asked(gate, entry)
        recent = (one for one in reversed(self._taken) if one.probe == gate.probe)
        for one in recent:
            if one.at < since:
                break
            if one.well or (one.series and not asked.intersection(one.ill)):
                return
        expect(holds=False, message=f"R9: gate `{gate.name}` was never well", entry=entry)

    def _asked(self, gate: Gate, entry: JournalEntry) -> set[str]:
        """Whose values decide: a device that never got the release it speaks of may be well."""
        if gate.stage is Stage.DEVICE:
            return {entry.device}
        if gate.stage is Stage.BACKGROUND:
            return {*self._devices}
        return {name for name, seen in self._books.seen.items() if seen.wave == entry.wave}


def _deciding(plan: ResolvedPlan, wave: str, stage: Stage) -> Iterator[Gate]:
    for gate in plan.gates:
        speaks = not gate.waves or wave in gate.waves
        if gate.stage is stage and not gate.dry_run and speaks:
            yield gate
