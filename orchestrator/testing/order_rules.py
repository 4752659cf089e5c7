"""In which order a rollout really went: waves one after another, devices of a wave in the plan's order.

The order that the plan ought to have is that of `plan_rules`; here it is held against what was done.

Laws checked, from the journal:
- A wave begins when every wave before it is over: passed, or tripped where the plan goes on.
- A device is begun with, and let past the point of no return, in the wave under way only; devices
  that follow at the end were asked before.
- R3: no device is begun with while one before it in its wave has not been, unless that one has to
  wait for a slot of its label, its hours or another plan.
- R2, I1: no more devices of a wave are begun with than its size; R7: one that was never reached is
  replaced by the next in order, of the next wave that has not begun, as often as the wave allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import OfflinePolicy, OnFailure
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.seen import Books, expect, is_start

Waits = Callable[[str, JournalEntry], bool]


class WaveOrder:
    """Watches in which order waves and devices are begun with.

    Args:
        books: of the rollout, which have taken each line in before.
        waits: whether a device may have to wait at a line, and lets others pass.
    """

    def __init__(self, books: Books, waits: Waits) -> None:
        self._books = books
        self._waits = waits
        self._members = {wave.name: [*wave.devices] for wave in books.plan.waves}
        self._names = [*self._members]
        self._started: list[str] = []  # waves
        self._begun: set[str] = set()  # devices
        self._moved: Counter[str] = Counter()  # devices that took a place in a wave

    def see(self, entry: JournalEntry) -> None:
        """Looks at what begins."""
        if entry.type == "wave_started":
            self._wave_started(entry)
        elif entry.type == "wave_done":
            goes_on = self._books.plan.on_failure is OnFailure.CONTINUE
            fine = entry.data["state"] == "passed" or goes_on
            expect(fine, "waves: one that did not pass is over", entry)
        elif entry.type == "devices_joined":
            names = entry.data["devices"]
            assert isinstance(names, list)
            self._members[entry.wave] += map(DeviceId, map(str, names))
        elif entry.type == "device_state":
            if entry.device not in self._members[entry.wave]:
                self._took_place(entry)
            if is_start(entry):
                self._check_wave(entry)
                self._check_place(entry)
            elif entry.data["to"] == "activating":
                self._check_wave(entry)

    def _wave_started(self, entry: JournalEntry) -> None:
        before = self._names[: self._names.index(entry.wave)]
        left = [name for name in before if name not in self._books.done and self._members[name]]
        expect(not left, f"waves: begun before {left} are over", entry)
        expect(entry.wave not in self._started, "waves: begun twice", entry)
        self._started.append(entry.wave)

    def _check_wave(self, entry: JournalEntry) -> None:
        books, wave = self._books, entry.wave
        if books.follows:
            known = entry.device in self._begun or books.seen[entry.device].joined
            expect(known, "waves: a device follows that was never asked", entry)
            return
        expect(wave in self._started, "waves: a device of one that has not begun", entry)
        resumed = entry.data["from"] == "uncertain"  # it was let go before
        over = wave in books.done and not resumed
        expect(not over, "waves: a device of one that is over", entry)

    def _check_place(self, entry: JournalEntry) -> None:
        members, seen = self._members[entry.wave], self._books.seen
        if entry.data["from"] == "pending":
            before = members[: members.index(DeviceId(entry.device))]
            passed = [
                name
                for name in before
                if seen[name].state == "pending" and not self._waits(name, entry)
            ]
            expect(not passed, f"R3: begun before {passed}", entry)
        self._begun.add(entry.device)
        if self._books.touched or self._books.plan.offline is OfflinePolicy.WAIT:
            return  # then somebody who was replaced may come back
        if not self._books.follows:
            at_it = [one for one in members if one in self._begun and seen[one].state != "deferred"]
            size = self._books.planned[entry.wave]
            expect(len(at_it) <= size, f"R2: {len(at_it)} devices begun of {size}", entry)

    def _took_place(self, entry: JournalEntry) -> None:
        """R7: the next device in order takes the place of one that was never reached."""
        books, wave = self._books, self._books.waves[entry.wave]
        here = entry.wave in self._started and entry.wave not in books.done and not wave.hosts
        expect(here, "R7: a place of a wave that may not take devices", entry)
        donors = (name for name in self._names if name not in self._started)
        next_ones = (
            name
            for donor in donors
            if not books.waves[donor].hosts
            for name in self._members[donor]
            if not books.seen[name].joined
            and (books.seen[name].state == "pending" or name == entry.device)
        )
        expect(next(next_ones, "") == entry.device, "R7: not the next device in order", entry)
        for members in self._members.values():
            if entry.device in members:
                members.remove(DeviceId(entry.device))
        self._members[entry.wave].append(DeviceId(entry.device))
        self._moved[entry.wave] += 1
        away = sum(books.seen[name].state == "deferred" for name in self._members[entry.wave])
        most = min(away, wave.backfill_limit, len(wave.devices))
        count = self._moved[entry.wave]
        expect(count <= most, f"R7: {count} devices took a place, {most} may", entry)
