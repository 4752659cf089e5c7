"""What every `Store` with `Leases` must do: one set of cases that all stores pass.

A subclass says in `make` how an empty store comes to be and goes away, nothing else; everything
that is tested is inherited. Nothing here imports a test runner.
"""

from __future__ import annotations

from orchestrator.device.model import Address
from orchestrator.engine.ports import Lease
from orchestrator.errors import LeaseError, StoreError
from orchestrator.plan.joiners import Joiner
from orchestrator.plan.resolved import PlannedDevice, Probe, ProbeKind
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.testing.lease_contract import LeaseContract
from orchestrator.testing.neighbour_contract import NeighbourContract
from orchestrator.testing.refusal import refused
from orchestrator.testing.running_contract import RunningContract
from orchestrator.testing.store_cases import NOW, PLAN, TTL_S, A, B, R, S, changes


class StoreContract(LeaseContract, NeighbourContract, RunningContract):
    """For implementations of `Store` and `Leases`."""

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

            await self.expect_nothing_written(held)

    async def _out_of_step(self, seq: int) -> None:
        async with self.held() as held:
            await refused(held.store.commit(held.lease, [changes(seq, state="halted")]), StoreError)

            await self.expect_nothing_written(held)

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

            await self.expect_nothing_written(held)

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

            await self.expect_nothing_written(held)

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
