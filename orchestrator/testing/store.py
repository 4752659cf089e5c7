"""A store and leases in memory; what was committed survives any crash of an engine.

Rows pass through JSON on the way in and out, as in a real store: nothing is shared.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from orchestrator.device.model import DeviceId
from orchestrator.engine.ports import Changes, Lease, Row, Stored
from orchestrator.errors import LeaseError, StoreError
from orchestrator.rollout.events import JournalEntry, OperatorAsked


@dataclasses.dataclass(slots=True)
class _Kept:
    plan_json: bytes
    rollout: str
    devices: dict[DeviceId, str]
    journal: list[JournalEntry]
    requests: list[OperatorAsked]


class MemoryStore:
    """Implements `Store` and `Leases`."""

    def __init__(self) -> None:
        self._rollouts: dict[str, _Kept] = {}
        self._leases: dict[str, Lease] = {}
        self._epochs: dict[str, int] = {}

    # --- Store -------------------------------------------------------------------------------

    async def create(self, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
        """Stores a new rollout.

        Raises:
            StoreError: it exists.
        """
        if rollout_id in self._rollouts:
            message = f"rollout `{rollout_id}` exists"
            raise StoreError(message)
        kept = _Kept(plan_json, "{}", {}, [], [])
        self._write(kept, changes)
        self._rollouts[rollout_id] = kept

    async def load(self, rollout_id: str) -> Stored | None:
        """The last committed state."""
        kept = self._rollouts.get(rollout_id)
        if kept is None:
            return None
        rows: Mapping[DeviceId, Row] = {
            device: json.loads(text) for device, text in kept.devices.items()
        }
        return Stored(rollout_id, kept.plan_json, json.loads(kept.rollout), rows, len(kept.journal))

    async def commit(self, lease: Lease, batch: Sequence[Changes]) -> None:
        """Writes changes, all or nothing.

        Raises:
            LeaseError: a newer epoch exists.
            StoreError: the journal would get a gap, or there is no such rollout.
        """
        if self._epochs.get(lease.rollout_id) != lease.epoch:
            raise _fenced(lease)
        kept = self._rollouts.get(lease.rollout_id)
        if kept is None:
            message = f"no rollout `{lease.rollout_id}`"
            raise StoreError(message)
        for changes in batch:
            self._write(kept, changes)

    def _write(self, kept: _Kept, changes: Changes) -> None:
        for number, entry in enumerate(changes.journal, len(kept.journal) + 1):
            if entry.seq != number:
                message = f"journal entry {entry.seq} where {number} is next"
                raise StoreError(message)
        kept.rollout = json.dumps(changes.rollout, allow_nan=False)
        for device, row in changes.devices.items():
            kept.devices[device] = json.dumps(row, allow_nan=False)
        kept.journal.extend(changes.journal)

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
            LeaseError: another owner's lease has not run out.
        """
        held = self._leases.get(rollout_id)
        if held is not None and held.owner != owner and held.expires_at > now:
            message = f"`{held.owner}` holds the lease of rollout `{rollout_id}`"
            raise LeaseError(message)
        epoch = self._epochs.get(rollout_id, 0) + 1
        self._epochs[rollout_id] = epoch
        lease = Lease(rollout_id, owner, epoch, now + ttl_s)
        self._leases[rollout_id] = lease
        return lease

    async def renew(self, lease: Lease, *, ttl_s: float, now: float) -> Lease:
        """Extends the lease.

        Raises:
            LeaseError: it was taken over.
        """
        if self._epochs.get(lease.rollout_id) != lease.epoch:
            raise _fenced(lease)
        renewed = dataclasses.replace(lease, expires_at=now + ttl_s)
        self._leases[lease.rollout_id] = renewed
        return renewed

    async def release(self, lease: Lease) -> None:
        """Gives the lease back; the epoch stays used."""
        held = self._leases.get(lease.rollout_id)
        if held is not None and held.epoch == lease.epoch:
            del self._leases[lease.rollout_id]

    # --- for tests ---------------------------------------------------------------------------

    def ask(self, rollout_id: str, request: OperatorAsked) -> int:
        """Leaves an operator's request; gives its number."""
        requests = self._rollouts[rollout_id].requests
        number = len(requests) + 1
        requests.append(dataclasses.replace(request, request=number))
        return number

    def known(self) -> tuple[str, ...]:
        """Ids of all rollouts."""
        return tuple(self._rollouts)

    def journal(self, rollout_id: str) -> tuple[JournalEntry, ...]:
        """Everything journalled so far."""
        return tuple(self._rollouts[rollout_id].journal)


def _fenced(lease: Lease) -> LeaseError:
    message = f"the lease of rollout `{lease.rollout_id}` was taken over"
    return LeaseError(message, hint="another engine runs it now; look with `rollout status`")
