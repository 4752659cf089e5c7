"""Hooks: who is told of a rollout, and what of other rollouts is still due."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from orchestrator.api.owners import is_gone
from orchestrator.api.stored import load_stored, plan_of
from orchestrator.api.stores import open_state, rollout_id_of, state_exists
from orchestrator.api.values import Settings
from orchestrator.errors import OrchestratorError, PlanError, UnreadableError

if TYPE_CHECKING:
    from orchestrator.engine.ports import Notifier
    from orchestrator.notify.delivery import Teller
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.notices import Delivery
    from orchestrator.store.sql import SqlStore

FINISH_S = 10.0  # after a rollout has ended, for what was not told yet


def refuse_hooks(settings: Settings, plan: ResolvedPlan) -> None:
    """Refuses hooks that could never be told, before anything moves.

    Raises:
        PlanError: names the first.
        OrchestratorError: `hook_secrets` has an entry that cannot be read.
    """
    if not plan.hooks:
        return
    from orchestrator.notify.notifiers import shown

    notifier = _notifier(settings, plan, "", controller_id="")
    for hook in plan.hooks:
        if why := notifier.refused(hook):
            message = f"hook to `{shown(hook)}`: {why}"
            hint = (
                "your own configuration allows programs (`allow_commands = [...]`), names secrets "
                "(`hook_secrets`) and a mail server (`mail_server`, `mail_from`, `mail_login`)"
            )
            raise PlanError(message, hint=hint, code="G111")


@asynccontextmanager
async def telling(
    settings: Settings, store: SqlStore, plan: ResolvedPlan, rollout_id: str
) -> AsyncIterator[Teller]:
    """Tells the plan's hooks while the rollout is driven, and for `FINISH_S` after that."""
    teller = _teller(settings, store, plan, rollout_id)
    try:
        yield teller
        await teller.finish(within_s=FINISH_S)
    finally:
        await teller.close()


@asynccontextmanager
async def telling_others(settings: Settings, rollout_id: str) -> AsyncIterator[None]:
    """Tells meanwhile what is due of other rollouts, whose processes ended too early."""
    work = asyncio.create_task(tell_due(settings, except_id=rollout_id), name="other hooks")
    try:
        yield
        await asyncio.wait({work}, timeout=FINISH_S)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def tell_due(settings: Settings, *, except_id: str = "") -> None:
    """Tells what is due of all rollouts that nobody drives now; takes about `FINISH_S` at most.

    Raises:
        StoreError: the store failed.
    """
    if not state_exists(settings):
        return
    async with open_state(settings) as store:
        tellers = []
        for rollout_id in await store.outbox.untold():
            holder = await store.holder(rollout_id, now=time.time())
            if rollout_id == except_id or (holder and not is_gone(holder)):
                continue
            try:
                plan = plan_of(await load_stored(store, rollout_id))
            except UnreadableError:
                continue  # `status` says so
            tellers.append(_teller(settings, store, plan, rollout_id))
        await asyncio.gather(*(teller.finish(within_s=FINISH_S) for teller in tellers))


async def deliveries(settings: Settings, rollout: str | None) -> tuple[Delivery, ...]:
    """What came of telling the hooks of a rollout, by entry and hook.

    Raises:
        StoreError: there is no such rollout.
    """
    async with open_state(settings) as store:
        told = await store.outbox.told(await rollout_id_of(store, rollout))
        return told.deliveries


def _teller(settings: Settings, store: SqlStore, plan: ResolvedPlan, rollout_id: str) -> Teller:
    from orchestrator.engine.clock import SystemClock
    from orchestrator.notify.delivery import Teller

    notifier = _notifier(settings, plan, rollout_id, controller_id=store.controller_id())
    return Teller(
        plan, rollout_id, notifier, store.outbox, clock=SystemClock(), jitter=random.random
    )


def _notifier(
    settings: Settings, plan: ResolvedPlan, rollout_id: str, *, controller_id: str
) -> Notifier:
    from orchestrator.notify.command import CommandNotifier
    from orchestrator.notify.event import source_of
    from orchestrator.notify.mail import MailNotifier, MailServer
    from orchestrator.notify.notifiers import Notifiers
    from orchestrator.notify.webhook import WebhookNotifier
    from orchestrator.outward.command import Commands
    from orchestrator.outward.failure import OutwardError
    from orchestrator.outward.tokens import Tokens

    source = source_of(controller_id)
    told = {
        "ROLLOUT_PLAN": plan.name, "ROLLOUT_RELEASE": plan.release, "ROLLOUT_ROLLOUT": rollout_id,
    }  # fmt: skip
    try:
        secrets = Tokens(settings.hook_secrets, os.environ)
    except OutwardError as error:
        message = f"`hook_secrets`: {error}"
        raise OrchestratorError(message, code="C105") from error
    return Notifiers(
        WebhookNotifier(source, secrets, time.time),
        CommandNotifier(source, Commands(settings.allow_commands, told)),
        MailNotifier(
            source, MailServer(settings.mail_server, settings.mail_from, settings.mail_login)
        ),
    )
