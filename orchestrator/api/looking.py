"""Looking at stored rollouts: where they stand, why, and what happened."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from orchestrator.api.stored import (
    JOURNAL_PAGE,
    digest_of_stored,
    entries_of,
    load_stored,
    plan_of,
    restored,
    status_of,
    status_with,
)
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.values import Settings, Status, Unreadable, Why
from orchestrator.device.model import DeviceId
from orchestrator.errors import StoreError, UnreadableError
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import RolloutState

FOLLOW_S = 0.5


async def status(settings: Settings, rollout: str | None) -> Status:
    """A stored rollout.

    Raises:
        StoreError: there is none, or several begin like that.
    """
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        return await status_of(store, await rollout_id_of(store, rollout))


async def why(settings: Settings, rollout: str | None, device: str) -> Why:
    """Why one device of a stored rollout is where it is.

    Raises:
        StoreError: there is no such rollout, or the device is none of it.
    """
    from orchestrator.rollout.why import why as story_of

    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        rollout_id = await rollout_id_of(store, rollout)
        stored = await load_stored(store, rollout_id)
        found = restored(stored, plan_of(stored))
        now = time.time()
        plans = [requirement.plan for requirement in found.ledger.plan.requires]
        around = await store.around(rollout_id, plans=plans, now=now)
        if found.state is RolloutState.SCHEDULED:
            found.look_on(around, at=now)
        story = story_of(found, DeviceId(device), now=now, running=around.running)
        if story is None:
            message = f"rollout `{rollout_id}` knows no device `{device}`"
            raise StoreError(message, hint="`rollout events` names the devices of a rollout")
        lines = [entry for entry in await entries_of(store, rollout_id) if entry.device == device]
        status = await status_with(store, found, digest_of_stored(stored))
        rec = found.ledger.devices.get(DeviceId(device))
        return Why(status, story, tuple(lines), "" if rec is None else rec.txn)


async def rollouts(settings: Settings) -> tuple[Status | Unreadable, ...]:
    """All stored rollouts, newest first; one that cannot be read hides none of the others.

    Raises:
        StoreError: the store failed.
    """
    if not state_exists(settings):
        return ()
    async with open_state(settings) as store:
        found: list[Status | Unreadable] = []
        for one in await store.rollouts():
            try:
                found.append(await status_of(store, one.rollout_id))
            except UnreadableError as error:
                why = error.message
                found.append(Unreadable(one.rollout_id, one.plan_name, one.state, why))
        return tuple(found)


async def journal(
    settings: Settings, rollout: str | None, *, since: int = 0, follow: bool = False
) -> AsyncIterator[JournalEntry]:
    """Journal entries with a number above `since`; with `follow` until the rollout is over.

    Raises:
        StoreError: there is no such rollout.
    """
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        rollout_id = await rollout_id_of(store, rollout)
        while True:
            entries = await store.journal(rollout_id, after=since, limit=JOURNAL_PAGE)
            for entry in entries:
                yield entry
                since = entry.seq
            if len(entries) == JOURNAL_PAGE:
                continue
            if not follow or (entries and entries[-1].type == "rollout_done"):
                return
            await asyncio.sleep(FOLLOW_S)
