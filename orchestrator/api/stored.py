"""Rollouts as they are stored, read into what they mean."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.api.owners import is_gone
from orchestrator.api.values import Status
from orchestrator.errors import PlanError, StoreError, UnreadableError
from orchestrator.rollout.states import RolloutState

if TYPE_CHECKING:
    from orchestrator.engine.ports import Stored
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.around import Neighbour
    from orchestrator.rollout.events import JournalEntry
    from orchestrator.rollout.machine import Rollout
    from orchestrator.store.sql import SqlStore

JOURNAL_PAGE = 1000


CONTROLLER_LEASE = "gitops"  # of who follows a branch; no id of a rollout


async def status_of(store: SqlStore, rollout_id: str) -> Status:
    """A rollout with its story, and who drives it.

    Raises:
        StoreError: there is no such rollout, or it cannot be read.
    """
    stored = await load_stored(store, rollout_id)
    found = restored(stored, plan_of(stored))
    if found.state is RolloutState.SCHEDULED:
        await _look_on(store, found)
    return await status_with(store, found, digest_of_stored(stored))


async def status_with(store: SqlStore, found: Rollout, digest: str) -> Status:
    """The status of a rollout that is at hand as it is stored; `digest` is its plan's.

    Raises:
        StoreError: the store failed.
    """
    from orchestrator.api.circles import circle_of, idle_of
    from orchestrator.plan.requires import circle_words
    from orchestrator.rollout.story import tell

    rollout_id = found.ledger.rollout_id
    engine = await engine_of(store, rollout_id)
    controller = "" if engine else await engine_of(store, CONTROLLER_LEASE)
    frozen, now = await store.frozen(), time.time()
    if frozen is not None and not frozen.is_on(now):
        frozen = None
    story = tell(found, now=now)
    if plans := await circle_of(store, found):
        story = replace(story, held_up=(*story.held_up, f"itself: {circle_words(plans)}"))
    for name in await idle_of(store, found):
        nobody = f"a rollout of plan `{name}`, of which none is under way"
        story = replace(story, held_up=(*story.held_up, nobody))
    return Status(
        rollout_id, found.plan, digest, story, engine, now, found.returnable, frozen, controller
    )


async def _look_on(store: SqlStore, found: Rollout) -> None:
    """Who waits for others, and is perhaps driven by nobody, may not know what became of them."""
    now, plans = time.time(), [requirement.plan for requirement in found.plan.requires]
    found.look_on(await store.around(found.ledger.rollout_id, plans=plans, now=now), at=now)


async def engine_of(store: SqlStore, rollout_id: str) -> str:
    """Who drives a rollout now; empty for nobody.

    Raises:
        StoreError: the store failed.
    """
    holder = await store.holder(rollout_id, now=time.time())
    return "" if is_gone(holder) else holder


async def entries_of(
    store: SqlStore, rollout_id: str, *, after: int = 0
) -> tuple[JournalEntry, ...]:
    """All entries of a journal above a number, read in pages.

    Raises:
        StoreError: the store failed.
    """
    entries: list[JournalEntry] = []
    while True:
        page = await store.journal(rollout_id, after=after, limit=JOURNAL_PAGE)
        entries.extend(page)
        if len(page) < JOURNAL_PAGE:
            return tuple(entries)
        after = page[-1].seq


def under_another(other: Neighbour) -> PlanError:
    """A finished rollout cannot go back beside another one on its devices."""
    more = f" and {other.shared - 1} more" if other.shared > 1 else ""
    message = f"rollout `{other.rollout_id}` is under way on `{other.device}`{more}"
    run = other.rollout_id
    hint = f"end it first: `rollout rollback {run}` or `rollout abort {run}`"
    return PlanError(message, hint=hint, code="S206")


async def load_stored(store: SqlStore, rollout_id: str) -> Stored:
    """The rows of a rollout.

    Raises:
        StoreError: there is no such rollout.
    """
    stored = await store.load(rollout_id)
    if stored is None:
        message = f"there is no rollout `{rollout_id}`"
        raise StoreError(message, hint="`rollout status --all` lists them")
    return stored


def plan_of(stored: Stored) -> ResolvedPlan:
    """The plan that it runs, with the devices that joined.

    Raises:
        UnreadableError: another version wrote it.
    """
    from orchestrator.plan.digest import from_json
    from orchestrator.rollout.codec import plan_of_rows

    try:
        return plan_of_rows(from_json(stored.plan_json, file=stored.rollout_id), stored.devices)
    except PlanError as error:
        raise unreadable(stored, error.message) from error
    except (ValueError, LookupError, TypeError) as error:
        raise unreadable(stored, str(error)) from error


def restored(stored: Stored, plan: ResolvedPlan) -> Rollout:
    """The rollout of the rows; for looking at and judging.

    Raises:
        UnreadableError: another version wrote them.
    """
    from orchestrator.rollout.machine import Rollout

    try:
        return Rollout.restore(plan, stored.rollout_id, stored.rollout, stored.devices)
    except (ValueError, LookupError, TypeError) as error:
        raise unreadable(stored, str(error)) from error


def unreadable(stored: Stored, why: str) -> UnreadableError:
    """The error of a rollout that another version wrote."""
    message = f"rollout `{stored.rollout_id}` cannot be read: {why}"
    return UnreadableError(message, hint="use the version of `rollout` that wrote it")


def digest_of_stored(stored: Stored) -> str:
    """The digest that its plan is known and approved by; older rows have that of its bytes."""
    from orchestrator.plan.digest import digest_of

    return str(stored.rollout.get("plan_digest") or digest_of(stored.plan_json))
