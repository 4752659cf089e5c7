"""A controller that keeps a fleet at a branch of git, and takes turns with others on its store.

Law: one controller of a store acts at a time, the one with the lease; the others stand by. What it
remembers is written under that lease, so one that was overtaken changes nothing any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from orchestrator.api.asking import take_over_from_the_dead
from orchestrator.api.follower import Follower, Means, Project
from orchestrator.api.following import Following, refuse_own_trust
from orchestrator.api.owners import owner_words, this_process
from orchestrator.api.roles import require_role
from orchestrator.api.stored import CONTROLLER_LEASE
from orchestrator.api.stores import open_state
from orchestrator.api.values import Observer, Settings
from orchestrator.errors import DrivenError, LeaseError, OrchestratorError, StoreError
from orchestrator.gitops.plans import Trouble, again
from orchestrator.gitops.record import Record
from orchestrator.gitops.standing import Part, Standing
from orchestrator.outward.failure import OutwardError

if TYPE_CHECKING:
    from orchestrator.engine.ports import Lease

LEASE_S = 15.0
STANDBY_S = 5.0  # from look to look at another one's lease


class Overseer(Protocol):
    """Who watches a controller; every method returns at once."""

    def stood(self, standing: Standing) -> None:
        """Where it stands: after every pass, and at the end."""
        ...

    def of_rollout(self) -> Observer:
        """Who is told what happens to one of its rollouts."""
        ...


async def control(
    settings: Settings,
    following: Following,
    project: Project,
    *,
    drain: asyncio.Event,
    overseer: Overseer,
    once: bool = False,
) -> Standing:
    """Follows a branch until it is drained or cancelled, or (`once`) for one pass.

    Args:
        settings: the operator's configuration, which names the store and whom to trust.
        following: the branch.
        project: gives the settings of a project in a directory, for the same operator and store.
        drain: when set, nothing new is started, and what is in flight finishes.
        overseer: told where it stands, and what happens to all rollouts.
        once: one pass, with all rollouts brought as far as they go now.

    Raises:
        PlanError: who asks is no operator.
        TrustError: the repository could choose whom to trust.
        LeaseError: with `once`, another controller has the lease.
        OrchestratorError: the repository cannot be followed at all, or the store failed.
    """
    from orchestrator.outward.git import Checkout

    require_role(settings, "apply")
    refuse_own_trust(settings, following)
    checkout = Checkout(following.checkout.resolve(), following.branch)
    try:
        source = await checkout.prepare(following.url)
    except OutwardError as error:
        raise OrchestratorError(str(error)) from error
    async with open_state(settings) as store:
        means = Means(settings, following, project, store, checkout, source, overseer.of_rollout)
        turns = _Turns(means, overseer)
        part = Part.STOPPED
        try:
            await turns.take(drain, once=once)
            while not (once or drain.is_set()):
                await turns.take(drain, once=False)
            part = Part.STOPPED if drain.is_set() else Part.DONE
        finally:
            turns.say(replace(turns.standing, part=part))
        return turns.standing


class _Turns:
    """Waits for the lease and leads with it, in turn."""

    def __init__(self, means: Means, overseer: Overseer) -> None:
        self._means, self._overseer = means, overseer
        self._trouble: Trouble | None = None  # with the store
        nothing = Record(means.source, means.following.branch)
        self.standing = Standing(time.time(), Part.STANDBY, nothing)

    def say(self, standing: Standing) -> None:
        """Tells where it stands."""
        self.standing = replace(standing, at=time.time())
        self._overseer.stood(self.standing)

    async def take(self, drain: asyncio.Event, *, once: bool) -> None:
        """Leads as long as it has the lease, or waits for it a while.

        Raises:
            LeaseError: with `once`, another one has it.
            StoreError: with `once`, the store failed.
        """
        pause_s = 0.0
        try:
            await self._lead(drain, once=once)
        except* DrivenError as found:
            other = found.exceptions[0]
            assert isinstance(other, DrivenError), "only to take the lease is to be driven"
            if once:
                raise _led(other) from None
            self.say(replace(self.standing, part=Part.STANDBY, holder=other.owner))
            pause_s = min(STANDBY_S, self._means.following.interval_s)
        except* StoreError as found:
            error = found.exceptions[0]
            assert isinstance(error, StoreError), "one group holds them"
            if once:
                raise error from None
            pause_s = self._stumble(error)
        await pause(drain, pause_s)

    async def _lead(self, drain: asyncio.Event, *, once: bool) -> None:
        store = self._means.store
        await take_over_from_the_dead(store, CONTROLLER_LEASE)
        lease = await store.acquire(
            CONTROLLER_LEASE, this_process(), ttl_s=LEASE_S, now=time.time()
        )
        try:
            async with asyncio.TaskGroup() as group:
                renewal = group.create_task(self._renew(lease), name="lease of the controller")
                follower = Follower(self._means, lease, group)
                await follower.load()
                while not drain.is_set():
                    await store.renew(lease, ttl_s=LEASE_S, now=time.time())
                    await follower.go(drain)
                    if once:
                        break
                    self._trouble = None
                    self.say(await follower.standing())
                    await pause(drain, self._means.following.interval_s)
                await follower.finish()
                self.say(await follower.standing())
                renewal.cancel()
        finally:
            with contextlib.suppress(StoreError):
                await store.release(lease)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            await self._means.store.renew(lease, ttl_s=LEASE_S, now=time.time())

    def _stumble(self, error: StoreError) -> float:
        """Tells of trouble with the store; gives how long to wait before the next turn."""
        now, interval_s = time.time(), self._means.following.interval_s
        self._trouble = again(
            self._trouble, error.message, int(error.exit_code), commit="", at=now,
            interval_s=interval_s,
        )  # fmt: skip
        self.say(replace(self.standing, part=Part.STANDBY, holder="", trouble=self._trouble))
        return self._trouble.retry_at - now


async def pause(drain: asyncio.Event, pause_s: float) -> None:
    """Waits so long, or until drained."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(drain.wait(), max(0.0, pause_s))


def _led(by: DrivenError) -> LeaseError:
    message = f"another controller follows the branch here: {owner_words(by.owner)}"
    hint = "one acts at a time; `rollout reconcile --once` without `--git` still brings rollouts on"
    return LeaseError(message, hint=hint)
