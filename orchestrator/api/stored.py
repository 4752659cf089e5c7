"""Rollouts as they are stored, read into what they mean."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.api.owners import is_gone
from orchestrator.api.values import Status
from orchestrator.errors import PlanError, StoreError, UnreadableError

if TYPE_CHECKING:
    from orchestrator.engine.ports import Stored
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.machine import Rollout
    from orchestrator.store.sql import SqlStore


async def status_of(store: SqlStore, rollout_id: str) -> Status:
    """A rollout with its story, and who drives it.

    Raises:
        StoreError: there is no such rollout, or it cannot be read.
    """
    from orchestrator.rollout.story import tell

    stored = await load_stored(store, rollout_id)
    plan = plan_of(stored)
    found = restored(stored, plan)
    holder = await store.holder(rollout_id, now=time.time())
    owner = "" if is_gone(holder) else holder
    return Status(rollout_id, plan, digest_of_stored(stored), tell(found), owner, found.returnable)


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
    """The digest of its plan, as it was stored."""
    from orchestrator.plan.digest import digest_of

    return digest_of(stored.plan_json)
