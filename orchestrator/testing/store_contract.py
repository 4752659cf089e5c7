"""What every `Store` with `Leases` must do: one set of cases that all stores pass.

A subclass says in `make` how an empty store comes to be and goes away, nothing else; everything
that is tested is inherited. Nothing here imports a test runner.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from orchestrator.device.model import Address, DeviceId
from orchestrator.engine.ports import Changes, Lease, Leases, Row, Store, Stored
from orchestrator.errors import LeaseError, StoreError
from orchestrator.plan.joiners import Joiner
from orchestrator.plan.resolved import PlannedDevice, Probe, ProbeKind
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked
from orchestrator.testing.refusal import refused

R, S = "r-contract", "r-other"  # rollouts
A, B = DeviceId("dev-0001"), DeviceId("dev-0002")
PLAN = b'{"name":"contract"}'
TTL_S = 10.0
NOW = 1_800_000_000.0


@dataclass(frozen=True, slots=True)
class StoreCase:
    """An empty store.

    Attributes:
        store: what is tested; `leases` may be the same object.
        leave: leaves an operator's request in the store, and gives its number.
    """

    store: Store
    leases: Leases
    leave: Callable[[str, OperatorAsked], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class _Held:
    """A store with the rollout `R`: one journal entry, the device `A`, a lease of `me`."""

    store: Store
    leases: Leases
    leave: Callable[[str, OperatorAsked], Awaitable[int]]
    lease: Lease

    async def stored(self) -> Stored:
        """The rollout as it is stored now."""
        found = await self.store.load(R)
        assert found is not None
        return found

    async def taken_over(self) -> Lease:
        """The lease of another owner, after this one's has run out."""
        return await self.leases.acquire(R, "other", ttl_s=TTL_S, now=NOW + TTL_S)


def changes(
    *seqs: int, state: str = "running", devices: Mapping[DeviceId, Row] | None = None
) -> Changes:
    """Changes with a journal line for each number."""
    journal = tuple(JournalEntry(seq, NOW + seq, "device_state", "canary", A) for seq in seqs)
    return Changes({"state": state}, devices or {}, journal)


class StoreContract:
    """For implementations of `Store` and `Leases`."""

    def make(self) -> AbstractAsyncContextManager[StoreCase]:
        """An empty store, gone at the end."""
        raise NotImplementedError

    @asynccontextmanager
    async def held(self) -> AsyncIterator[_Held]:
        """A store with a rollout and its lease."""
        async with self.make() as case:
            await case.store.create(R, PLAN, changes(1, devices={A: {"state": "pending"}}))
            lease = await case.leases.acquire(R, "me", ttl_s=TTL_S, now=NOW)
            yield _Held(case.store, case.leases, case.leave, lease)

    # --- rollouts ----------------------------------------------------------------------------

    async def test_unknown_rollout_is_none(self) -> None:
        """Nothing is no error."""
        async with self.make() as case:
            assert await case.store.load("r-unknown") is None

    async def test_created_rollout_is_loaded_as_it_was(self) -> None:
        """Plan bytes and rows come back."""
        async with self.held() as held:
            stored = await held.stored()

            assert (stored.rollout_id, stored.plan_json, stored.last_seq) == (R, PLAN, 1)
            assert dict(stored.rollout) == {"state": "running"}
            assert stored.devices == {A: {"state": "pending"}}

    async def test_rollout_is_created_once(self) -> None:
        """A second one of the same id is refused."""
        async with self.held() as held:
            await refused(held.store.create(R, PLAN, changes(1)), StoreError)

    async def test_what_was_loaded_is_a_copy(self) -> None:
        """Who changes it changes nothing stored."""
        async with self.held() as held:
            (await held.stored()).devices[A]["state"] = "failed"  # type: ignore[index]  # a caller's error

            assert (await held.stored()).devices[A] == {"state": "pending"}

    async def test_rollouts_are_apart(self) -> None:
        """What one rollout writes is not seen in another."""
        async with self.held() as held:
            await held.store.create(S, PLAN, changes(1, state="planned"))
            await held.store.commit(held.lease, [changes(2, state="paused")])

            other = await held.store.load(S)

            assert other is not None
            assert (other.rollout, other.devices, other.last_seq) == ({"state": "planned"}, {}, 1)

    # --- commits -----------------------------------------------------------------------------

    async def test_commit_changes_only_the_rows_it_names(self) -> None:
        """Rows of other devices stay; the journal grows."""
        async with self.held() as held:
            rows = {B: {"state": "queued"}}
            await held.store.commit(held.lease, [changes(2, state="paused", devices=rows)])

            stored = await held.stored()

            assert stored.rollout == {"state": "paused"}
            assert stored.devices == {A: {"state": "pending"}, B: {"state": "queued"}}
            assert stored.last_seq == 2  # noqa: PLR2004  the line written above

    async def test_later_changes_of_a_batch_win(self) -> None:
        """A batch is written in order, in one transaction."""
        async with self.held() as held:
            first = changes(2, 3, devices={A: {"state": "queued"}})
            second = changes(4, state="halted", devices={A: {"state": "staged"}})

            await held.store.commit(held.lease, [first, second])
            stored = await held.stored()

            assert (stored.rollout, stored.last_seq) == ({"state": "halted"}, 4)
            assert stored.devices == {A: {"state": "staged"}}

    async def test_journal_stays_without_repeats(self) -> None:
        """A line that was written is not written again."""
        await self._out_of_step(1)

    async def test_journal_stays_without_gaps(self) -> None:
        """A line that does not follow is refused."""
        await self._out_of_step(3)

    async def test_batch_is_written_whole_or_not_at_all(self) -> None:
        """Trouble with its last part leaves nothing of its first."""
        async with self.held() as held:
            batch = [changes(2, state="halted"), changes(4, state="halted")]

            await refused(held.store.commit(held.lease, batch), StoreError)

            await self._expect_nothing_written(held)

    async def _out_of_step(self, seq: int) -> None:
        async with self.held() as held:
            await refused(held.store.commit(held.lease, [changes(seq, state="halted")]), StoreError)

            await self._expect_nothing_written(held)

    async def test_commit_to_an_unknown_rollout_is_refused(self) -> None:
        """A lease makes no rollout."""
        async with self.make() as case:
            lease = await case.leases.acquire(R, "me", ttl_s=TTL_S, now=NOW)

            await refused(case.store.commit(lease, [changes(1)]), StoreError)

    async def test_older_epoch_cannot_commit(self) -> None:
        """The engine that lost its lease writes nothing."""
        async with self.held() as held:
            await held.taken_over()

            await refused(held.store.commit(held.lease, [changes(2, state="halted")]), LeaseError)

            await self._expect_nothing_written(held)

    async def test_newer_epoch_goes_on_where_the_older_one_stopped(self) -> None:
        """The journal has one order over all engines."""
        async with self.held() as held:
            await held.store.commit(held.lease, [changes(2)])
            newer = await held.taken_over()

            await held.store.commit(newer, [changes(3)])

            assert (await held.stored()).last_seq == 3  # noqa: PLR2004  the line written above

    async def test_lease_of_another_rollout_commits_nothing_here(self) -> None:
        """A lease names its rollout; its epoch is good for no other."""
        async with self.held() as held:
            await held.store.create(S, PLAN, changes(1))
            other = await held.leases.acquire(S, "me", ttl_s=TTL_S, now=NOW)
            forged = Lease(R, "me", other.epoch, other.expires_at)

            await refused(held.store.commit(forged, [changes(2, state="halted")]), LeaseError)

            await self._expect_nothing_written(held)

    async def _expect_nothing_written(self, held: _Held) -> None:
        stored = await held.stored()
        assert (stored.rollout, stored.last_seq) == ({"state": "running"}, 1)

    # --- leases ------------------------------------------------------------------------------

    async def test_lease_is_for_one_owner_until_it_has_run_out(self) -> None:
        """Another owner waits; then it gets a higher epoch."""
        async with self.held() as held:
            early = held.leases.acquire(R, "other", ttl_s=TTL_S, now=NOW + TTL_S - 0.1)
            await refused(early, LeaseError)

            taken = await held.taken_over()

            assert taken.epoch > held.lease.epoch
            assert (taken.owner, taken.expires_at) == ("other", NOW + 2 * TTL_S)

    async def test_same_owner_gets_a_higher_epoch(self) -> None:
        """A restarted engine fences the one that it was."""
        async with self.held() as held:
            again = await held.leases.acquire(R, "me", ttl_s=TTL_S, now=NOW + 1)

            assert again.epoch > held.lease.epoch
            await refused(held.store.commit(held.lease, [changes(2)]), LeaseError)

    async def test_epochs_rise_over_all_rollouts(self) -> None:
        """Devices keep one epoch per controller, whichever rollout it came from (R14)."""
        async with self.held() as held:
            other = await held.leases.acquire(S, "me", ttl_s=TTL_S, now=NOW)
            again = await held.leases.acquire(R, "me", ttl_s=TTL_S, now=NOW)
            last = await held.leases.acquire(S, "me", ttl_s=TTL_S, now=NOW)

            epochs = [held.lease.epoch, other.epoch, again.epoch, last.epoch]
            assert epochs == sorted(set(epochs))

    async def test_leases_of_two_rollouts_are_held_at_once(self) -> None:
        """One rollout's newer epoch takes nothing from another's lease."""
        async with self.held() as held:
            await held.leases.acquire(S, "other", ttl_s=TTL_S, now=NOW)

            await held.store.commit(held.lease, [changes(2)])
            renewed = await held.leases.renew(held.lease, ttl_s=TTL_S, now=NOW + 1)

            assert renewed.epoch == held.lease.epoch

    async def test_renewed_lease_lasts_longer_under_the_same_epoch(self) -> None:
        """A renewal changes the time and nothing else."""
        async with self.held() as held:
            renewed = await held.leases.renew(held.lease, ttl_s=TTL_S, now=NOW + 8)

            assert (renewed.epoch, renewed.expires_at) == (held.lease.epoch, NOW + 8 + TTL_S)
            early = held.leases.acquire(R, "other", ttl_s=TTL_S, now=NOW + 8 + TTL_S - 1)
            await refused(early, LeaseError)

    async def test_lease_that_was_taken_over_cannot_be_renewed(self) -> None:
        """The old owner learns it."""
        async with self.held() as held:
            await held.taken_over()

            lost = held.leases.renew(held.lease, ttl_s=TTL_S, now=NOW + TTL_S + 1)

            await refused(lost, LeaseError)

    async def test_lease_that_was_given_back_is_free_and_its_epoch_stays_used(self) -> None:
        """Epochs only rise."""
        async with self.held() as held:
            await held.leases.release(held.lease)

            other = await held.leases.acquire(R, "other", ttl_s=TTL_S, now=NOW + 1)

            assert other.epoch > held.lease.epoch

    async def test_lease_that_was_given_back_allows_nothing(self) -> None:
        """Neither a commit nor a renewal."""
        async with self.held() as held:
            await held.leases.release(held.lease)

            await refused(held.store.commit(held.lease, [changes(2, state="halted")]), LeaseError)
            await refused(held.leases.renew(held.lease, ttl_s=TTL_S, now=NOW + 1), LeaseError)

            await self._expect_nothing_written(held)

    async def test_giving_back_a_lost_lease_takes_nothing_from_its_holder(self) -> None:
        """Late words of an old engine do no harm."""
        async with self.held() as held:
            newer = await held.taken_over()

            await held.leases.release(held.lease)
            await held.store.commit(newer, [changes(2)])

            assert (await held.stored()).last_seq == 2  # noqa: PLR2004  the line written above

    # --- requests ----------------------------------------------------------------------------

    async def test_requests_come_in_order_and_once(self) -> None:
        """`after` leaves out what was seen; nothing of a request is lost."""
        async with self.held() as held:
            pause = OperatorAsked(NOW, Ask.PAUSE, "ann", "lunch")
            retry = OperatorAsked(NOW + 1, Ask.RETRY, "bob", devices=(A,), wave="canary")
            first = await held.leave(R, pause)
            second = await held.leave(R, retry)
            device = PlannedDevice(Address("192.0.2.1"), {"site": "x"}, timezone="Europe/Paris")
            joiners = {A: Joiner(device, {"up": Probe(ProbeKind.TCP, url="tcp://192.0.2.1:80")})}
            third = await held.leave(R, OperatorAsked(NOW, Ask.JOIN, "cia", joiners=joiners))

            found = await held.store.requests(R, after=0)

            told = [(one.ask, one.who, one.why, one.devices, one.wave) for one in found]
            assert told == [
                (Ask.PAUSE, "ann", "lunch", (), None),
                (Ask.RETRY, "bob", "", (A,), "canary"),
                (Ask.JOIN, "cia", "", (), None),
            ]
            assert found[2].joiners == joiners
            assert [one.request for one in found] == [first, second, third]
            assert list(await held.store.requests(R, after=first)) == [*found[1:]]
            assert list(await held.store.requests(R, after=third)) == []

    async def test_requests_of_another_rollout_are_not_seen(self) -> None:
        """Each rollout has its own."""
        async with self.held() as held:
            await held.store.create(S, PLAN, changes(1))
            await held.leave(S, OperatorAsked(NOW, Ask.ABORT, "ann"))

            assert list(await held.store.requests(R, after=0)) == []
