"""Limits, hours, deadlines and budgets: what must hold whenever a device is begun with.

Each rule reads the plan by the words of the design and folds the journal for itself; none of them
uses a calendar, a pace or a budget of the engine.

Laws checked, at each start and at each activation that a slot is needed for:
- R6: no more failures than the wave and the rollout allow, no burst that nobody acknowledged; and
  a budget halts for nothing else.
- R12: `start_at` is past, a window is open (long enough where it asks for that), no freeze is on,
  in the zone of the device where a window says so; a way back minds them only where the plan says.
- `rate`: no minute has more starts than the rate that the successes so far allow.
- `max_parallel_per`: devices at work, lost or known to be down leave a slot of each label's value.
- Deadlines: nothing is begun after one that has passed, until somebody resumed.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Protocol
from zoneinfo import ZoneInfo

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import Burst, OnFailure, ResolvedPlan, Window
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.seen import GOOD, STARTABLE, WORKING, Books, Seen, expect, is_start

MINUTE_S = 60.0
DAY_S = 86400.0
JUST_S = 1e-3  # what sums of floats may be off by, at times of some 10^9 seconds
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DOWN = frozenset({"unreachable", "connection_lost", "timeout"})


class Rule(Protocol):
    """Looks at each line of the journal, after the books have taken it in."""

    def see(self, entry: JournalEntry) -> None:
        """Raises `InvariantBroken` where the rule does not hold."""
        ...


def control_rules(books: Books) -> tuple[Rule, ...]:
    """The rules that concern this plan."""
    plan = books.plan
    schedule = plan.schedule
    rules: list[Rule] = [Budgets(books)]
    if schedule.windows or schedule.freezes or schedule.start_at is not None:
        rules.append(Hours(books))
    if plan.rate is not None:
        rules.append(StartRate(books))
    if plan.max_parallel_per:
        rules.append(LabelSlots(books))
    if schedule.deadline_s or any(wave.deadline_s for wave in plan.waves):
        rules.append(Deadlines(books))
    return tuple(rules)


def waits_in(
    books: Books, shut_out: Callable[[str, float], bool]
) -> Callable[[str, JournalEntry], bool]:
    """Tells whether a device may have to wait when another one is begun with, and so is passed.

    `shut_out`: whether it waits at that time for something else than this plan's controls.
    """
    hours, slots = Hours(books), LabelSlots(books)

    def waits(device: str, entry: JournalEntry) -> bool:
        return (
            bool(books.plan.requires)
            or shut_out(device, entry.at)
            or hours.shuts_out(device, entry.at)
            or slots.shuts_out(device, without=entry.device)
        )

    return waits


def _needs_slot(entry: JournalEntry) -> bool:
    """Whether a device leaves its queue, or is let past the point of no return."""
    if is_start(entry):
        return True
    if entry.type != "device_state" or entry.data["to"] != "activating":
        return False
    return entry.data["from"] != "uncertain"  # that one had its slot before the engine died


def _leaves_block(entry: JournalEntry) -> bool:
    """Whether a device that was staged ahead, and let be, is taken up again."""
    moved = entry.type == "device_state" and entry.data["from"] == "blocked"
    return moved and entry.data["to"] == "activating"


class Budgets:
    """R6, counted in devices."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._budget = books.plan.budget
        self._frozen_count = len(books.seen)
        self._accepted = -1  # of the whole rollout
        self._before: Counter[str] = Counter()
        self._failures: dict[str, list[float]] = {"": []}
        self._bursts: set[str] = set()

    def see(self, entry: JournalEntry) -> None:
        """Counts failures, and looks at them whenever a device is begun with."""
        books = self._books
        if entry.type == "resumed" and entry.data.get("accept_failures"):
            self._accepted = sum(map(books.counted, books.waves))
            self._bursts.clear()
            self._failures.clear()
        if entry.type == "halted" and entry.data["cause"] == "budget":
            expect(self._is_over(), "R6: halted, but nothing is over its budget", entry)
        if entry.device:
            self._count(entry)
        if _needs_slot(entry):
            wave = entry.wave
            expect(books.counted(wave) <= books.allowed(wave), "R6: wave over its budget", entry)
            expect(not self._bursts & {"", wave}, "R6: begun after a burst of failures", entry)
            allowed = self._allowed_in_all()
            in_all = sum(map(books.counted, books.waves))
            expect(allowed is None or in_all <= allowed, "R6: rollout over its budget", entry)

    def _is_over(self) -> bool:
        books, allowed = self._books, self._allowed_in_all()
        in_all = sum(map(books.counted, books.waves))
        waves = (name for name in books.waves if name not in books.done or books.follows)
        by_wave = any(books.counted(name) > books.allowed(name) for name in waves)
        return by_wave or bool(self._bursts) or (allowed is not None and in_all > allowed)

    def _allowed_in_all(self) -> int | None:
        limits = []
        if self._budget.max_failures is not None:
            limits.append(self._budget.max_failures)
        if self._budget.max_fail_share is not None:
            limits.append(math.floor(Fraction(self._budget.max_fail_share) * self._frozen_count))
        return max(min(limits), self._accepted) if limits else None

    def _count(self, entry: JournalEntry) -> None:
        books, wave = self._books, entry.wave
        counted, before = books.counted(wave), self._before[wave]
        self._before[wave] = counted
        if counted <= before:
            return
        self._note("", self._budget.window, entry.at)
        if wave not in books.done or books.follows:
            self._note(wave, books.waves[wave].window, entry.at)
        if books.plan.on_failure is OnFailure.CONTINUE and wave in self._bursts:
            self._bursts.remove(wave)  # the wave is recorded as tripped, and the others go on
            self._failures[wave] = []

    def _note(self, place: str, burst: Burst | None, at: float) -> None:
        if burst is None:
            return
        times = self._failures.setdefault(place, [])
        times.append(at)
        if sum(at - earlier <= burst.in_s for earlier in times) > burst.failures:
            self._bursts.add(place)


class Hours:
    """R12, from the wall clock of each zone."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._plan = books.plan
        times = books.plan.timeouts
        self._change_s = times.connect_s + times.install_s + times.reboot_s
        self._ahead = books.plan.schedule.stage_outside_window
        self._rolls_back = False

    def see(self, entry: JournalEntry) -> None:
        """Looks at starts, at activations of what was staged ahead, and at ways back."""
        if entry.type == "rollback_started":
            self._rolls_back = True  # an abort takes back what is not permanent, at any hour
        elif entry.type == "rollout_done":
            self._rolls_back = False
        if entry.type != "device_state":
            return
        if is_start(entry):
            needs_s = self._change_s + self._plan.timeouts.transfer_s
            self._expect_hours(entry, needs_s, windows=not self._ahead)
        elif self._ahead and _needs_slot(entry):
            self._expect_hours(entry, self._change_s, windows=True)
        elif _goes_back(entry) and self._rolls_back:
            frozen = self._plan.rollback.respect_freezes and _frozen(self._plan, entry.at)
            expect(not frozen, "R12: taken back in a freeze", entry)
            is_open = not self.keeps_from_return(entry.device, entry.at)
            expect(is_open, "R12: taken back outside of all windows", entry)

    def keeps_from_return(self, device: str, at: float) -> bool:
        """Whether it is no time to take the device back."""
        rules, windows = self._plan.rollback, self._plan.schedule.windows
        if rules.respect_freezes and _frozen(self._plan, at):
            return True
        zone = self._zone_of(device)
        is_open = any(_left_s(window, zone, at) for window in windows)
        return bool(rules.respect_windows and windows) and not is_open

    def shuts_out(self, device: str, at: float) -> bool:
        """Whether it is no time to begin with the device."""
        needs_s = self._change_s + self._plan.timeouts.transfer_s
        return not self._ahead and not self._is_open(device, at, needs_s)

    def _expect_hours(self, entry: JournalEntry, needs_s: float, *, windows: bool) -> None:
        schedule, at = self._plan.schedule, entry.at
        early = schedule.start_at is not None and at < schedule.start_at
        expect(not early, "R12: begun before `start_at`", entry)
        expect(not _frozen(self._plan, at), "R12: begun in a freeze", entry)
        fits = not windows or self._is_open(entry.device, at, needs_s)
        expect(fits, "R12: begun outside of all windows", entry)

    def _is_open(self, device: str, at: float, needs_s: float) -> bool:
        schedule = self._plan.schedule
        if not schedule.windows:
            return True
        next_freeze_s = min(
            (freeze.from_at - at for freeze in schedule.freezes if freeze.from_at > at),
            default=math.inf,
        )
        zone = self._zone_of(device)
        return any(
            left_s > 0 and (not window.must_finish or min(left_s, next_freeze_s) >= needs_s)
            for window in schedule.windows
            for left_s in [_left_s(window, zone, at)]
        )

    def _zone_of(self, device: str) -> str:
        return self._books.labels[DeviceId(device)].get("timezone", "UTC")


def _goes_back(entry: JournalEntry) -> bool:
    by_rollback = entry.data.get("reason") in ("rollout_halted", "taken_back")
    begun = entry.data["from"] in WORKING  # it is on its way already, and goes on
    return by_rollback and entry.data["to"] == "rolling_back" and not begun


def _frozen(plan: ResolvedPlan, at: float) -> bool:
    return any(freeze.from_at <= at < freeze.to_at for freeze in plan.schedule.freezes)


def _left_s(window: Window, device_zone: str, at: float) -> float:
    """For how long the window stays open from then on; 0 while it is closed."""
    zone = ZoneInfo(device_zone if window.timezone == "device" else window.timezone)
    starts = (
        datetime.combine(day, time.fromisoformat(window.start), zone).timestamp()
        for day in _days_around(at, window, zone)
        if _DAYS[day.weekday()] in window.days
    )
    ends = (start + window.duration_s for start in starts if start <= at)
    return max(0.0, max(ends, default=at) - at)


def _days_around(at: float, window: Window, zone: ZoneInfo) -> Iterator[date]:
    today = datetime.fromtimestamp(at, zone).date()
    for back in range(-1, math.ceil(window.duration_s / DAY_S) + 2):
        yield today - timedelta(days=back)


class StartRate:
    """No minute, wherever it begins, has more starts than the rate."""

    def __init__(self, books: Books) -> None:
        assert books.plan.rate is not None
        self._books = books
        self._rate = books.plan.rate
        self._starts: deque[float] = deque()
        self._successes = 0

    def see(self, entry: JournalEntry) -> None:
        """Counts the starts of the last minute."""
        if entry.type != "device_state":
            return
        good = sum(seen.state in GOOD for seen in self._books.seen.values())
        self._successes = max(self._successes, good)
        if not is_start(entry):
            return
        self._starts.append(entry.at)
        while self._starts[0] <= entry.at - MINUTE_S + JUST_S:
            self._starts.popleft()
        most = math.ceil(self._per_minute())
        count = len(self._starts)
        expect(count <= most, f"rate: {count} starts in a minute, {most} allowed", entry)

    def _per_minute(self) -> float:
        grows = self._rate.increase
        rate = float(self._rate.per_minute)
        for _ in range(self._successes // grows.after_successes if grows else 0):
            assert grows is not None
            rate = min(rate * grows.factor, float(grows.max_per_minute))
        return rate


class LabelSlots:
    """`max_parallel_per`, at each start."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def see(self, entry: JournalEntry) -> None:
        """Counts who takes up slots beside the device that is started."""
        if is_start(entry) or _leaves_block(entry):
            for what, taken, limit in self._taken_by(entry.device):
                message = f"max_parallel_per: {taken} of {what}, {limit} allowed"
                expect(taken <= limit, message, entry)

    def shuts_out(self, device: str, *, without: str) -> bool:
        """Whether no slot is free for the device, had the other one not begun.

        One that is asked anew holds up nobody, and so may come later; its slot is kept for it.
        """
        kept = {name for name, one in self._books.seen.items() if _is_anew(one)} - {device}
        found = self._taken_by(device, without=without, kept=kept)
        return any(taken >= limit for _, taken, limit in found)

    def _taken_by(
        self, device: str, *, without: str = "", kept: Collection[str] = ()
    ) -> Iterator[tuple[str, int, int]]:
        """What of each label's value of the device is taken, and how many may be."""
        books = self._books
        one = books.seen[device]
        states = set(WORKING) | {"lost"}
        beside_down = not (one.deferrals or books.follows)
        for label, limit in books.plan.max_parallel_per.items():
            value = books.labels[DeviceId(device)].get(label)
            if value is None:
                continue
            taken = sum(
                seen.state in states or name in kept or (beside_down and _is_down(seen))
                for name, seen in books.seen.items()
                if name != without and books.labels[DeviceId(name)].get(label) == value
            )
            yield f"{label} `{value}`", taken, limit


def _is_anew(seen: Seen) -> bool:
    return seen.state == "queued" and seen.attempt > 1


def _is_down(seen: Seen) -> bool:
    """Whether nobody answered when it was last asked; it stays so until it is asked again."""
    waits = seen.state == "deferred" or (seen.deferrals > 0 and seen.state in STARTABLE)
    return waits and seen.reason in _DOWN


class Deadlines:
    """Nothing is begun after a deadline that has passed, until somebody resumed."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._ends: dict[str, float] = {}  # by wave, "" for the rollout
        self._resumed_at = -math.inf

    def see(self, entry: JournalEntry) -> None:
        """Sets and looks at deadlines."""
        if entry.type == "resumed" and "accept_failures" in entry.data:
            self._resumed_at = entry.at
        elif entry.type in ("halted", "paused"):
            if entry.data["detail"] == "deadline of the rollout":
                self._ends[""] = math.inf  # it ran from before the first wave began
        elif entry.type == "wave_started":
            schedule, wave = self._books.plan.schedule, self._books.waves[entry.wave]
            if schedule.deadline_s is not None:
                self._ends.setdefault("", entry.at + schedule.deadline_s)
            if wave.deadline_s is not None:
                self._ends[entry.wave] = entry.at + wave.deadline_s
        elif _needs_slot(entry) and not self._books.follows:
            for place in ("", entry.wave):
                end = self._ends.get(place, math.inf)
                late = entry.at > end + JUST_S and self._resumed_at < end
                expect(not late, f"deadline: begun {entry.at - end:.1f} s after it", entry)
