from dataclasses import replace

import pytest

from orchestrator.device.reason import FailureClass
from orchestrator.engine.ports import Changes, Lease, Leases, Store
from orchestrator.errors import LeaseError, StoreError
from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked, TakeBack
from orchestrator.rollout.states import TERMINAL_ROLLOUT
from orchestrator.store.sql import LeaseClock, SqlStore, open_store
from tests.unit.store.samples import PLAN, changes, entry


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request):
    """Each test here runs on both databases."""
    url = request.getfixturevalue("path" if request.param == "sqlite" else "postgres_url")
    store = await open_store(str(url), lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


def as_ports(store: SqlStore) -> tuple[Store, Leases]:
    """mypy checks here that the store has the ports' shape."""
    return store, store


class TestCreate:
    async def test_created_rollout_is_loaded_as_it_was_given(self, store):
        rows = {"dev-1": {"state": "pending", "n": 1}, "dev-2": {"state": "pending"}}

        await store.create("r-1", PLAN, changes(entry(1), entry(2), devices=rows, k=[1, None]))

        loaded = await store.load("r-1")
        assert loaded.rollout_id == "r-1"
        assert loaded.plan_json == PLAN
        assert loaded.rollout == {"state": "running", "k": [1, None]}
        assert loaded.devices == rows
        assert loaded.last_seq == 2

    async def test_unknown_rollout_loads_as_none(self, store):
        assert await store.load("r-1") is None

    async def test_second_of_the_same_id_is_refused(self, store, rollout):
        with pytest.raises(StoreError, match="`r-1` exists already"):
            await store.create("r-1", PLAN, changes(entry(1)))

    async def test_journal_that_does_not_begin_at_one_is_refused_whole(self, store):
        with pytest.raises(StoreError, match="would go on with 2 after 0"):
            await store.create("r-1", PLAN, changes(entry(2)))

        assert await store.load("r-1") is None

    async def test_start_joins_a_rollout_of_the_same_inputs_under_way(self, store):
        first = await store.start("r-1", PLAN, changes(entry(1)))
        second = await store.start("r-2", PLAN, changes(entry(1)))

        assert (first, second) == ("r-1", "r-1")
        assert await store.load("r-2") is None

    async def test_start_makes_a_new_rollout_when_the_last_one_is_over(self, store):
        await store.start("r-1", PLAN, changes(entry(1), state="succeeded"))

        assert await store.start("r-2", PLAN, changes(entry(1))) == "r-2"


class TestCommit:
    async def test_snapshot_and_journal_change_together(self, store, rollout):
        rows = {"dev-1": {"state": "installing", "txn": "t1"}}
        told = entry(2, wave="canary", device="dev-1", data={"to": "installing", "list": ["a", 1]})

        await store.commit(rollout, [changes(told, state="paused", devices=rows)])

        loaded = await store.load("r-1")
        assert loaded.rollout == {"state": "paused"}
        assert loaded.devices == rows
        assert loaded.last_seq == 2
        assert (await store.journal("r-1"))[-1] == told

    async def test_last_row_of_a_device_in_a_batch_wins(self, store, rollout):
        batch = [
            changes(entry(2), devices={"dev-1": {"state": "queued"}}),
            changes(entry(3), devices={"dev-1": {"state": "staged"}}),
        ]

        await store.commit(rollout, batch)

        assert await store.device_rows("r-1") == {"dev-1": {"state": "staged"}}

    async def test_changes_without_journal_entries_are_written(self, store, rollout):
        await store.commit(rollout, [changes(state="halted")])

        loaded = await store.load("r-1")
        assert (loaded.rollout["state"], loaded.last_seq) == ("halted", 1)

    async def test_empty_batch_only_checks_the_lease(self, store, rollout):
        await store.commit(rollout, [])
        await store.acquire("r-1", "me", ttl_s=15, now=0)

        with pytest.raises(LeaseError):
            await store.commit(rollout, [])

    @pytest.mark.parametrize("seqs", [[1], [3], [2, 4], [2, 2], [3, 2]])
    async def test_journal_with_a_gap_is_refused_and_nothing_is_written(self, store, rollout, seqs):
        rows = {"dev-1": {"state": "installing"}}

        with pytest.raises(StoreError, match="would go on with"):
            await store.commit(rollout, [changes(*map(entry, seqs), devices=rows, state="halted")])

        loaded = await store.load("r-1")
        assert (loaded.rollout["state"], loaded.devices, loaded.last_seq) == ("running", {}, 1)

    async def test_rollout_that_was_never_created_is_refused(self, store):
        lease = await store.acquire("r-9", "me", ttl_s=15, now=0)

        with pytest.raises(StoreError, match="no rollout `r-9`"):
            await store.commit(lease, [changes(entry(1))])

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {"x": {1}}])
    async def test_row_that_is_no_json_is_refused_and_nothing_is_written(
        self, store, rollout, value
    ):
        with pytest.raises(StoreError, match="cannot be stored"):
            await store.commit(rollout, [changes(entry(2), odd=value)])

        assert (await store.load("r-1")).last_seq == 1

    async def test_row_without_a_state_is_refused(self, store, rollout):
        with pytest.raises(StoreError, match="without a `state`"):
            await store.commit(rollout, [Changes({"n": 1}, {}, [])])

    async def test_hostile_text_of_a_device_comes_back_as_it_was(self, store, rollout):
        text = "\x00 \x1b[2J \u202e \ud800 '); DROP TABLE journal; -- \U0001f4a5 \\u0041 %s :x"
        data = {"detail": text}
        rows = {"dev-1": {"state": "failed", "detail": text}}

        await store.commit(rollout, [changes(entry(2, data=data), devices=rows)])

        assert (await store.journal("r-1"))[-1].data == data
        assert await store.device_rows("r-1") == rows

    async def test_exit_code_and_times_stand_in_the_summary(self, store, rollout):
        await store.commit(rollout, [changes(entry(2), state="rolled_back", exit_code=5)])

        summary = await store.summary("r-1")
        assert (summary.state, summary.exit_code) == ("rolled_back", 5)
        assert (summary.created_at, summary.updated_at, summary.last_seq) == (1001.0, 1002.0, 2)


class TestLease:
    async def test_epoch_rises_with_each_owner(self, store):
        first = await store.acquire("r-1", "a", ttl_s=15, now=100)
        second = await store.acquire("r-1", "b", ttl_s=15, now=115)

        assert first == Lease("r-1", "a", 1, 115)
        assert second == Lease("r-1", "b", 2, 130)

    async def test_lease_of_another_owner_that_has_not_run_out_is_refused(self, store):
        await store.acquire("r-1", "a@host", ttl_s=15, now=100)

        with pytest.raises(LeaseError, match="driven by `a@host`") as caught:
            await store.acquire("r-1", "b", ttl_s=15, now=114.9)

        assert caught.value.exit_code == 8
        assert "ends in 0 s" in caught.value.hint

    async def test_same_owner_takes_it_again_with_a_new_epoch(self, store):
        await store.acquire("r-1", "a", ttl_s=15, now=100)

        assert (await store.acquire("r-1", "a", ttl_s=15, now=101)).epoch == 2

    async def test_stale_epoch_cannot_commit(self, store, rollout):
        await store.acquire("r-1", "other", ttl_s=15, now=15)

        with pytest.raises(LeaseError, match=r"epoch 1\) is lost: it is held by `other`"):
            await store.commit(rollout, [changes(entry(2), state="halted")])

        loaded = await store.load("r-1")
        assert (loaded.rollout["state"], loaded.last_seq) == ("running", 1)

    async def test_stale_epoch_cannot_renew_or_release(self, store, rollout):
        newer = await store.acquire("r-1", "other", ttl_s=15, now=15)

        with pytest.raises(LeaseError):
            await store.renew(rollout, ttl_s=15, now=16)
        await store.release(rollout)

        assert await store.lease_of("r-1") == newer

    async def test_lease_that_ran_out_but_was_not_taken_is_renewed(self, store, rollout):
        renewed = await store.renew(rollout, ttl_s=15, now=100)

        assert renewed == Lease("r-1", "me", 1, 115)
        assert await store.lease_of("r-1") == renewed

    async def test_released_lease_is_free_at_once_and_its_epoch_stays_used(self, store, rollout):
        await store.release(rollout)

        assert await store.lease_of("r-1") is None
        with pytest.raises(LeaseError, match="not held by anyone"):
            await store.commit(rollout, [changes(entry(2))])
        assert (await store.acquire("r-1", "other", ttl_s=15, now=1)).epoch == 2

    async def test_leases_of_different_rollouts_are_held_beside_each_other(self, store):
        first = await store.acquire("r-1", "a", ttl_s=15, now=0)
        second = await store.acquire("r-2", "b", ttl_s=15, now=0)

        assert await store.lease_of("r-1") == first
        assert await store.lease_of("r-2") == second

    async def test_epochs_rise_over_all_rollouts_since_devices_keep_one_per_controller(self, store):
        first = await store.acquire("r-1", "a", ttl_s=15, now=0)
        again = await store.acquire("r-1", "a", ttl_s=15, now=0)
        later = await store.acquire("r-2", "a", ttl_s=15, now=0)

        assert [first.epoch, again.epoch, later.epoch] == [1, 2, 3]

    async def test_nobody_holds_a_lease_that_was_never_taken(self, store):
        assert await store.lease_of("r-1") is None


class TestRequests:
    async def test_requests_come_back_in_order_with_their_numbers(self, store, rollout):
        full = OperatorAsked(
            5.5, Ask.RETRY, "ann", "again", 0, True, devices=("dev-1",), wave="canary"
        )
        first = await store.ask("r-1", OperatorAsked(1.0, Ask.PAUSE, "bob"))
        second = await store.ask("r-1", full)

        assert await store.requests("r-1", after=0) == (
            OperatorAsked(1.0, Ask.PAUSE, "bob", request=first),
            OperatorAsked(
                5.5, Ask.RETRY, "ann", "again", second, True, devices=("dev-1",), wave="canary"
            ),
        )
        assert [r.request for r in await store.requests("r-1", after=first)] == [second]

    async def test_every_choice_of_a_request_comes_back(self, store, rollout):
        asked = [
            OperatorAsked(1.0, Ask.RETRY, "ann", only=FailureClass.CONNECT),
            OperatorAsked(1.0, Ask.ABORT, "ann", take_back=TakeBack.WAVE),
            OperatorAsked(1.0, Ask.PROMOTE, "ann", full=True),
            OperatorAsked(1.0, Ask.APPROVE, "ann", digest="d" * 64, roles=("ops", "night")),
        ]
        numbers = [await store.ask("r-1", one) for one in asked]

        found = await store.requests("r-1", after=0)

        pairs = zip(asked, numbers, strict=True)
        assert found == tuple(replace(one, request=number) for one, number in pairs)

    async def test_requests_of_other_rollouts_are_not_seen(self, store, rollout):
        await store.create("r-2", PLAN, changes(entry(1)))
        await store.ask("r-2", OperatorAsked(1.0, Ask.ABORT, "bob"))

        assert await store.requests("r-1", after=0) == ()

    async def test_request_to_an_unknown_rollout_is_refused(self, store):
        with pytest.raises(StoreError, match="no rollout `r-9`"):
            await store.ask("r-9", OperatorAsked(1.0, Ask.ABORT, "bob"))


class TestQueries:
    async def make(self, store, rollout_id, *, at, name="web", state="running"):
        plan = PLAN.replace(b'"web"', f'"{name}"'.encode())
        started = JournalEntry(1, at, "rollout_started")
        await store.create(rollout_id, plan, Changes({"state": state}, {}, [started]))

    async def test_newest_rollouts_come_first(self, store):
        for number in range(4):
            await self.make(store, f"r-{number}", at=float(number))

        assert [s.rollout_id for s in await store.rollouts(3)] == ["r-3", "r-2", "r-1"]

    async def test_latest_of_a_plan_and_of_all(self, store):
        await self.make(store, "r-1", at=1, name="web")
        await self.make(store, "r-2", at=2, name="db")

        assert (await store.latest()).rollout_id == "r-2"
        assert (await store.latest("web")).rollout_id == "r-1"
        assert await store.latest("none") is None

    async def test_rollout_under_way_is_found_by_its_inputs(self, store):
        inputs = ("9" * 64, "1" * 64, "a" * 64)
        await self.make(store, "r-1", at=1, state="halted")

        assert await store.find_active(*inputs) == "r-1"
        assert await store.find_active("9" * 64, "2" * 64, "a" * 64) is None

    @pytest.mark.parametrize("state", sorted(TERMINAL_ROLLOUT))
    async def test_rollout_that_is_over_is_not_joined(self, store, state):
        await self.make(store, "r-1", at=1, state=state)

        assert await store.find_active("9" * 64, "1" * 64, "a" * 64) is None

    async def test_journal_is_read_in_pages(self, store, rollout):
        await store.commit(rollout, [changes(*map(entry, range(2, 12)))])

        first = await store.journal("r-1", limit=4)
        rest = await store.journal("r-1", after=4)

        assert [e.seq for e in [*first, *rest]] == list(range(1, 12))
        assert len(first) == 4

    async def test_id_is_found_by_a_beginning_that_is_unique(self, store):
        for rollout_id in ("20260101-aaaa", "20260101-bbbb", "2026%"):
            await self.make(store, rollout_id, at=1)

        assert await store.resolve_id("20260101-a") == "20260101-aaaa"
        assert await store.resolve_id("2026%") == "2026%"
        with pytest.raises(StoreError, match="several rollouts") as caught:
            await store.resolve_id("20260101")
        assert "20260101-aaaa, 20260101-bbbb" in caught.value.hint
        with pytest.raises(StoreError, match="no rollout `x`"):
            await store.resolve_id("x")

    async def test_id_that_begins_another_is_itself(self, store):
        await self.make(store, "r-1", at=1)
        await self.make(store, "r-10", at=2)

        assert await store.resolve_id("r-1") == "r-1"


async def test_controller_id_is_made_once(path):
    first = await open_store(str(path))
    await first.close()
    second = await open_store(f"sqlite:///{path}")
    await second.close()

    assert first.controller_id() == second.controller_id()
    assert len(first.controller_id()) == 16


async def test_closed_store_refuses(store):
    await store.close()
    await store.close()

    with pytest.raises(StoreError, match="is closed"):
        await store.rollouts()


async def test_what_the_store_itself_writes_is_seen_at_once(store, rollout):
    begun = changes(entry(2), begun_at=1.0)
    await store.commit(rollout, [begun])
    for _ in range(2):
        assert await store.requests("r-1", after=0) == ()
        assert (await store.around("r-1", plans=(), now=0.0)).frozen is None
    frozen = FleetFreeze("incident", "ann", 1.0)

    await store.ask("r-1", OperatorAsked(5.0, Ask.PAUSE, "ann"))
    await store.freeze(frozen)

    assert [one.who for one in await store.requests("r-1", after=0)] == ["ann"]
    assert (await store.around("r-1", plans=(), now=0.0)).frozen == frozen
