"""What every `Leases` must do, and what a lost lease may not."""

from __future__ import annotations

from orchestrator.errors import DrivenError, LeaseError
from orchestrator.testing.refusal import refused
from orchestrator.testing.store_cases import NOW, TTL_S, R, S, StoreCases, changes


class LeaseContract(StoreCases):
    """Who may write: one engine at a time, in the order of epochs."""

    async def test_lease_is_for_one_owner_until_it_has_run_out(self) -> None:
        """Another owner waits; then it gets a higher epoch."""
        async with self.held() as held:
            early = held.leases.acquire(R, "other", ttl_s=TTL_S, now=NOW + TTL_S - 0.1)
            await refused(early, DrivenError)

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
            await refused(early, DrivenError)

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

            await self.expect_nothing_written(held)

    async def test_giving_back_a_lost_lease_takes_nothing_from_its_holder(self) -> None:
        """Late words of an old engine do no harm."""
        async with self.held() as held:
            newer = await held.taken_over()

            await held.leases.release(held.lease)
            await held.store.commit(newer, [changes(2)])

            assert (await held.stored()).last_seq == 2  # noqa: PLR2004  the line written above
