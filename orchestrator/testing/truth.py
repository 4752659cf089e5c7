"""What devices really run, against what the journal of a rollout tells of them.

A device that lies can only harm itself: what it claims is not held against the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import Gate, OnFailure, ProbeKind, Stage
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.release import NOTHING
from orchestrator.testing.seen import TERMINAL, Books, InvariantBroken, Seen, expect

_BACK_ON_OLD = {"pending", "queued", "rolled_back", "cancelled", "deferred", "skipped"}


class Truth:
    """Devices of one rollout, watched from now on.

    Args:
        books: what the journal tells.
        devices: the fleet.
        liars: devices that do not tell what is so.
        now: true time, where there is one.
    """

    def __init__(
        self,
        books: Books,
        devices: Mapping[DeviceId, SimulatedDevice],
        *,
        liars: Collection[str],
        now: Callable[[], float] | None,
    ) -> None:
        self.books = books
        self.devices = devices
        self.liars = frozenset(liars)
        self.now = now
        self.target = books.plan.artifact.manifest_sha256
        self.before = {device.name: device.active for device in devices.values()}
        for simulated in devices.values():
            simulated.on_activated = self.activated

    def check_claim(self, state: str, entry: JournalEntry) -> None:
        """I4: the journal says that a device is in a state of which there is evidence."""
        if entry.device in self.liars:
            return
        if state == "succeeded":
            self._check_success(entry)
        elif state == "unchanged":
            self._check_unchanged(entry)
        elif state == "rolled_back":
            self._check_return(entry)

    def _check_success(self, entry: JournalEntry) -> None:
        device = self.devices[DeviceId(entry.device)]
        committed = device.txn is not None and device.txn.state == "committed"
        expect(
            committed and device.active == self.target and not device.releases[self.target].corrupt,
            "I4: success without the target",
            entry,
        )
        told = device.read_back.get(str(entry.data.get("boot")))
        expect(told == self.target, "I4: success without a read-back since its last boot", entry)

    def _check_unchanged(self, entry: JournalEntry) -> None:
        device, seen = self.devices[DeviceId(entry.device)], self.books.seen[entry.device]
        own = device.txn is not None and device.txn.id in seen.activations
        pure = device.active == self.target and not device.releases[self.target].corrupt
        expect(pure and not own, "I4: unchanged, but not on the target before", entry)

    def _check_return(self, entry: JournalEntry) -> None:
        device = self.devices[DeviceId(entry.device)]
        before = self.before[device.name]
        expect(device.active == before, "I4: rolled back to something else", entry)
        by_itself = entry.data.get("reason") == "reverted"  # then no connection ordered it
        since = device.told if by_itself else device.read_back
        told = since.get(str(entry.data.get("boot")))
        expect(told == before, "I4: rolled back without a read-back since its last boot", entry)
        if before == NOTHING or device.releases[before].lacks_checks:
            return
        for gate in self.books.plan.gates:
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
                expect(well, f"I4: rolled back, but gate `{gate.name}` saw {exits}", entry)

    def activated(self, device: SimulatedDevice, txn: str) -> None:
        """A device really switched to the new version."""
        seen = self.books.seen.get(device.name)
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
        if device.name not in self.liars and self.now is not None:
            self._check_downs(device, seen)

    def _check_downs(self, device: SimulatedDevice, seen: Seen) -> None:
        """I6, R16 and `max_parallel_per`, by what devices really run without being proven."""
        books, wave = self.books, self.books.waves[seen.wave]
        down = [
            name
            for name, one in books.seen.items()
            if one.wave == seen.wave and self._is_unproven(name, one)
        ]
        # as it was when the last of them was let go: less may be allowed since another one failed
        most = max(books.seen[name].bound for name in down) if down else wave.max_parallel
        what = f"I6: {len(down)} devices run what is not proven, {most} may"
        for label, limit in self.books.plan.max_parallel_per.items():
            value = books.labels[DeviceId(device.name)].get(label)
            alike = sum(books.labels[DeviceId(name)].get(label) == value for name in down)
            if value is not None and alike > limit:
                what, most = f"I6: {alike} unproven devices of {label} `{value}`, {limit} may", -1
        if len(down) > most:
            raise InvariantBroken(what)

    def _is_unproven(self, name: str, seen: Seen) -> bool:
        txn = self.devices[DeviceId(name)].txn
        own = txn is not None and txn.state == "probation" and txn.id in seen.activations
        return own and not seen.proven and name not in self.liars

    def honest(self) -> Iterator[SimulatedDevice]:
        """Devices of the rollout that tell what is so, as they are now."""
        for name in self.books.seen:
            device = self.devices[DeviceId(name)]
            device.pass_time()
            if name not in self.liars:
                yield device

    def on_target(self) -> list[str]:
        """Honest devices that really run the new version, whatever they ran before."""
        return [device.name for device in self.honest() if device.active == self.target]

    def finish(self, *, rows: Mapping[DeviceId, Mapping[str, object]]) -> None:
        """The rollout ended, and all dead-men had their time."""
        for name, seen in self.books.seen.items():
            device = self.devices[DeviceId(name)]
            device.pass_time()
            self._check_end(device, seen)
            stored = rows[DeviceId(name)]["state"]
            if stored != seen.state:
                message = f"I5: {name} is `{seen.state}` by the journal, `{stored}` as stored"
                raise InvariantBroken(message)

    def check_blast_radius(self) -> None:
        """A release that always bricks costs at most allowed + 1 devices of the first wave (R16).

        Raises:
            InvariantBroken: it cost more.
        """
        wave = self.books.plan.waves[0]
        if (
            not wave.slow_start
            or self.books.touched
            or self.books.plan.on_failure is OnFailure.CONTINUE
        ):
            return
        hit = sum(bool(seen.activations) for seen in self.books.seen.values())
        limit = self.books.allowed(wave.name) + 1
        if hit > limit:
            message = f"R16: a bricking release hit {hit} devices, at most {limit} may be"
            raise InvariantBroken(message)

    def _check_end(self, device: SimulatedDevice, seen: Seen) -> None:
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
        elif seen.state not in TERMINAL | {"deferred", "pending", "queued", "confirmed"}:
            problem = f"ended as `{seen.state}`"
        if device.name in self.liars:
            problem = ""
        epochs = [epoch for _at, epoch, _verb, _txn in device.mutations]
        if epochs != sorted(epochs):
            problem = f"I9: epochs fell: {epochs}"
        if problem:
            message = f"{device.name} {problem}"
            raise InvariantBroken(message)


def _speaks_for_return(gate: Gate, wave: str) -> bool:
    mine = gate.stage is Stage.DEVICE and gate.probe.kind is ProbeKind.CHECK
    return mine and not gate.dry_run and (not gate.waves or wave in gate.waves)
