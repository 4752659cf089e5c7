"""What must hold in every simulated rollout, checked against journal and hidden truth.

The checks share no code with the engine: they fold the journal anew and look into the devices.

Laws checked, after every commit and at every activation:
- I1, I2: starts only while the rollout runs, at most `max_parallel` of a wave at work.
- R16: past the point of no return and unproven, at most allowed - counted + 1 + successes.
- Intent before effect: no device activates or commits what the journal does not know.
- I4: a device that succeeded is committed on the target; one that is rolled back runs what it
  ran before, and showed it in its last boot: by its checks, where it has any.
- I5: replaying the journal gives the stored states.
- I6: terminal states change only by regression, reconciliation, rollback or an operator.
- No device is activated twice unless somebody asked for another try.
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
from dataclasses import dataclass, field
from fractions import Fraction

from orchestrator.device.model import DeviceId
from orchestrator.plan.controls import LateJoiners
from orchestrator.plan.resolved import (
    Gate,
    OfflinePolicy,
    OnFailure,
    ProbeKind,
    ResolvedPlan,
    Stage,
)
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.record import DeviceRecord
from orchestrator.testing.device import NOTHING, SimulatedDevice

_WORKING = {
    "transferring", "staged", "activating", "rebooting", "verifying", "committing",
    "rolling_back", "uncertain",
}  # fmt: skip
_FLYING = {"activating", "rebooting", "verifying", "rolling_back", "uncertain"}
_COUNTED = {"failed", "rolled_back", "rollback_failed", "lost"}
_GOOD = {"confirmed", "committing", "succeeded"}
_TERMINAL = _COUNTED | {"succeeded", "unchanged", "skipped", "cancelled"}
_BACK_ON_OLD = {"pending", "queued", "rolled_back", "cancelled", "deferred", "skipped"}


class InvariantBroken(AssertionError):  # noqa: N818  it reads as a fact
    """A rule that must always hold did not; says which and where."""


@dataclass(slots=True)
class _Seen:
    """A device as the journal tells it."""

    wave: str
    state: str = "pending"
    proven: bool = False
    dark: bool = False
    excused: bool = False
    returning: bool = False
    joined: bool = False
    activations: list[str] = field(default_factory=list)
    allowed_again: bool = True


class Checker:
    """Watches one rollout.

    Args:
        plan: what it carries out.
        devices: the fleet; their activations are watched from now on.
        liars: devices that do not tell what is so.
        now: true time, where soaks can be measured by it.
    """

    def __init__(
        self,
        plan: ResolvedPlan,
        devices: Mapping[DeviceId, SimulatedDevice],
        *,
        liars: Collection[str] = (),
        now: Callable[[], float] | None = None,
    ) -> None:
        self.plan = plan
        self.devices = devices
        self.liars = frozenset(liars)
        self.now = now
        self.soaks: dict[str, float] = {}
        self.target = plan.artifact.manifest_sha256
        self.before = {device.name: device.active for device in devices.values()}
        self.seen: dict[str, _Seen] = {}
        self.planned = {wave.name: len(wave.devices) for wave in plan.waves}
        self.accepted: dict[str, int] = {}
        self.done: set[str] = set()  # waves
        self.running = True
        self.returning = False
        self.touched = False  # an operator changed the rules: some bounds no longer hold
        self.paused_by: set[str] = set()
        self.follow_until: float | None = None  # deferred devices follow
        self.entries: list[JournalEntry] = []
        for wave in plan.waves:
            for device in wave.devices:
                self.seen[device] = _Seen(wave.name)
        for simulated in devices.values():
            simulated.on_activated = self.activated

    # --- the journal -------------------------------------------------------------------------

    def see(self, entries: Sequence[JournalEntry]) -> None:
        """Journal lines were committed."""
        for entry in entries:
            self.entries.append(entry)
            self._see(entry)

    def _see(self, entry: JournalEntry) -> None:
        match entry.type:
            case "device_state":
                self._moved(entry)
            case "warning" if entry.data.get("what") == "dark":
                self.seen[entry.device].dark = True
            case "halted" | "paused":
                self.running = False
                self.paused_by.add(str(entry.data["cause"]))
            case "resumed":
                self._resumed(entry)
            case "catching_up" | "rollout_done":
                self._after_waves(entry)
            case "rollback_started":
                self.running, self.returning = False, True
            case "operator" | "devices_joined":
                self._asked(entry)
            case "soak_started" | "wave_done":
                self._watched(entry)
            case "budget" if self.plan.on_failure is OnFailure.CONTINUE:
                self.accepted[entry.wave] = self.counted(entry.wave)
            case _:
                pass

    def _joined(self, entry: JournalEntry) -> None:
        """R1: only into the last wave, only before it is over, and only where the plan says so."""
        last = self.plan.waves[-1].name
        allowed = self.plan.late_joiners is LateJoiners.APPEND and self.follow_until is None
        self._expect(allowed and entry.wave == last, "R1: nobody may join there", entry)
        self._expect(last not in self.done and not self.returning, "R1: joined too late", entry)
        for name in map(str, _listed(entry.data["devices"])):
            self._expect(name not in self.seen, f"R1: {name} is in the rollout already", entry)
            self.seen[name] = _Seen(last, joined=True)
            self.planned[last] += 1

    def _asked(self, entry: JournalEntry) -> None:
        if entry.type == "devices_joined":
            self._joined(entry)
        elif entry.data["ask"] != "join":  # that changes no rule
            self._asked_otherwise(entry)

    def _asked_otherwise(self, entry: JournalEntry) -> None:
        self.touched = True
        if entry.data["ask"] in ("retry", "resume"):
            for seen in self.seen.values():
                seen.allowed_again = True
        if entry.data["ask"] == "promote" and entry.data["done"]:
            self.soaks.clear()
        if entry.data["ask"] == "abort" and entry.data["done"]:
            self.running, self.returning = False, True

    def _resumed(self, entry: JournalEntry) -> None:
        if "over" in entry.data:  # one cause of a pause
            self.running = not entry.data["left"]
            self.paused_by = set(map(str, _listed(entry.data["left"])))
            return
        self.running = True
        self.paused_by.clear()
        if entry.data["accept_failures"]:
            for wave in self.planned if self.follow_until is not None else (entry.wave,):
                self.accepted[wave] = max(self.counted(wave), self.allowed(wave))
        for seen in self.seen.values():
            seen.allowed_again = True

    def _moved(self, entry: JournalEntry) -> None:
        seen = self.seen[entry.device]
        self._expect(seen.state == entry.data["from"], "I5: the journal skips a state", entry)
        if entry.wave != seen.wave:
            self._expect(not seen.joined, "R1: a device that joined left the last wave", entry)
            self.planned[seen.wave] -= 1
            seen.wave = entry.wave
        before, state = seen.state, str(entry.data["to"])
        self._check_terminal(before, state, entry)
        seen.state, seen.dark = state, seen.dark and state == "uncertain"
        if state == "activating":
            seen.proven = seen.excused = seen.returning = False
            self._check_flight(entry)
        elif state == "transferring":
            self._check_start(before, entry)
        elif state in _GOOD:
            seen.proven = True
        elif state == "verifying":
            seen.proven = False
        if entry.data.get("reason") == "no_data":
            seen.excused = True
        if entry.data.get("reason") == "reverted" and not seen.returning:
            seen.excused = self._was_away(entry)
        seen.returning |= state in ("rolling_back", "rolled_back")
        if state == "succeeded":
            self._check_success(entry)
        elif state == "rolled_back":
            self._check_return(entry)

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
        if before not in _TERMINAL or self.returning:
            return
        regressed = before == "succeeded" and state in ("failed", "lost")
        self._expect(
            regressed or self.seen[entry.device].allowed_again or before == "cancelled",
            f"I6: terminal state `{before}` became `{state}`",
            entry,
        )

    def _check_start(self, before: str, entry: JournalEntry) -> None:
        if before in ("pending", "queued"):
            self._expect(self.running, "I2: a device started after a stop", entry)
        wave = next(wave for wave in self.plan.waves if wave.name == entry.wave)
        follow = self.follow_until is not None  # then the limit is that of all waves together
        working = [seen for seen in self.seen.values() if seen.state in _WORKING]
        count = len(working) if follow else sum(seen.wave == entry.wave for seen in working)
        in_time = self.follow_until is None or entry.at < self.follow_until
        late = before in ("pending", "queued") and not in_time
        self._expect(not late, "R8: asked after `offline.for` was over", entry)
        self._expect(count <= wave.max_parallel, f"{count} devices at work", entry)

    def _check_flight(self, entry: JournalEntry) -> None:
        name = entry.wave
        wave = next(wave for wave in self.plan.waves if wave.name == name)
        members = [seen for seen in self.seen.values() if seen.wave == name]
        flying = sum(seen.state in _FLYING and not seen.proven for seen in members)
        good = sum(seen.state in _GOOD for seen in members)
        bound = wave.max_parallel
        if wave.slow_start:
            bound = min(bound, self.allowed(name) - self.counted(name) + 1 + good)
        reentered = entry.data["from"] == "uncertain"  # it had its slot before the crash
        self._expect(reentered or flying <= bound, f"R16: {flying} in flight, bound {bound}", entry)
        self._expect(reentered or self.running, "I2: an activation after a stop", entry)

    def _watched(self, entry: JournalEntry) -> None:
        if entry.type == "soak_started":
            if self.now is not None:
                self.soaks[entry.wave] = self.now()
            return
        self.done.add(entry.wave)
        if entry.data["state"] == "passed":
            self._check_evidence(entry)
        if self.now is not None and entry.wave in self.soaks:
            self._check_soak(self.now() - self.soaks[entry.wave], entry)

    def _check_soak(self, seconds: float, entry: JournalEntry) -> None:
        soak_s = next(wave.soak_s for wave in self.plan.waves if wave.name == entry.wave)
        if not entry.data["succeeded"]:
            return  # an operator accepted that nobody is left to be watched
        # the line that begins a soak is seen a moment after the time that it names
        self._expect(seconds >= soak_s - 1.0, f"R10: soaked for {seconds:.0f} s only", entry)

    def _after_waves(self, entry: JournalEntry) -> None:
        if entry.type == "catching_up":
            self.follow_until = float(str(entry.data["until"]))
            self._check_catching_up(entry)
        elif str(entry.data["state"]).startswith("succeeded"):
            self._check_nobody_waits(entry)

    def _check_catching_up(self, entry: JournalEntry) -> None:
        """R8: only after the last wave, and with somebody left that was never started."""
        states = [seen.state for seen in self.seen.values()]
        self._expect("deferred" in states, "nobody is left to catch up", entry)
        settled = _TERMINAL | {"deferred"}
        self._expect(settled.issuperset(states), "catches up before the last wave is done", entry)

    def _check_nobody_waits(self, entry: JournalEntry) -> None:
        """A rollout ends only with every device done, or given up after its time."""
        away = any(seen.state == "deferred" for seen in self.seen.values())
        over = self.follow_until is not None and entry.at >= self.follow_until
        waited = self.plan.offline is OfflinePolicy.WAIT  # then its wave gave it up, in its time
        self._expect(not away or over or waited, "a deferred device was given up early", entry)
        plain = entry.data["state"] == "succeeded"
        self._expect(not (away and plain), "succeeded, but a device was given up", entry)

    def counted(self, wave: str) -> int:
        """R6, anew."""
        return sum(
            (seen.state in _COUNTED and not seen.excused) or seen.dark
            for seen in self.seen.values()
            if seen.wave == wave
        )

    def allowed(self, name: str) -> int:
        """R6, anew."""
        if name in self.accepted:
            return self.accepted[name]
        wave = next(wave for wave in self.plan.waves if wave.name == name)
        gone = sum(
            seen.state in ("unchanged", "skipped")
            for seen in self.seen.values()
            if seen.wave == name
        )
        share = Fraction(wave.max_fail_share)
        by_share = (self.planned[name] - gone) * share.numerator // share.denominator
        if wave.max_failures is None:
            return by_share
        return min(by_share, wave.max_failures) if share else wave.max_failures

    def _check_success(self, entry: JournalEntry) -> None:
        device = self.devices[DeviceId(entry.device)]
        if entry.device in self.liars:
            return
        committed = device.txn is not None and device.txn.state == "committed"
        self._expect(
            committed and device.active == self.target and not device.releases[self.target].corrupt,
            "I4: success without the target",
            entry,
        )

    def _check_evidence(self, entry: JournalEntry) -> None:
        """R8: a wave passes with a success, or with nothing to update after one."""
        if self.touched:
            return
        own = [seen for seen in self.seen.values() if seen.wave == entry.wave]
        good = any(seen.state in _GOOD for seen in own)
        unchanged = all(seen.state == "unchanged" for seen in own)
        tried = any(seen.state in _GOOD for seen in self.seen.values())
        none_left = all(self.before[name] == self.target for name in self.seen)
        self._expect(
            good or (unchanged and (tried or none_left)), "R8: passed without evidence", entry
        )

    def _check_return(self, entry: JournalEntry) -> None:
        device = self.devices[DeviceId(entry.device)]
        before = self.before[device.name]
        if entry.device in self.liars:
            return
        self._expect(device.active == before, "I4: rolled back to something else", entry)
        if before == NOTHING or device.releases[before].lacks_checks:
            return
        for gate in self.plan.gates:
            if _speaks_for_return(gate, entry.wave):
                exits = [
                    code
                    for examined in device.examined
                    if (examined.boot_id, examined.manifest) == (entry.data["boot"], before)
                    for name, code in examined.exits
                    if name == gate.probe.check
                ]
                needed = gate.consecutive_success_limit or gate.count // 2 + 1
                well = exits.count(0) >= needed and not any(exits)
                self._expect(well, f"I4: rolled back, but gate `{gate.name}` saw {exits}", entry)

    # --- the truth ---------------------------------------------------------------------------

    def activated(self, device: SimulatedDevice, txn: str) -> None:
        """A device really switched to the new version."""
        seen = self.seen.get(device.name)
        if seen is None:
            message = f"R1: {device.name} is not in the rollout and was activated"
            raise InvariantBroken(message)
        if seen.state not in ("activating", "uncertain", "rolling_back"):
            message = f"intent before effect: {device.name} activated while `{seen.state}`"
            raise InvariantBroken(message)
        if seen.activations and not seen.allowed_again:
            message = f"{device.name} was activated twice without anybody asking"
            raise InvariantBroken(message)
        seen.activations.append(txn)
        seen.allowed_again = False

    def finish(self, exit_code: int, *, rows: Mapping[DeviceId, Mapping[str, object]]) -> None:
        """The rollout ended, and all dead-men had their time."""
        for name, seen in self.seen.items():
            device = self.devices[DeviceId(name)]
            device.pass_time()
            self._check_end(device, seen)
            stored = rows[DeviceId(name)]["state"]
            if stored != seen.state:
                message = f"I5: {name} is `{seen.state}` by the journal, `{stored}` as stored"
                raise InvariantBroken(message)
        mine = {name: self.devices[DeviceId(name)] for name in self.seen}
        honest = {name: one for name, one in mine.items() if name not in self.liars}
        on_new = [name for name, device in honest.items() if device.active == self.target]
        ours = [name for name in on_new if self.before[name] != self.target]
        if exit_code == 0 and len(on_new) != len(honest):
            message = f"exit 0, but only {len(on_new)} of {len(honest)} devices are on the target"
            raise InvariantBroken(message)
        if exit_code == 5 and ours:  # noqa: PLR2004  the public code
            message = f"exit 5, but {ours} run the new version"
            raise InvariantBroken(message)

    def check_blast_radius(self) -> None:
        """A release that always bricks costs at most allowed + 1 devices of the first wave (R16).

        Raises:
            InvariantBroken: it cost more.
        """
        wave = self.plan.waves[0]
        if not wave.slow_start or self.touched or self.plan.on_failure is OnFailure.CONTINUE:
            return
        hit = sum(bool(seen.activations) for seen in self.seen.values())
        limit = self.allowed(wave.name) + 1
        if hit > limit:
            message = f"R16: a bricking release hit {hit} devices, at most {limit} may be"
            raise InvariantBroken(message)

    def _check_end(self, device: SimulatedDevice, seen: _Seen) -> None:
        own = device.txn is not None and device.txn.id in seen.activations
        state = device.txn.state if device.txn is not None and own else "none"
        unknown = seen.state in ("lost", "rollback_failed")
        problem = ""
        if state == "probation" or (state == "confirmed" and not unknown):
            problem = f"is left in {state}"
        elif seen.state == "succeeded" and device.active != self.target:
            problem = "succeeded, but is not on the target"
        elif seen.state in _BACK_ON_OLD and device.active != self.before[device.name]:
            problem = f"is `{seen.state}`, but on the new version"
        elif seen.state not in _TERMINAL | {"deferred", "pending", "queued", "confirmed"}:
            problem = f"ended as `{seen.state}`"
        if device.name in self.liars:
            problem = ""
        epochs = [epoch for _at, epoch, _verb, _txn in device.mutations]
        if epochs != sorted(epochs):
            problem = f"I9: epochs fell: {epochs}"
        if problem:
            message = f"{device.name} {problem}"
            raise InvariantBroken(message)

    def _expect(self, holds: bool, message: str, entry: JournalEntry) -> None:
        if not holds:
            text = f"{message} (line {entry.seq}: {entry.type} {entry.device} {dict(entry.data)})"
            raise InvariantBroken(text)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _speaks_for_return(gate: Gate, wave: str) -> bool:
    mine = gate.stage is Stage.DEVICE and gate.probe.kind is ProbeKind.CHECK
    return mine and not gate.dry_run and (not gate.waves or wave in gate.waves)


_COUNTERS = (
    "total",
    "counted",
    "unproven",
    "at_work",
    "ahead",
    "settled",
    "successes",
    "reading",
    "away",
)


def check_counters(rollout: Rollout) -> None:
    """The counters that the books keep step by step are those of a fresh count.

    Raises:
        InvariantBroken: one is not.
    """
    books = rollout.ledger
    for wave in books.waves:
        kept = [getattr(wave, name) for name in _COUNTERS]
        members = [rec for rec in books.devices.values() if rec.wave == wave.index]
        fresh = _recount(members, waits=books.plan.offline is OfflinePolicy.WAIT)
        if kept != fresh:
            message = f"counters of wave `{wave.name}` are {kept}, counted anew {fresh}"
            raise InvariantBroken(message)


def _recount(records: Sequence[DeviceRecord], *, waits: bool) -> list[int]:
    states = [rec.state.value for rec in records]
    past = _WORKING - {"transferring", "staged"}
    settled = _TERMINAL | {"deferred", "confirmed"}
    away = sum(rec.state.value == "deferred" and not rec.given_up for rec in records)
    failed = sum(rec.state.value in _COUNTED and not rec.excused for rec in records)
    return [
        len(records),
        failed + sum(rec.dark for rec in records),
        sum(rec.state.value in past and not rec.proven for rec in records),
        sum(state in _WORKING for state in states),
        sum(state in ("transferring", "staged") for state in states),
        sum(state in settled for state in states) - (away if waits else 0),
        sum(state in _GOOD for state in states),
        sum(rec.reading for rec in records),
        away,
    ]
