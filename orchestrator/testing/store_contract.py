"""What every `Store` with `Leases` must do: one set of cases that all stores pass.

A subclass says in `make` how an empty store comes to be and goes away, nothing else; everything
that is tested is inherited. Nothing here imports a test runner.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from orchestrator.device.model import Address, DeviceId
from orchestrator.engine.ports import Changes, Lease, Leases, Row, Store, Stored
from orchestrator.errors import ClaimedError, LeaseError, StoreError
from orchestrator.plan.joiners import Joiner
from orchestrator.plan.resolved import COMPONENT_DEFAULT, PlannedDevice, Probe, ProbeKind
from orchestrator.rollout.around import Neighbour
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked
from orchestrator.rollout.held import Held
from orchestrator.testing.refusal import refused

R, S = "r-contract", "r-other"  # rollouts
A, B, C, D = (DeviceId(f"dev-000{number}") for number in range(1, 5))
PLAN = b'{"name":"contract"}'
SAME = b'{"name":"contract","artifact":{"sha256":"aa"}}'
OTHER = b'{"name":"contract","artifact":{"sha256":"bb"}}'
HIGH = b'{"name":"urgent","priority":900}'
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


def rows(*devices: DeviceId) -> dict[DeviceId, Row]:
    """Rows of devices that wait."""
    return {device: {"state": "pending"} for device in devices}


def scheduled(*devices: DeviceId, state: str = "scheduled", waiting: bool = False) -> Changes:
    """A rollout that has not begun; `waiting`: for its turn."""
    row: Row = {"state": state, "waiting": {"rollout": "another"} if waiting else {}}
    return replace(changes(1, devices=rows(*devices)), rollout=row)


def of(plan: str, release: str, component: str = COMPONENT_DEFAULT) -> bytes:
    """A plan in its canonical form, as far as a store reads it."""
    return json.dumps({"name": plan, "release": release, "component": component}).encode()


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

    # --- other rollouts ----------------------------------------------------------------------

    async def test_rollout_that_works_on_shared_devices_goes_first(self) -> None:
        """It is named with the devices that both want."""
        async with self.make() as case:
            await case.store.create(R, PLAN, scheduled(A, B))
            await case.store.create(S, HIGH, changes(1, devices=rows(B, C)))
            await case.leases.acquire(S, "me", ttl_s=TTL_S, now=NOW)

            found = await case.store.around(R, plans=(), now=NOW)
            later = await case.store.around(R, plans=(), now=NOW + TTL_S)

            first = Neighbour(S, "urgent", 900, begun=True, driven=True, shared=1, device=B)
            assert found.busy == (first,)
            assert not later.busy[0].driven

    async def test_rollouts_that_share_nothing_or_are_over_are_not_in_the_way(self) -> None:
        """Neither are those that have not begun."""
        async with self.make() as case:
            await case.store.create(R, PLAN, scheduled(A))
            await case.store.create(S, PLAN, changes(1, devices=rows(B)))
            await case.store.create("r-3", PLAN, changes(1, state="succeeded", devices=rows(A)))
            await case.store.create("r-4", PLAN, scheduled(A))
            await case.store.create("r-5", PLAN, scheduled(A, state="awaiting_approval"))

            assert (await case.store.around(R, plans=(), now=NOW)).busy == ()

    async def test_rollout_of_another_component_is_not_in_the_way(self) -> None:
        """A device is claimed for each of its components apart."""
        async with self.make() as case:
            await case.store.create(R, of("app", "1"), scheduled(A))
            await case.store.create(S, of("modem", "1", "modem"), changes(1, devices=rows(A)))

            assert (await case.store.around(R, plans=(), now=NOW)).busy == ()

    async def test_of_those_that_wait_the_higher_priority_goes_first(self) -> None:
        """One in front of the other, and not the other way round."""
        async with self.make() as case:
            await case.store.create(R, PLAN, scheduled(A, waiting=True))
            await case.store.create(S, HIGH, scheduled(A, waiting=True))

            low = await case.store.around(R, plans=(), now=NOW)
            high = await case.store.around(S, plans=(), now=NOW)

            assert [one.rollout_id for one in low.busy] == [S]
            assert not low.busy[0].begun
            assert high.busy == ()

    async def test_older_ones_that_have_not_begun_are_known_beside_those_that_go_first(
        self,
    ) -> None:
        """Whatever they wait for; younger ones are not."""
        async with self.make() as case:
            ids = ("r-1", "r-2", "r-3", "r-4", "r-5")
            states = ("scheduled", "awaiting_approval", "scheduled", "expired", "scheduled")
            for rollout, state in zip(ids, states, strict=True):
                await case.store.create(rollout, PLAN, scheduled(A, state=state))
            await case.store.create("r-0", PLAN, scheduled(B))

            found = await case.store.around("r-3", plans=(), now=NOW)

            assert [one.rollout_id for one in found.older] == ["r-1", "r-2"]
            assert not any(one.begun for one in found.older)
            assert found.busy == ()

    async def test_of_two_that_begin_one_does(self) -> None:
        """The other writes nothing, until the first is over."""
        async with self.make() as case:
            for rollout in (R, S):
                await case.store.create(rollout, PLAN, scheduled(A, B))
            one = await case.leases.acquire(R, "me", ttl_s=TTL_S, now=NOW)
            other = await case.leases.acquire(S, "you", ttl_s=TTL_S, now=NOW)
            await case.store.commit(one, [replace(changes(2), claims=True)])

            for state in ("running", "paused", "halted", "rolling_back"):
                seq = 3 + ("running", "paused", "halted", "rolling_back").index(state)
                await case.store.commit(one, [changes(seq, state=state)])
                begin = replace(changes(2), claims=True)
                await refused(case.store.commit(other, [begin]), ClaimedError)
            stored = await case.store.load(S)
            assert stored is not None
            assert (stored.rollout["state"], stored.last_seq) == ("scheduled", 1)

            await case.store.commit(one, [changes(7, state="rolled_back")])
            await case.store.commit(other, [replace(changes(2), claims=True)])

    async def test_finished_rollout_is_taken_up_again_only_alone(self) -> None:
        """Its way back is a claim like any other."""
        async with self.make() as case:
            await case.store.create(R, PLAN, changes(1, state="succeeded", devices=rows(A)))
            await case.store.create(S, PLAN, changes(1, devices=rows(A)))
            lease = await case.leases.acquire(R, "me", ttl_s=TTL_S, now=NOW)
            back = replace(changes(2, state="rolling_back"), claims=True)

            await refused(case.store.commit(lease, [back]), ClaimedError)

    async def test_request_to_another_rollout_is_written_with_the_changes(self) -> None:
        """Both or none."""
        async with self.held() as held:
            await held.store.create(S, PLAN, changes(1))
            asked = OperatorAsked(NOW, Ask.SUPERSEDE, "rollout r-contract", "newer")

            await held.store.commit(held.lease, [replace(changes(2), asks=((S, asked),))])
            found = await held.store.requests(S, after=0)
            gap = replace(changes(9), asks=((S, asked),))
            await refused(held.store.commit(held.lease, [gap]), StoreError)

            assert [(one.ask, one.who, one.why) for one in found] == [
                (Ask.SUPERSEDE, "rollout r-contract", "newer")
            ]
            assert len(await held.store.requests(S, after=0)) == 1

    async def test_device_that_another_rollout_holds_is_known_while_it_is_in_question(self) -> None:
        """From its artifact; from every one where it could not go back."""
        async with self.make() as case:
            await case.store.create(R, SAME, scheduled(A, B, C))
            await case.store.create(S, SAME, changes(1, devices=rows(A, B)))
            await case.store.create("r-3", OTHER, changes(1, devices=rows(B, C)))
            failed: Row = {"state": "failed", "reason": "check_failed", "since": NOW}
            stuck: Row = {"state": "rollback_failed", "since": NOW}
            for rollout, ends in ((S, {A: failed}), ("r-3", {B: failed, C: stuck})):
                lease = await case.leases.acquire(rollout, "me", ttl_s=TTL_S, now=NOW)
                await case.store.commit(lease, [changes(2, devices=ends)])

            waiting = await case.store.around(R, plans=(), now=NOW)
            own = await case.store.around(S, plans=(), now=NOW)
            lease = await case.leases.acquire(S, "me", ttl_s=TTL_S, now=NOW)
            await case.store.commit(lease, [changes(3, devices={A: {"state": "queued"}})])
            retried = await case.store.around(R, plans=(), now=NOW)

            quarantined = Held(C, NOW, "rollback failed", "r-3", True)
            assert waiting.held == {
                A: Held(A, NOW, "failed (check_failed)", S, False),
                C: quarantined,
            }
            assert own.held == {}
            assert retried.held == {C: quarantined}

    # --- other plans -------------------------------------------------------------------------

    async def test_release_that_a_device_was_last_proven_to_run(self) -> None:
        """By the order in which rollouts began; a way back leaves what ran before."""
        async with self.make() as case:
            await case.store.create("r-9", PLAN, scheduled(A, B, C))
            await self._ran(
                case, "r-1", of("base", "7.0"), 10.0, {A: "succeeded", B: "unchanged", C: "failed"}
            )
            await self._ran(case, "r-3", of("base", "7.2"), 30.0, {A: "rolled_back", B: "failed"})
            await self._ran(case, "r-2", of("base", "7.1"), 20.0, {A: "succeeded", B: "queued"})

            found = await case.store.around("r-9", plans=("base", "none"), now=NOW)

            assert found.running.get("base") == {A: "7.1", B: "7.0"}
            assert not found.running.get("none")

    async def test_device_of_unknown_outcome_runs_nothing_that_is_known(self) -> None:
        """Lost, could not go back, or at work: no evidence is never success."""
        async with self.make() as case:
            await case.store.create("r-9", PLAN, scheduled(A, B, C))
            good = {A: "succeeded", B: "succeeded", C: "succeeded"}
            await self._ran(case, "r-1", of("base", "7.0"), 10.0, good)
            bad = {A: "lost", B: "rollback_failed", C: "verifying"}
            await self._ran(case, "r-2", of("base", "7.1"), 20.0, bad)

            before = await case.store.around("r-9", plans=("base",), now=NOW)

            assert before.running == {"base": {}}

    async def test_release_that_another_plan_replaced_does_not_run(self) -> None:
        """Of the same component; until that other one was taken back, or where it changed nothing."""
        async with self.make() as case:
            await case.store.create("r-9", PLAN, scheduled(A, B, C, D))
            good = dict.fromkeys((A, B, C, D), "succeeded")
            await self._ran(case, "r-1", of("base", "7.3"), 10.0, good)
            fix = {A: "succeeded", B: "rolled_back", C: "unchanged", D: "verifying"}
            await self._ran(case, "r-2", of("hotfix", "1"), 20.0, fix)
            await self._ran(case, "r-3", of("modem", "2", "radio"), 30.0, good)

            found = await case.store.around("r-9", plans=("base", "hotfix"), now=NOW)

            assert found.running == {"base": {B: "7.3", C: "7.3"}, "hotfix": {A: "1", C: "1"}}

    async def test_what_devices_run_is_seen_as_it_changes(self) -> None:
        """Looks see each commit."""
        async with self.make() as case:
            await case.store.create("r-9", PLAN, scheduled(A))
            await self._ran(case, "r-1", of("base", "7.0"), 10.0, {A: "verifying"})
            before = await case.store.around("r-9", plans=("base",), now=NOW)
            lease = await case.leases.acquire("r-1", "me", ttl_s=TTL_S, now=NOW)
            row: Row = {"state": "running", "begun_at": 10.0}
            proven = replace(changes(2, devices={A: {"state": "succeeded"}}), rollout=row)

            await case.store.commit(lease, [proven])

            after = await case.store.around("r-9", plans=("base",), now=NOW)
            assert not before.running.get("base")
            assert after.running == {"base": {A: "7.0"}}

    async def _ran(
        self,
        case: StoreCase,
        rollout_id: str,
        plan: bytes,
        begun_at: float,
        states: Mapping[DeviceId, str],
    ) -> None:
        devices: dict[DeviceId, Row] = {
            device: {"state": state, **({"moved": True} if state == "verifying" else {})}
            for device, state in states.items()
        }
        row: Row = {"state": "succeeded", "begun_at": begun_at}
        await case.store.create(rollout_id, plan, replace(changes(1, devices=devices), rollout=row))
