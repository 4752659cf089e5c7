"""Advancing every rollout that waits for time or approvals, without staying for it: cron and CI.

Laws:
1. A rollout that waits for a person is driven too: devices in flight come to their end, and while
   it is paused its background gates are asked (R9). It says nothing here while it still waits for them
   afterwards: who has to decide was told when it stopped.
2. A rollout that another engine drives is no error, and nothing is done to it.
3. Trouble with one rollout keeps none of the others from going on.
4. Hooks are told what is still due, of rollouts that are over as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.api.driving import drive
from orchestrator.api.hooks import tell_due
from orchestrator.api.stored import status_of
from orchestrator.api.stores import open_state, state_exists
from orchestrator.api.values import Nobody, Observer, Reconciled, Settings, Status, Stay
from orchestrator.errors import ExitCode, LeaseError, OrchestratorError
from orchestrator.rollout.states import PASSING, RolloutState

if TYPE_CHECKING:
    from orchestrator.store.sql import SqlStore

PARALLEL_DEFAULT = 4


async def reconcile(
    settings: Settings,
    *,
    drain: asyncio.Event,
    parallel: int = PARALLEL_DEFAULT,
    observe: Callable[[], Observer] = Nobody,
) -> tuple[Reconciled, ...]:
    """Advances each waiting rollout as far as it goes now; oldest first.

    Args:
        settings: the operator's configuration.
        drain: when set, nothing new is started, and what is in flight finishes.
        parallel: so many rollouts at once.
        observe: makes who is told what happens, for each of them.

    Raises:
        StoreError: the store cannot be read.
    """
    if not state_exists(settings):
        return ()
    async with open_state(settings) as store:
        ids = list(reversed(await store.under_way()))
        turns = asyncio.Semaphore(parallel)

        async def one(rollout_id: str) -> Reconciled | None:
            async with turns:
                if drain.is_set():
                    return None
                return await advance(settings, store, rollout_id, drain, observe())

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(rollout_id)) for rollout_id in ids]
    await tell_due(settings)
    return tuple(done for task in tasks if (done := task.result()) is not None)


async def advance(
    settings: Settings, store: SqlStore, rollout_id: str, drain: asyncio.Event, observer: Observer
) -> Reconciled | None:
    """One rollout; None where a person still has to decide as before."""
    name = state = ""
    try:
        found = await status_of(store, rollout_id)
        name, state = found.resolved.name, found.story.state.value
        if found.engine:
            return _elsewhere(found, found.engine)
        if found.story.state is RolloutState.HALTED and not found.story.at_work:
            return None
        finished = await drive(
            settings, rollout_id, observer=observer, drain=drain, stay=Stay.NOTHING
        )
    except LeaseError:
        return Reconciled(rollout_id, name, state, (), ExitCode.DONE, engine="another engine")
    except OrchestratorError as error:
        return Reconciled(rollout_id, name, state, (), error.exit_code, error=error.message)
    story = finished.status.story
    stays = story.state is found.story.state
    waits = _waits_for_a_person(found) and _waits_for_a_person(finished.status)
    if stays and waits and not finished.unsealed:
        return None
    return Reconciled(
        rollout_id,
        name,
        story.state.value,
        story.waits_for,
        finished.exit_code,
        unsealed=finished.unsealed,
        until=story.until,
    )


def _elsewhere(found: Status, engine: str) -> Reconciled:
    story = found.story
    return Reconciled(
        found.rollout_id,
        found.resolved.name,
        story.state.value,
        story.waits_for,
        ExitCode.DONE,
        engine=engine,
        until=story.until,
    )


def _waits_for_a_person(found: Status) -> bool:
    """Whether only a person can bring it on."""
    story = found.story
    if story.state is RolloutState.PAUSED:
        return not PASSING.issuperset(stop.cause.value for stop in story.stops)
    return story.state is RolloutState.HALTED
