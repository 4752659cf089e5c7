"""Plans that wait for each other: a circle of `requires` that nothing ends by itself.

Laws:
1. In the store only rollouts that wait by now for nothing but other plans make a circle: one that
   still has devices to update may end the wait of another.
2. It is looked for when somebody looks, in the store; engines decide nothing by it.
3. Whoever waits for a plan that nobody rolls out is told that, too: nothing ends that by itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.api.stored import load_stored, plan_of, restored
from orchestrator.api.stores import open_state, state_exists
from orchestrator.api.values import Prepared, Settings
from orchestrator.plan.requires import Running, lacking
from orchestrator.rollout.states import TERMINAL_ROLLOUT, RolloutState
from orchestrator.rollout.turn import REQUIRES

if TYPE_CHECKING:
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.machine import Rollout
    from orchestrator.store.sql import SqlStore

Circle = tuple[str, ...]


async def idle_of(store: SqlStore, found: Rollout) -> tuple[str, ...]:
    """Plans that the rollout waits for and that no rollout is under way of, by name.

    Raises:
        StoreError: the store failed.
    """
    if REQUIRES not in found.ledger.waiting or found.state in TERMINAL_ROLLOUT:
        return ()
    running = await _running(store, found.ledger.rollout_id, found.plan)
    newest = {
        needed: await store.latest(needed)
        for needed in lacking(found.plan, running, found.plan.devices)
    }
    return tuple(
        name
        for name, latest in newest.items()
        if latest is None or RolloutState(latest.state) in TERMINAL_ROLLOUT
    )


async def circle_of(store: SqlStore, found: Rollout) -> Circle:
    """Plans that wait for each other, the rollout's own first; empty where there is no circle.

    Raises:
        StoreError: the store failed.
    """
    if REQUIRES not in found.ledger.waiting or found.state in TERMINAL_ROLLOUT:
        return ()
    running = await _running(store, found.ledger.rollout_id, found.plan)
    return await _circle(store, found.plan, running, (found.plan.name,))


async def circle(settings: Settings, prepared: Prepared) -> Circle:
    """The same of a plan that was not applied yet, with the rollouts that wait by now.

    Raises:
        StoreError: the store failed.
    """
    plan = prepared.resolved
    if not plan.requires or not state_exists(settings):
        return ()
    async with open_state(settings) as store:
        for needed in (requirement.plan for requirement in plan.requires):
            other = await _waiting(store, needed)
            if other is None:
                continue
            running = await _running(store, other.ledger.rollout_id, plan)
            shared = plan.devices.keys() & other.plan.devices.keys()
            if needed in lacking(plan, running, shared):
                theirs = await _running(store, other.ledger.rollout_id, other.plan)
                if way := await _circle(store, other.plan, theirs, (plan.name, needed)):
                    return way
    return ()


async def _circle(store: SqlStore, plan: ResolvedPlan, running: Running, way: Circle) -> Circle:
    """The way from the last plan of `way` back to its first one, through rollouts that wait."""
    for needed in lacking(plan, running, plan.devices):
        if needed == way[0]:
            return way
        other = None if needed in way else await _waiting(store, needed)
        if other is not None:
            theirs = await _running(store, other.ledger.rollout_id, other.plan)
            if found := await _circle(store, other.plan, theirs, (*way, needed)):
                return found
    return ()


async def _waiting(store: SqlStore, plan_name: str) -> Rollout | None:
    """The newest rollout of a plan, where it is under way and only other plans keep it waiting."""
    newest = await store.latest(plan_name)
    if newest is None:
        return None
    stored = await load_stored(store, newest.rollout_id)
    found = restored(stored, plan_of(stored))
    waits = found.state not in TERMINAL_ROLLOUT and REQUIRES in found.ledger.waiting
    return found if waits else None


async def _running(store: SqlStore, rollout_id: str, plan: ResolvedPlan) -> Running:
    plans = [requirement.plan for requirement in plan.requires]
    return (await store.around(rollout_id, plans=plans, now=time.time())).running
