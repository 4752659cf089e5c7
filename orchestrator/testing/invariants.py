"""What must hold in every simulated rollout, checked against journal and hidden truth.

The checks share no code with the engine: they fold the journal anew, and `truth` looks into the
devices.

Laws checked, after every commit and at every activation:
- I1, I2: starts only while the rollout runs, at most `max_parallel` of a wave at work.
- R16: past the point of no return and unproven, at most allowed - counted + 1 + successes.
- Intent before effect: no device activates or commits what the journal does not know.
- I4: a device that succeeded is committed on the target; one that is rolled back runs what it
  ran before, and showed it in its last boot: by its checks, where it has any.
- I5: replaying the journal gives the stored states.
- I6: terminal states change only by regression, reconciliation, rollback or an operator.
- No device is activated twice unless somebody asked for another try.
- I6: what really runs unproven on devices is within the bounds, by wave and by label.
- I9: epochs of mutating requests never fall, over all rollouts of a fleet.
- R10: a wave that passed was watched for its whole soak.
- R1: devices join the last wave only, before it is over; nobody else is touched.
- R8: deferred devices follow only after the last wave and in their time; none is given up before.
And at the end: nothing uncommitted, no claim that the truth denies, and no more devices hit by a
release that bricks them than R16 allows.

A device that lies can only harm itself: what it claims is not held against the truth, and every
rule still holds for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from orchestrator.device.model import DeviceId
from orchestrator.plan.controls import LateJoiners
from orchestrator.plan.resolved import (
    OfflinePolicy,
    OnFailure,
    ResolvedPlan,
)
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.control_rules import control_rules
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.seen import (
    FLYING,
    GOOD,
    STARTABLE,
    STARTED,
    TERMINAL,
    WORKING,
    Books,
    Seen,
    expect,
    is_start,
)
from orchestrator.testing.truth import Truth


class Checker:
    """Watches one rollout.

    Args:
        plan: what it carries out.
        devices: the fleet; their activations are watched from now on.
        labels: of the devices, where the plan minds them.
        liars: devices that do not tell what is so.
        now: true time, where soaks can be measured by it.
    """

    def __init__(
        self,
        plan: ResolvedPlan,
        devices: Mapping[DeviceId, SimulatedDevice],
        *,
        labels: Mapping[DeviceId, Mapping[str, str]] | None = None,
        liars: Collection[str] = (),
        now: Callable[[], float] | None = None,
    ) -> None:
        self.plan = plan
        self.now = now
        self.books = Books(plan, labels or {device: {} for device in devices})
        self.truth = Truth(self.books, devices, liars=liars, now=now)
        self.rules = [*control_rules(self.books)]
        self.soaks: dict[str, tuple[float, float]] = {}
        self.paused_by: set[str] = set()
        self.entries: list[JournalEntry] = []

    # --- the journal -------------------------------------------------------------------------

    def see(self, entries: Sequence[JournalEntry]) -> None:
        """Journal lines were committed."""
        for entry in entries:
            self.entries.append(entry)
            self._see(entry)
            for rule in self.rules:
                rule.see(entry)

    @property
    def seen(self) -> Mapping[str, Seen]:
        """Devices as the journal tells them."""
        return self.books.seen

    def _see(self, entry: JournalEntry) -> None:
        match entry.type:
            case "device_state":
                self._moved(entry)
            case "warning" if entry.data.get("what") == "dark":
                self.books.seen[entry.device].dark = True
            case "halted" | "paused":
                self.books.running = False
                self.paused_by.add(str(entry.data["cause"]))
            case "resumed":
                self._resumed(entry)
            case "catching_up" | "rollout_done":
                self._after_waves(entry)
            case "rollback_started":
                self.books.running, self.books.returning = False, True
            case "operator" | "devices_joined":
                self._asked(entry)
            case "soak_started" | "wave_done":
                self._watched(entry)
            case "budget" if self.plan.on_failure is OnFailure.CONTINUE:
                self.books.accepted[entry.wave] = self.books.counted(entry.wave)
            case _:
                pass

    def _joined(self, entry: JournalEntry) -> None:
        """R1: only into the last wave, only before it is over, and only where the plan says so."""
        last = self.plan.waves[-1].name
        allowed = self.plan.late_joiners is LateJoiners.APPEND and not self.books.follows
        expect(allowed and entry.wave == last, "R1: nobody may join there", entry)
        expect(
            last not in self.books.done and not self.books.returning, "R1: joined too late", entry
        )
        for name in map(str, _listed(entry.data["devices"])):
            expect(name not in self.books.seen, f"R1: {name} is in the rollout already", entry)
            self.books.seen[name] = Seen(last, joined=True)
            self.books.planned[last] += 1

    def _asked(self, entry: JournalEntry) -> None:
        if entry.type == "devices_joined":
            self._joined(entry)
        elif entry.data["ask"] != "join":  # that changes no rule
            self._asked_otherwise(entry)

    def _asked_otherwise(self, entry: JournalEntry) -> None:
        self.books.touched = True
        if entry.data["ask"] in ("retry", "resume"):
            for seen in self.books.seen.values():
                seen.allowed_again = True
        if entry.data["ask"] == "promote" and entry.data["done"]:
            self.soaks.clear()
        if entry.data["ask"] == "abort" and entry.data["done"]:
            self.books.running, self.books.returning = False, True

    def _resumed(self, entry: JournalEntry) -> None:
        if "over" in entry.data:  # one cause of a pause
            self.books.running = not entry.data["left"]
            self.paused_by = set(map(str, _listed(entry.data["left"])))
            return
        self.books.running = True
        self.paused_by.clear()
        if entry.data["accept_failures"]:
            for wave in self.books.planned if self.books.follows else (entry.wave,):
                self.books.accepted[wave] = max(self.books.counted(wave), self.books.allowed(wave))
        for seen in self.books.seen.values():
            seen.allowed_again = True

    def _moved(self, entry: JournalEntry) -> None:
        seen = self.books.seen[entry.device]
        expect(seen.state == entry.data["from"], "I5: the journal skips a state", entry)
        if entry.wave != seen.wave:
            expect(not seen.joined, "R1: a device that joined left the last wave", entry)
            self.books.planned[seen.wave] -= 1
            seen.wave = entry.wave
        before, state = seen.state, str(entry.data["to"])
        self._check_terminal(before, state, entry)
        seen.state, seen.dark = state, seen.dark and state == "uncertain"
        seen.attempt = int(str(entry.data.get("attempt", seen.attempt)))
        seen.reason = str(entry.data.get("reason", ""))
        seen.deferrals += state == "deferred"
        if state == "staged" or (state == "queued" and not seen.reason):
            seen.deferrals = 0  # it answered, or somebody wants it tried anew
        if state == "activating":
            seen.proven = seen.excused = seen.returning = False
            self._check_flight(entry)
        elif state in STARTED:
            self._check_start(entry)
        elif state in GOOD:
            seen.proven = True
        elif state == "verifying":
            seen.proven = False
        if entry.data.get("reason") in ("no_data", "taken_back"):
            seen.excused = True
        if entry.data.get("reason") == "reverted" and not seen.returning:
            seen.excused = self._was_away(entry)
        if state in STARTABLE:
            seen.excused = False  # it is tried again, and may fail by itself
        seen.returning |= state in ("rolling_back", "rolled_back")
        self.truth.check_claim(state, entry)

    def _was_away(self, entry: JournalEntry) -> bool:
        """Whether an engine was started since this device's activation."""
        for earlier in reversed(self.entries):
            if earlier.type == "engine_started":
                return True
            own = earlier.device == entry.device and earlier.type == "device_state"
            if own and earlier.data["to"] == "activating":
                return False
        return False

    def _check_terminal(self, before: str, state: str, entry: JournalEntry) -> None:
        if before not in TERMINAL or self.books.returning:
            return
        regressed = before == "succeeded" and state in ("failed", "lost")
        expect(
            regressed or self.books.seen[entry.device].allowed_again or before == "cancelled",
            f"I6: terminal state `{before}` became `{state}`",
            entry,
        )

    def _check_start(self, entry: JournalEntry) -> None:
        if is_start(entry):
            expect(self.books.running, "I2: a device started after a stop", entry)
        in_time = not self.books.follows or entry.at < self.books.follow_until
        expect(in_time or not is_start(entry), "R8: asked after `offline.for` was over", entry)
        self._check_parallel(entry)

    def _check_parallel(self, entry: JournalEntry) -> None:
        books, most = self.books, self.books.waves[entry.wave].max_parallel
        working = [seen for seen in books.seen.values() if seen.state in WORKING]
        follow = books.follows  # then the limit is that of all waves together
        count = len(working) if follow else sum(seen.wave == entry.wave for seen in working)
        other = follow and not is_start(entry)  # one of a wave with a larger limit came later
        expect(other or count <= most, f"{count} devices at work", entry)

    def _check_flight(self, entry: JournalEntry) -> None:
        name = entry.wave
        wave = self.books.waves[name]
        members = list(self.books.members(name))
        flying = sum(seen.state in FLYING and not seen.proven for seen in members)
        good = sum(seen.state in GOOD for seen in members)
        bound = wave.max_parallel
        if wave.slow_start:
            bound = min(bound, self.books.allowed(name) - self.books.counted(name) + 1 + good)
        seen = self.books.seen[entry.device]
        reentered = entry.data["from"] == "uncertain"  # it had its slot before the crash
        seen.bound = max(seen.bound, bound) if reentered else bound
        if entry.data["from"] == "blocked":  # it was not at work meanwhile
            self._check_parallel(entry)
        expect(reentered or flying <= bound, f"R16: {flying} in flight, bound {bound}", entry)
        expect(reentered or self.books.running, "I2: an activation after a stop", entry)

    def _watched(self, entry: JournalEntry) -> None:
        if entry.type == "soak_started":
            if self.now is not None:
                self.soaks[entry.wave] = (self.now(), entry.at)
            return
        self.books.done.add(entry.wave)
        if entry.data["state"] == "passed":
            self._check_evidence(entry)
        if self.now is not None and entry.wave in self.soaks:
            seen_at, began_at = self.soaks[entry.wave]
            # by both clocks: an engine may have stood still between its decision and the line
            self._check_soak(max(self.now() - seen_at, entry.at - began_at), entry)

    def _check_soak(self, seconds: float, entry: JournalEntry) -> None:
        soak_s = self.books.waves[entry.wave].soak_s
        if not entry.data["succeeded"]:
            return  # an operator accepted that nobody is left to be watched
        # the line that begins a soak is seen a moment after the time that it names
        expect(seconds >= soak_s - 1.0, f"R10: soaked for {seconds:.0f} s only", entry)

    def _after_waves(self, entry: JournalEntry) -> None:
        if entry.type == "catching_up":
            self.books.follow_until = float(str(entry.data["until"]))
            self._check_catching_up(entry)
        elif str(entry.data["state"]).startswith("succeeded"):
            self._check_nobody_waits(entry)

    def _check_catching_up(self, entry: JournalEntry) -> None:
        """R8: only after the last wave, and with somebody left that was never started."""
        states = [seen.state for seen in self.books.seen.values()]
        expect("deferred" in states, "nobody is left to catch up", entry)
        settled = TERMINAL | {"deferred"}
        expect(settled.issuperset(states), "catches up before the last wave is done", entry)

    def _check_nobody_waits(self, entry: JournalEntry) -> None:
        """A rollout ends only with every device done, or given up after its time."""
        away = any(seen.state == "deferred" for seen in self.books.seen.values())
        over = self.books.follows and entry.at >= self.books.follow_until
        waited = self.plan.offline is OfflinePolicy.WAIT  # then its wave gave it up, in its time
        expect(not away or over or waited, "a deferred device was given up early", entry)
        plain = entry.data["state"] == "succeeded"
        expect(not (away and plain), "succeeded, but a device was given up", entry)

    def _check_evidence(self, entry: JournalEntry) -> None:
        """R8: a wave passes with a success, or with nothing to update after one.

        Whatever failures somebody accepted; only a person who promotes it passes it without.
        """
        if "promoted_by" in entry.data:
            return
        own = list(self.books.members(entry.wave))
        good = any(seen.state in GOOD for seen in own)
        unchanged = all(seen.state == "unchanged" for seen in own)
        tried = any(seen.state in GOOD for seen in self.books.seen.values())
        told = self.books.seen.keys() - self.truth.liars  # of a liar nobody knows what it ran
        none_left = all(self.truth.before[name] == self.truth.target for name in told)
        expect(good or (unchanged and (tried or none_left)), "R8: passed without evidence", entry)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
