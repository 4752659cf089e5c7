"""A store and leases in memory; what was committed survives any crash of an engine.

Rows pass through JSON on the way in and out, as in a real store: nothing is shared.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence

from orchestrator.device.model import DeviceId
from orchestrator.engine.ports import Changes, Lease, Row, Stored
from orchestrator.errors import ClaimedError, DrivenError, LeaseError, StoreError
from orchestrator.plan.resolved import COMPONENT_DEFAULT
from orchestrator.rollout import chain, held
from orchestrator.rollout.around import (
    FleetFreeze,
    Neighbour,
    Running,
    Surroundings,
    goes_first,
    merged,
    proved,
    row_holds,
    row_waits,
)
from orchestrator.rollout.audit import Audit, Auditor, Head, Kept, Seal
from orchestrator.rollout.chain import Written
from orchestrator.rollout.events import JournalEntry, OperatorAsked
from orchestrator.rollout.held import Held
from orchestrator.rollout.states import TERMINAL_ROLLOUT, RolloutState
from orchestrator.testing.outbox import MemoryOutbox

CONTROLLER = "0" * 16


@dataclasses.dataclass(slots=True)
class _Kept:
    """What is stored of a rollout: as text, and beside it what a look around reads of that.

    `changed`: the text is newer than the row, which is read when somebody wants it.
    """

    plan_json: bytes
    plan: Mapping[str, object]
    rollout: str = "{}"
    read: Mapping[str, object] = dataclasses.field(default_factory=dict)
    changed: bool = True
    devices: dict[DeviceId, str] = dataclasses.field(default_factory=dict)
    rows: dict[DeviceId, Row] = dataclasses.field(default_factory=dict)
    journal: list[JournalEntry] = dataclasses.field(default_factory=list)
    origin: str = ""
    chained: list[tuple[Written, str]] = dataclasses.field(default_factory=list)
    requests: list[OperatorAsked] = dataclasses.field(default_factory=list)

    @property
    def row(self) -> Mapping[str, object]:
        """The text of the rollout, as read."""
        if self.changed:
            self.read, self.changed = json.loads(self.rollout), False
        return self.read


class MemoryStore:
    """Implements `Store`, `Leases` and `Audited`."""

    def __init__(self) -> None:
        self._rollouts: dict[str, _Kept] = {}
        self._leases: dict[str, Lease] = {}
        self._asked = 0  # requests have one row of numbers, as in a database
        self.frozen: FleetFreeze | None = None
        self._epoch = 0  # over all rollouts: devices keep one per controller (R14)
        self.outbox = MemoryOutbox(self.journal)

    # --- Store -------------------------------------------------------------------------------

    async def create(self, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
        """Stores a new rollout.

        Raises:
            StoreError: it exists.
        """
        if rollout_id in self._rollouts:
            message = f"rollout `{rollout_id}` exists"
            raise StoreError(message)
        kept = _Kept(plan_json, json.loads(plan_json), origin=self._origin(rollout_id, plan_json))
        self._follow(kept, [changes])
        self._write(kept, changes, epoch=0)
        self._rollouts[rollout_id] = kept
        self.outbox.created(rollout_id, plan_json)

    async def load(self, rollout_id: str) -> Stored | None:
        """The last committed state."""
        kept = self._rollouts.get(rollout_id)
        if kept is None:
            return None
        rows: Mapping[DeviceId, Row] = {
            device: json.loads(text) for device, text in kept.devices.items()
        }
        return Stored(rollout_id, kept.plan_json, json.loads(kept.rollout), rows, len(kept.journal))

    async def commit(self, lease: Lease, batch: Sequence[Changes]) -> str:
        """Writes changes, all or nothing; gives the hash of the journal's last entry, if there is one.

        Raises:
            LeaseError: the lease was taken over or given back.
            StoreError: the journal would get a gap, or there is no such rollout.
        """
        self._require(lease)
        kept = self._rollouts.get(lease.rollout_id)
        if kept is None:
            message = f"no rollout `{lease.rollout_id}`"
            raise StoreError(message)
        self._follow(kept, batch)
        if any(changes.claims for changes in batch):
            busy, _older = self._neighbours(lease.rollout_id, 0.0)
            if busy:
                message = f"rollout `{busy[0].rollout_id}` goes first"
                raise ClaimedError(message)
        for changes in batch:
            self._write(kept, changes, epoch=lease.epoch)
            for other, request in changes.asks:
                self.ask(other, request)
        return kept.chained[-1][1] if any(changes.journal for changes in batch) else ""

    def _follow(self, kept: _Kept, batch: Sequence[Changes]) -> None:
        entries = (entry for changes in batch for entry in changes.journal)
        for number, entry in enumerate(entries, len(kept.journal) + 1):
            if entry.seq != number:
                message = f"journal entry {entry.seq} where {number} is next"
                raise StoreError(message)

    def _write(self, kept: _Kept, changes: Changes, *, epoch: int) -> None:
        kept.rollout, kept.changed = json.dumps(changes.rollout, allow_nan=False), True
        for device, row in changes.devices.items():
            kept.devices[device], kept.rows[device] = json.dumps(row, allow_nan=False), row
        kept.journal.extend(changes.journal)
        previous = kept.chained[-1][1] if kept.chained else kept.origin
        for entry in changes.journal:
            data = json.dumps(entry.data, separators=(",", ":"), allow_nan=False)
            at = float(entry.at)
            written = Written(entry.seq, at, entry.type, entry.wave, entry.device, data, epoch)
            previous = chain.link(previous, written)
            kept.chained.append((written, previous))

    def _origin(self, rollout_id: str, plan_json: bytes) -> str:
        last = next(reversed(self._rollouts.values()), None)
        previous = chain.beginning(CONTROLLER) if last is None else last.origin
        plan = hashlib.sha256(plan_json).hexdigest()
        return chain.origin(previous, len(self._rollouts) + 1, rollout_id, plan)

    async def around(self, rollout_id: str, *, plans: Collection[str], now: float) -> Surroundings:
        """What is around a rollout."""
        begun = row_holds(self._row(rollout_id))
        busy, older = ((), ()) if begun else self._neighbours(rollout_id, now)
        running = self._running(rollout_id, plans) if plans else {}
        held_back = self._held(rollout_id)
        return Surroundings(busy, running, self.frozen, older, held_back)

    def _held(self, rollout_id: str) -> dict[DeviceId, Held]:
        mine = self._rollouts[rollout_id]
        found = {}
        for other, kept in self._rollouts.items():
            if other == rollout_id:
                continue
            same = self._artifact(other) == self._artifact(rollout_id)
            for device in mine.rows.keys() & kept.rows.keys():
                row = kept.rows[device]
                everywhere = row["state"] == held.EVERYWHERE
                if held.holds(row) and (same or everywhere):
                    since, why = held.since(row), held.why(row)
                    found[device] = Held(device, since, why, other, everywhere)
        return found

    def _row(self, rollout_id: str) -> Mapping[str, object]:
        return self._rollouts[rollout_id].row

    def _plan(self, rollout_id: str) -> Mapping[str, object]:
        return self._rollouts[rollout_id].plan

    def _component(self, rollout_id: str) -> str:
        return str(self._plan(rollout_id).get("component", COMPONENT_DEFAULT))

    def _artifact(self, rollout_id: str) -> object:
        artifact = self._plan(rollout_id).get("artifact")
        return artifact.get("sha256") if isinstance(artifact, dict) else None

    def _rank(self, rollout_id: str) -> tuple[int, float, str]:
        first = self._rollouts[rollout_id].journal[0]
        return int(str(self._plan(rollout_id).get("priority", 500))), first.at, rollout_id

    def _neighbours(
        self, rollout_id: str, now: float
    ) -> tuple[tuple[Neighbour, ...], tuple[Neighbour, ...]]:
        first: list[Neighbour] = []
        older: list[Neighbour] = []
        mine, my_rank = self._rollouts[rollout_id], self._rank(rollout_id)
        for other, kept in self._rollouts.items():
            row, rank, lease = self._row(other), self._rank(other), self._leases.get(other)
            over = RolloutState(str(row["state"])) in TERMINAL_ROLLOUT
            shared = sorted(mine.devices.keys() & kept.devices.keys())
            apart = self._component(other) != self._component(rollout_id)
            before = row_holds(row) or (row_waits(row) and goes_first(rank, my_rank))
            if other == rollout_id or over or apart or not shared:
                continue
            if not (before or rank[1:] < my_rank[1:]):
                continue
            (first if before else older).append(
                Neighbour(
                    other,
                    str(self._plan(other).get("name", "")),
                    self._rank(other)[0],
                    begun=row_holds(row),
                    driven=lease is not None and lease.expires_at > now,
                    shared=len(shared),
                    device=shared[0],
                    follows=row["state"] == RolloutState.CATCHING_UP,
                )
            )

        def turn(one: Neighbour) -> tuple[float, float, str]:
            return (-one.priority, *self._rank(one.rollout_id)[1:])

        return tuple(sorted(first, key=turn)), tuple(sorted(older, key=turn))

    def _running(self, rollout_id: str, plans: Collection[str]) -> Running:
        mine = self._rollouts[rollout_id].devices
        by_component: dict[str, Running] = {}
        begun = {
            other: float(str(self._row(other).get("begun_at") or 0.0)) for other in self._rollouts
        }
        for other in sorted(begun, key=lambda one: (begun[one], one)):
            plan = self._plan(other)
            ran = str(plan.get("name", "")), str(plan.get("release", ""))
            known = by_component.setdefault(self._component(other), {})
            for device, row in self._rollouts[other].rows.items():
                if device in mine:
                    proved(known, ran, device, str(row["state"]), moved=bool(row.get("moved")))
        return merged(by_component.values(), plans)

    async def requests(self, rollout_id: str, *, after: int) -> Sequence[OperatorAsked]:
        """Operators' requests with a number above `after`, in order."""
        kept = self._rollouts.get(rollout_id)
        if kept is None or not kept.requests or kept.requests[-1].request <= after:
            return ()
        return [request for request in kept.requests if request.request > after]

    # --- Leases ------------------------------------------------------------------------------

    async def acquire(self, rollout_id: str, owner: str, *, ttl_s: float, now: float) -> Lease:
        """Takes the lease with the next epoch.

        Raises:
            DrivenError: another owner's lease has not run out.
        """
        held = self._leases.get(rollout_id)
        if held is not None and held.owner != owner and held.expires_at > now:
            raise DrivenError(rollout_id, held.owner, left_s=held.expires_at - now)
        self._epoch += 1
        lease = Lease(rollout_id, owner, self._epoch, now + ttl_s)
        self._leases[rollout_id] = lease
        return lease

    async def renew(self, lease: Lease, *, ttl_s: float, now: float) -> Lease:
        """Extends the lease.

        Raises:
            LeaseError: it was taken over or given back.
        """
        self._require(lease)
        renewed = dataclasses.replace(lease, expires_at=now + ttl_s)
        self._leases[lease.rollout_id] = renewed
        return renewed

    async def release(self, lease: Lease) -> None:
        """Gives the lease back; the epoch stays used."""
        if self._is_held(lease):
            del self._leases[lease.rollout_id]

    def _require(self, lease: Lease) -> None:
        if not self._is_held(lease):
            message = f"the lease of rollout `{lease.rollout_id}` is lost"
            raise LeaseError(message, hint="another engine runs it; look with `rollout status`")

    def _is_held(self, lease: Lease) -> bool:
        held = self._leases.get(lease.rollout_id)
        return held is not None and held.epoch == lease.epoch

    async def last_epoch(self) -> int:
        """The newest epoch that was given out; 0 before the first."""
        return self._epoch

    # --- Audited -----------------------------------------------------------------------------

    async def head(self, rollout_id: str) -> Head | None:
        """Where the journal of a rollout ends; None where there is no such rollout."""
        kept = self._rollouts.get(rollout_id)
        if kept is None:
            return None
        last_hash = kept.chained[-1][1] if kept.chained else kept.origin
        newest = next(reversed(self._rollouts.values()))
        return Head(rollout_id, len(kept.chained), last_hash, len(self._rollouts), newest.origin)

    async def audit(self, seals: Sequence[Seal]) -> Audit:
        """Compares heads that somebody vouches for with the journals; nothing else can be wrong."""
        auditor = Auditor(CONTROLLER, seals)
        for number, (rollout_id, kept) in enumerate(self._rollouts.items(), 1):
            plan = hashlib.sha256(kept.plan_json).hexdigest()
            row = Kept(rollout_id, number, kept.origin, plan, len(kept.journal))
            auditor.take(row, kept.chained)
        return auditor.end(0)

    # --- for tests ---------------------------------------------------------------------------

    def ask(self, rollout_id: str, request: OperatorAsked) -> int:
        """Leaves an operator's request; gives its number."""
        self._asked += 1
        kept = self._rollouts[rollout_id]
        kept.requests.append(dataclasses.replace(request, request=self._asked))
        return self._asked

    def freeze(self, wanted: FleetFreeze) -> None:
        """Freezes all rollouts."""
        self.frozen = wanted

    def forget_lease(self, rollout_id: str) -> None:
        """Nobody holds the lease any more, and its holder is not told."""
        self._leases.pop(rollout_id, None)

    def holder(self, rollout_id: str, now: float) -> str:
        """Whose lease has not run out; nobody's where there is none."""
        held = self._leases.get(rollout_id)
        return held.owner if held is not None and held.expires_at > now else ""

    def known(self) -> tuple[str, ...]:
        """Ids of all rollouts."""
        return tuple(self._rollouts)

    def journal(self, rollout_id: str) -> tuple[JournalEntry, ...]:
        """Everything journalled so far."""
        return tuple(self._rollouts[rollout_id].journal)
