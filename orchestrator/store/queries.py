"""Queries of the command line: what is stored, for people and for whoever is to go on with it.

Law: nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import sqlalchemy
from sqlalchemy import exists, select

from orchestrator.device.model import DeviceId
from orchestrator.engine.ports import Lease, Row
from orchestrator.errors import StoreError
from orchestrator.rollout.acts import ActTold, told
from orchestrator.rollout.around import FleetFreeze, Neighbour
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.held import Held
from orchestrator.rollout.sightings import Remembered
from orchestrator.store import acts, beyond, figures, fleet, followed, records, transactions
from orchestrator.store.records import RolloutSummary
from orchestrator.store.schema import devices, leases, rollouts
from orchestrator.store.writer import Writer

JOURNAL_PAGE = 10_000  # entries of one answer: about 4 MB

_SUMMARY = (
    rollouts.c.id,
    rollouts.c.plan_name,
    rollouts.c.plan_digest,
    rollouts.c.state,
    rollouts.c.exit_code,
    rollouts.c.created_at,
    rollouts.c.updated_at,
    rollouts.c.last_seq,
)
_NEWEST_FIRST = (rollouts.c.created_at.desc(), rollouts.c.id.desc())


class Queries:
    """A store as it is looked into; `now` gives the time that leases are measured by."""

    def __init__(
        self, writer: Writer, now: Callable[[sqlalchemy.Connection, float], float]
    ) -> None:
        self._writer = writer
        self._now = now

    async def rollouts(self, limit: int | None = 20) -> Sequence[RolloutSummary]:
        """The newest rollouts, newest first; all where there is no limit.

        Raises:
            StoreError: the store failed.
        """
        query = select(*_SUMMARY).order_by(*_NEWEST_FIRST).limit(limit)
        return await self._summaries(query)

    async def latest(self, plan_name: str | None = None) -> RolloutSummary | None:
        """The newest rollout, of one plan or of all.

        Raises:
            StoreError: the store failed.
        """
        query = select(*_SUMMARY).order_by(*_NEWEST_FIRST).limit(1)
        if plan_name is not None:
            query = query.where(rollouts.c.plan_name == plan_name)
        found = await self._summaries(query)
        return found[0] if found else None

    async def of_digest(self, plan_digest: str) -> RolloutSummary | None:
        """The newest rollout of exactly this resolved plan.

        Raises:
            StoreError: the store failed.
        """
        query = select(*_SUMMARY).where(rollouts.c.plan_digest == plan_digest)
        found = await self._summaries(query.order_by(*_NEWEST_FIRST).limit(1))
        return found[0] if found else None

    async def summary(self, rollout_id: str) -> RolloutSummary | None:
        """One rollout.

        Raises:
            StoreError: the store failed.
        """
        found = await self._summaries(select(*_SUMMARY).where(rollouts.c.id == rollout_id))
        return found[0] if found else None

    async def find_active(
        self, plan_sha256: str, inventory_sha256: str, artifact_sha256: str
    ) -> str | None:
        """The newest rollout of these inputs that is not over: `apply` joins it.

        Raises:
            StoreError: the store failed.
        """
        inputs = (plan_sha256, inventory_sha256, artifact_sha256)
        return await self._writer.read(lambda c: transactions.active(c, *inputs))

    async def latest_with(self, device: str) -> str | None:
        """The newest rollout that has the device.

        Raises:
            StoreError: the store failed.
        """
        has = exists().where(devices.c.rollout_id == rollouts.c.id, devices.c.device == device)
        query = select(rollouts.c.id).where(has).order_by(*_NEWEST_FIRST).limit(1)
        return await self._writer.read(lambda c: c.scalar(query))

    async def find_grown(self, plan_sha256: str, artifact_sha256: str) -> Sequence[str]:
        """Rollouts of plan and artifact that are not over, newest first: their fleet may have grown.

        Raises:
            StoreError: the store failed.
        """
        inputs = (plan_sha256, artifact_sha256)
        return await self._writer.read(lambda c: transactions.grown(c, *inputs))

    async def under_way(self) -> Sequence[str]:
        """The rollouts that are not over, newest first.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(transactions.under_way)

    async def going_first(self, rollout_id: str, *, now: float) -> Sequence[Neighbour]:
        """Rollouts that go first on devices of this one.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(
            lambda c: beyond.neighbours(c, rollout_id, now=self._now(c, now))[0]
        )

    async def frozen(self) -> FleetFreeze | None:
        """The last freeze of all rollouts, also when it has run out or was lifted.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(beyond.frozen)

    async def followed(self, key: str) -> str:
        """What is remembered of a followed branch; empty where nothing is.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: followed.followed(c, key))

    async def counts(self, *, now: float) -> figures.Counts:
        """Counts of rollouts and devices by state, for monitoring.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: figures.counts(c, self._now(c, now)))

    async def held(self, artifact_sha256: str) -> Mapping[DeviceId, Held]:
        """Devices that are held back from an artifact, or from every one.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: beyond.held_devices(c, artifact_sha256))

    async def remembered(self, component: str, wanted: Collection[DeviceId]) -> Remembered:
        """What rollouts left on devices and saw there, and who is held back.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: fleet.remembered(c, component, wanted))

    async def resolve_id(self, text: str) -> str:
        """The one rollout whose id is, or begins with, the text.

        Raises:
            StoreError: there is none, or there are several; or no text.
        """
        if not text:  # as `"$UNSET"`: not the one that there may be
            hint = "`rollout status --all` lists the rollouts of this project"
            raise StoreError("the id of the rollout is empty", hint=hint)
        starts = rollouts.c.id.startswith(text, autoescape=True)
        query = select(rollouts.c.id).where(starts).order_by(rollouts.c.id).limit(6)
        found: Sequence[str] = await self._writer.read(lambda c: c.scalars(query).all())
        if text in found:
            return text
        if len(found) == 1:
            return found[0]
        if not found:
            hint = "`rollout status --all` lists the rollouts of this project"
            message = f"no rollout `{text}`"
            raise StoreError(message, hint=hint)
        message = f"`{text}` is the beginning of several rollouts"
        raise StoreError(message, hint="write more of it: " + ", ".join(found))

    async def journal(
        self, rollout_id: str, *, after: int = 0, limit: int = JOURNAL_PAGE
    ) -> Sequence[JournalEntry]:
        """Entries with a `seq` above `after`, in order; at most `limit`.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(
            lambda c: transactions.journal_of(c, rollout_id, after, limit)
        )

    async def acts(self, *, after: int = 0, limit: int = JOURNAL_PAGE) -> Sequence[JournalEntry]:
        """Entries of the journal of acts with a number above `after`, in order; at most `limit`.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: acts.page(c, after, limit))

    async def newest_acts(self, count: int, device: str | None = None) -> Sequence[ActTold]:
        """The newest acts, of one device or all, oldest first.

        Raises:
            StoreError: the store failed.
        """
        return told(await self._writer.read(lambda c: acts.newest(c, count, device)))

    async def device_rows(self, rollout_id: str) -> dict[DeviceId, Row]:
        """The snapshot rows of a rollout's devices, by name.

        Raises:
            StoreError: the store failed.
        """
        return await self._writer.read(lambda c: transactions.device_rows(c, rollout_id))

    async def holder(self, rollout_id: str, *, now: float) -> str:
        """The owner of a lease that has not run out; empty when there is none.

        Raises:
            StoreError: the store failed.
        """
        query = select(leases.c.owner, leases.c.expires_at).where(leases.c.rollout_id == rollout_id)

        def read(connection: sqlalchemy.Connection) -> str:
            found = connection.execute(query).one_or_none()
            alive = found is not None and found.expires_at > self._now(connection, now)
            return str(found.owner) if found is not None and alive else ""

        return await self._writer.read(read)

    async def lease_of(self, rollout_id: str) -> Lease | None:
        """The lease as stored, also when it has run out; None when nobody holds it.

        Raises:
            StoreError: the store failed.
        """
        query = select(leases).where(leases.c.rollout_id == rollout_id, leases.c.owner != "")
        found = await self._writer.read(lambda c: c.execute(query).one_or_none())
        return None if found is None else Lease(*found)

    async def _summaries(
        self, query: sqlalchemy.Select[tuple[str, str, str, str, int, float, float, int]]
    ) -> list[RolloutSummary]:
        found = await self._writer.read(lambda c: c.execute(query).all())
        return [records.summary_of(row) for row in found]
