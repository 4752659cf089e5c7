"""What every `Audited` must do, beside the `Store` whose journals it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from orchestrator.engine.ports import Audited, Changes, Leases, Store
from orchestrator.rollout.audit import Fault, Head, Seal
from orchestrator.rollout.events import JournalEntry, Value

R, S = "r-first", "r-second"
PLAN = b'{"name":"contract"}'
ODD: Mapping[str, Value | list[Value]] = {
    "to": "queued",
    "text": 'a "line"\n\u2028\x00\ud800',
    "share": 0.1,
    "none": None,
}
AT = 1_763_812_800.1234567


@dataclass(frozen=True, slots=True)
class AuditCase:
    """An empty store; `leases` and `audited` may be the store."""

    store: Store
    leases: Leases
    audited: Audited


def _changes(first: int, last: int) -> Changes:
    entries = tuple(
        JournalEntry(seq, AT + seq / 7, "device_state", "wave \u00e4", "dev-1", ODD)
        for seq in range(first, last + 1)
    )
    return Changes({"state": "running"}, {}, entries)


class AuditContract:
    """For implementations of `Audited`."""

    def make(self) -> AbstractAsyncContextManager[AuditCase]:
        """An empty store, gone at the end."""
        raise NotImplementedError

    async def test_unknown_rollout_has_no_head(self) -> None:
        """Nothing is no error."""
        async with self.make() as case:
            assert await case.audited.head("r-unknown") is None

    async def test_empty_store_holds(self) -> None:
        """There is nothing that could be wrong."""
        async with self.make() as case:
            audit = await case.audited.audit(())

            assert (audit.rollout_count, audit.entry_count, audit.findings) == (0, 0, ())

    async def test_every_entry_and_every_rollout_moves_the_head(self) -> None:
        """Also where nothing was written to the rollout itself."""
        async with self.make() as case:
            heads = [await self._created(case, R)]
            lease = await case.leases.acquire(R, "me", ttl_s=10.0, now=AT)
            for seq in (2, 3):
                await case.store.commit(lease, [_changes(seq, seq)])
                heads.append(await self._head(case, R))
            await self._created(case, S)
            heads.append(await self._head(case, R))

            assert [head.seq for head in heads] == [1, 2, 3, 3]
            assert [head.rollout_count for head in heads] == [1, 1, 1, 2]
            assert len({head.hash for head in heads}) == 3  # noqa: PLR2004  one for each entry
            assert len({head.last_origin for head in heads}) == 2  # noqa: PLR2004  and rollout

    async def test_hash_does_not_depend_on_how_entries_were_batched(self) -> None:
        """One commit of three is as three commits."""
        async with self.make() as case:
            await self._created(case, R)
            lease = await case.leases.acquire(R, "me", ttl_s=10.0, now=AT)
            await case.store.commit(lease, [_changes(2, 3), _changes(4, 4)])
            at_once = await self._head(case, R)

            audit = await case.audited.audit([Seal(at_once, AT, "me")])

            assert (audit.findings, audit.entry_count, audit.seal_count) == ((), 4, 1)

    async def test_what_every_engine_wrote_holds(self) -> None:
        """Odd texts and fractions of seconds included; the epoch is part of an entry."""
        async with self.make() as case:
            first = await self._created(case, R)
            await self._created(case, S)
            for seq, owner in ((2, "me"), (3, "you")):
                lease = await case.leases.acquire(R, owner, ttl_s=10.0, now=AT + 20 * seq)
                await case.store.commit(lease, [_changes(seq, seq)])

            audit = await case.audited.audit([Seal(first, AT, "me")])

            assert audit.findings == ()
            assert (audit.rollout_count, audit.entry_count) == (2, 4)
            assert (audit.seal_count, audit.unsealed_count) == (1, 3)

    async def test_head_that_is_not_in_the_journal_is_a_finding(self) -> None:
        """Cut off, or written anew, or of a rollout that is gone."""
        async with self.make() as case:
            head = await self._created(case, R)
            forged = (
                replace(head, seq=5),
                replace(head, hash="0" * 64),
                replace(head, last_origin="0" * 64),
                replace(head, rollout_count=2),
                replace(head, rollout_id="r-gone"),
            )

            found = [await case.audited.audit([Seal(one, AT, "me")]) for one in forged]

            assert [[one.fault for one in audit.findings] for audit in found] == [
                [Fault.CUT],
                [Fault.REWRITTEN],
                [Fault.ROLLOUT_CHANGED],
                [Fault.ROLLOUT_MISSING],
                [Fault.ROLLOUT_MISSING],
            ]

    async def _created(self, case: AuditCase, rollout_id: str) -> Head:
        await case.store.create(rollout_id, PLAN, _changes(1, 1))
        return await self._head(case, rollout_id)

    async def _head(self, case: AuditCase, rollout_id: str) -> Head:
        head = await case.audited.head(rollout_id)
        assert head is not None
        return head
