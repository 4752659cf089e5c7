"""Freezing every rollout of a store at once, and letting them go on."""

from __future__ import annotations

import time
from dataclasses import replace

from orchestrator.api.moments import MOMENT_HINT, moment
from orchestrator.api.owners import person
from orchestrator.api.recording import seal_acts
from orchestrator.api.roles import require_role
from orchestrator.api.stores import open_state, state_exists
from orchestrator.api.values import Settings
from orchestrator.errors import PlanError
from orchestrator.rollout.around import FleetFreeze


async def freeze(settings: Settings, *, reason: str, until: str | None) -> FleetFreeze:
    """Lets no rollout start anything until then, or until `unfreeze`; ways back stay free.

    Args:
        settings: the operator's configuration.
        reason: why, for everybody who looks.
        until: a time with its zone, as `2026-12-27T06:00+01:00`, or a duration from now.

    Raises:
        PlanError: `until` is neither, or lies in the past.
        StoreError: the store failed.
    """
    now = time.time()
    frozen = FleetFreeze(reason, person(), now, None if until is None else _moment(until, now))
    async with open_state(settings) as store:
        await store.freeze(frozen)
        await seal_acts(settings, store)
    return frozen


async def unfreeze(settings: Settings, *, reason: str = "") -> FleetFreeze | None:
    """Ends the freeze; gives the one that was on.

    Args:
        settings: the operator's configuration.
        reason: why, for the journals of the rollouts that go on.

    Raises:
        PlanError: who asks is no operator.
        StoreError: the store failed.
    """
    require_role(settings, "unfreeze")
    found = await frozen(settings)
    if found is not None:
        async with open_state(settings) as store:
            await store.freeze(
                replace(found, lifted_at=time.time(), lifted_by=person(), lifted_why=reason)
            )
            await seal_acts(settings, store)
    return found


async def frozen(settings: Settings) -> FleetFreeze | None:
    """The freeze that is on now.

    Raises:
        StoreError: the store failed.
    """
    if not state_exists(settings):
        return None
    async with open_state(settings) as store:
        found = await store.frozen()
    return found if found is not None and found.is_on(time.time()) else None


def _moment(text: str, now: float) -> float:
    try:
        at = moment(text, now=now)
    except ValueError as error:
        raise PlanError(str(error), hint=MOMENT_HINT, code="S212") from error
    if at <= now:
        raise PlanError(f"`{text}` is over already", hint=MOMENT_HINT, code="S212")
    return at
