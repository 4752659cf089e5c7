"""What every `Store` must tell of other rollouts, and how those that want the same devices share them."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.engine.ports import Row
from orchestrator.errors import ClaimedError, StoreError
from orchestrator.rollout.around import Neighbour
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.held import Held
from orchestrator.testing.refusal import refused
from orchestrator.testing.store_cases import (
    NOW,
    PLAN,
    TTL_S,
    A,
    B,
    C,
    R,
    S,
    StoreCases,
    changes,
    of,
    rows,
    scheduled,
)

SAME = b'{"name":"contract","artifact":{"sha256":"aa"}}'
OTHER = b'{"name":"contract","artifact":{"sha256":"bb"}}'
HIGH = b'{"name":"urgent","priority":900}'


class NeighbourContract(StoreCases):
    """Rollouts beside each other on one store."""

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
