"""What every `Outbox` must do, beside the `Store` whose rollouts it concerns."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from orchestrator.engine.ports import Changes, Delivery, Leases, Outbox, Store, Told
from orchestrator.rollout.events import JournalEntry

R, S = "r-hooks", "r-none"
WITH_HOOKS = b'{"name":"contract","hooks":[{"events":["halted"]}]}'
WITHOUT = b'{"name":"contract"}'
FAILED = Delivery(2, 0, "halted", "https://chat.example", 1, delivered=False, at=5.5, detail="503")


@dataclass(frozen=True, slots=True)
class OutboxCase:
    """An empty store and its outbox; `leases` may be the store."""

    store: Store
    leases: Leases
    outbox: Outbox


def _changes(first: int, last: int) -> Changes:
    entries = tuple(JournalEntry(seq, float(seq), "warning") for seq in range(first, last + 1))
    return Changes({"state": "running"}, {}, entries)


class OutboxContract:
    """For implementations of `Outbox`."""

    def make(self) -> AbstractAsyncContextManager[OutboxCase]:
        """An empty store, gone at the end."""
        raise NotImplementedError

    async def test_rollout_with_hooks_is_untold_from_its_creation_on(self) -> None:
        """A crash right after it loses nothing; a rollout without hooks never is."""
        async with self.make() as case:
            await case.store.create(R, WITH_HOOKS, _changes(1, 2))
            await case.store.create(S, WITHOUT, _changes(1, 2))

            assert list(await case.outbox.untold()) == [R]
            assert await case.outbox.told(R) == Told()

    async def test_settled_rollout_is_untold_again_with_its_next_entry(self) -> None:
        """What is due follows from the journal."""
        async with self.make() as case:
            await case.store.create(R, WITH_HOOKS, _changes(1, 2))
            lease = await case.leases.acquire(R, "me", ttl_s=10.0, now=0.0)

            await case.outbox.settle(R, 2)
            told = list(await case.outbox.untold())
            await case.store.commit(lease, [_changes(3, 3)])

            assert told == []
            assert list(await case.outbox.untold()) == [R]

    async def test_what_is_settled_never_goes_back(self) -> None:
        """Two processes may settle, one of them late."""
        async with self.make() as case:
            await case.store.create(R, WITH_HOOKS, _changes(1, 9))

            high, low = 7, 3

            await case.outbox.settle(R, high)
            await case.outbox.settle(R, low)

            assert (await case.outbox.told(R)).settled_seq == high

    async def test_attempt_takes_the_place_of_the_one_before(self) -> None:
        """One row for each notice and hook, with the number of attempts."""
        async with self.make() as case:
            await case.store.create(R, WITH_HOOKS, _changes(1, 2))
            again = replace(FAILED, attempts=2, delivered=True, at=6.5, detail="")
            other = replace(FAILED, hook=1)

            for delivery in (FAILED, other, again):
                await case.outbox.record(R, delivery)

            assert (await case.outbox.told(R)).deliveries == (again, other)
            assert (await case.outbox.told(S)).deliveries == ()

    async def test_journal_is_read_in_order_until_it_is_empty(self) -> None:
        """However long it is, in as many pages as it takes."""
        async with self.make() as case:
            await case.store.create(R, WITH_HOOKS, _changes(1, 8))

            seen: list[int] = []
            while page := await case.outbox.journal(R, after=seen[-1] if seen else 0):
                seen += [entry.seq for entry in page]

            assert seen == list(range(1, 9))
