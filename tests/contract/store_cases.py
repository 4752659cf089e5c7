"""What every `Store` with `Leases` must do (`engine.ports`); each implementation inherits the cases.

A subclass gives the fixture `store`, and `leave_request` where its way to leave one differs.
"""

import pytest

from orchestrator.engine.ports import Changes
from orchestrator.errors import LeaseError, StoreError
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked

PLAN = b'{"name":"web"}'


def entry(seq, **more):
    return JournalEntry(seq, 100.0 + seq, "device_state", **more)


def changes(*seqs, state="running", devices=None):
    return Changes({"state": state}, devices or {}, tuple(entry(seq) for seq in seqs))


class StoreCases:
    @pytest.fixture
    async def lease(self, store):
        """Of the rollout `r`, which has one journal entry and one device."""
        await store.create("r", PLAN, changes(1, devices={"a": {"state": "pending"}}))
        return await store.acquire("r", "me", ttl_s=10, now=0)

    async def leave_request(self, store, request):
        return await store.ask("r", request)

    async def test_what_was_created_is_loaded(self, store, lease):
        stored = await store.load("r")

        assert (stored.rollout_id, stored.plan_json, stored.last_seq) == ("r", PLAN, 1)
        assert stored.rollout == {"state": "running"}
        assert stored.devices == {"a": {"state": "pending"}}

    async def test_unknown_rollout_is_none(self, store):
        assert await store.load("r") is None

    async def test_rollout_is_created_once(self, store, lease):
        with pytest.raises(StoreError):
            await store.create("r", PLAN, changes(1))

    async def test_commit_changes_only_the_rows_it_names(self, store, lease):
        await store.commit(lease, [changes(2, state="paused", devices={"b": {"state": "queued"}})])

        stored = await store.load("r")
        assert stored.rollout == {"state": "paused"}
        assert stored.devices == {"a": {"state": "pending"}, "b": {"state": "queued"}}
        assert stored.last_seq == 2

    async def test_later_changes_of_a_batch_win(self, store, lease):
        first = changes(2, state="running", devices={"a": {"state": "queued"}})
        second = changes(3, state="halted", devices={"a": {"state": "staged"}})

        await store.commit(lease, [first, second])

        stored = await store.load("r")
        assert (stored.rollout, stored.devices) == ({"state": "halted"}, {"a": {"state": "staged"}})
        assert stored.last_seq == 3

    async def test_what_was_loaded_is_a_copy(self, store, lease):
        (await store.load("r")).devices["a"]["state"] = "failed"

        assert (await store.load("r")).devices["a"] == {"state": "pending"}

    @pytest.mark.parametrize("seq", [1, 3])
    async def test_journal_stays_without_gaps_and_repeats(self, store, lease, seq):
        with pytest.raises(StoreError):
            await store.commit(lease, [changes(seq, state="halted")])

        stored = await store.load("r")
        assert (stored.rollout, stored.last_seq) == ({"state": "running"}, 1)

    async def test_commit_to_an_unknown_rollout_is_refused(self, store):
        lease = await store.acquire("x", "me", ttl_s=10, now=0)

        with pytest.raises(StoreError):
            await store.commit(lease, [changes(1)])

    async def test_older_epoch_cannot_commit(self, store, lease):
        await store.acquire("r", "other", ttl_s=10, now=10)

        with pytest.raises(LeaseError):
            await store.commit(lease, [changes(2, state="halted")])

        stored = await store.load("r")
        assert (stored.rollout, stored.last_seq) == ({"state": "running"}, 1)

    async def test_newer_epoch_goes_on_where_the_older_one_stopped(self, store, lease):
        await store.commit(lease, [changes(2)])
        newer = await store.acquire("r", "other", ttl_s=10, now=10)

        await store.commit(newer, [changes(3)])

        assert (await store.load("r")).last_seq == 3

    async def test_lease_is_for_one_owner_until_it_has_run_out(self, store, lease):
        with pytest.raises(LeaseError):
            await store.acquire("r", "other", ttl_s=10, now=9.9)

        taken = await store.acquire("r", "other", ttl_s=10, now=10)

        assert taken.epoch > lease.epoch
        assert (taken.owner, taken.expires_at) == ("other", 20)

    async def test_same_owner_gets_a_higher_epoch(self, store, lease):
        again = await store.acquire("r", "me", ttl_s=10, now=1)

        assert again.epoch > lease.epoch
        with pytest.raises(LeaseError):
            await store.commit(lease, [changes(2)])

    async def test_renewed_lease_lasts_longer_under_the_same_epoch(self, store, lease):
        renewed = await store.renew(lease, ttl_s=10, now=8)

        assert (renewed.epoch, renewed.expires_at) == (lease.epoch, 18)
        with pytest.raises(LeaseError):
            await store.acquire("r", "other", ttl_s=10, now=17)

    async def test_lease_that_was_taken_over_cannot_be_renewed(self, store, lease):
        await store.acquire("r", "other", ttl_s=10, now=10)

        with pytest.raises(LeaseError):
            await store.renew(lease, ttl_s=10, now=11)

    async def test_lease_that_was_given_back_is_free_and_its_epoch_stays_used(self, store, lease):
        await store.release(lease)

        assert (await store.acquire("r", "other", ttl_s=10, now=1)).epoch > lease.epoch

    async def test_giving_back_a_lost_lease_takes_nothing_from_its_holder(self, store, lease):
        newer = await store.acquire("r", "other", ttl_s=10, now=10)

        await store.release(lease)
        await store.commit(newer, [changes(2)])

        assert (await store.load("r")).last_seq == 2

    async def test_requests_come_in_order_and_once(self, store, lease):
        first = await self.leave_request(store, OperatorAsked(1.0, Ask.PAUSE, "ann", "why"))
        second = await self.leave_request(
            store, OperatorAsked(2.0, Ask.RETRY, "bob", devices=("a",))
        )

        found = await store.requests("r", after=0)

        assert [(one.ask, one.who, one.why, one.devices) for one in found] == [
            (Ask.PAUSE, "ann", "why", ()),
            (Ask.RETRY, "bob", "", ("a",)),
        ]
        assert [one.request for one in found] == [first, second]
        assert list(await store.requests("r", after=first)) == [found[1]]
        assert list(await store.requests("r", after=second)) == []
