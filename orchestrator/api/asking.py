"""Asking things of rollouts, from any terminal or machine on the same store.

Laws:
1. What comes of a request is judged by the rollout's own rules before it is recorded: what is so
   already is said and recorded nowhere, what does not fit is refused and changes nothing.
2. A recorded request is answered by the engine that runs the rollout, and its answer is what
   counts. Where none runs, what needs no device is answered here and now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator import __version__
from orchestrator.api.approvals import approvals_are_signed, vouch, vouching
from orchestrator.api.asked_values import Asked, AskRequest
from orchestrator.api.owners import is_gone, person, this_process
from orchestrator.api.people import roles_of
from orchestrator.api.roles import ROLES_OF, require_role
from orchestrator.api.sealing import seal
from orchestrator.api.stored import (
    digest_of_stored,
    engine_of,
    load_stored,
    plan_of,
    restored,
    status_of,
    under_another,
)
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.values import Settings
from orchestrator.device.model import DeviceId
from orchestrator.errors import LeaseError, OrchestratorError, PlanError
from orchestrator.plan.joiners import target_set_digest
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.states import PASSING, TERMINAL_ROLLOUT, RolloutState

if TYPE_CHECKING:
    from orchestrator.engine.ports import Stored
    from orchestrator.plan.joiners import Joiner
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.answers import Answer
    from orchestrator.rollout.machine import Rollout
    from orchestrator.rollout.proposal import Proposal
    from orchestrator.rollout.story import Story
    from orchestrator.store.sql import SqlStore

ANSWER_S = 5.0  # an engine looks several times a second; one that is busy needs longer
LOOK_S = 0.05
NAMES_MAX = 5  # devices that a message names; the rest is a number
_WITHOUT_DEVICES = frozenset(
    {Ask.PAUSE, Ask.HALT, Ask.APPROVE, Ask.DENY, Ask.BREAK_GLASS, Ask.JOIN}
)
_DRIVES_ON = frozenset({Ask.RESUME, Ask.ABORT, Ask.ROLLBACK})  # also what is so already
_APPROVALS = frozenset({Ask.APPROVE, Ask.DENY, Ask.BREAK_GLASS})
_SIGNED = frozenset({Ask.APPROVE, Ask.BREAK_GLASS})


@dataclass(frozen=True, slots=True)
class _Found:
    """A rollout as it will be when all that was asked before is answered."""

    stored: Stored
    plan: ResolvedPlan
    rollout: Rollout
    engine: str

    @property
    def rollout_id(self) -> str:
        return self.stored.rollout_id


async def ask(settings: Settings, request: AskRequest) -> Asked:
    """Records an operator's request durably and waits for its answer; who asks is this user.

    Raises:
        PlanError: the state of the rollout, or who asks, does not allow it.
        StoreError: there is no such rollout.
    """
    by_signature = request.ask in _SIGNED and approvals_are_signed(settings)
    what = request.ask.value.replace("_", "-")
    if what in ROLES_OF and not by_signature:  # the signer needs the role: `vouch`
        require_role(settings, what)
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        found, event, answer = await _judged(settings, store, request)
        over = found.rollout.state in TERMINAL_ROLLOUT
        if answer.kind == "already":
            drives = request.ask in _DRIVES_ON and not found.engine and not over
            return await _told(store, found, answer.kind, answer.text, needs_engine=drives)
        if over:
            await _refuse_under_another(store, found.rollout_id)
        return await _carry_out(
            settings, store, found, event, await store.ask(found.rollout_id, event)
        )


async def propose(settings: Settings, request: AskRequest) -> Proposal | None:
    """What a retry or rollback would do now; None where there is nothing left to do.

    Nothing is recorded, and no role is needed: the one who carries it out needs it.

    Raises:
        PlanError: it would be refused.
        StoreError: there is no such rollout.
    """
    from orchestrator.rollout.proposal import propose as proposed

    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        found, event, answer = await _judged(settings, store, request)
        if answer.kind == "already":
            return None
        if found.rollout.state in TERMINAL_ROLLOUT:
            await _refuse_under_another(store, found.rollout_id)
    digest = digest_of_stored(found.stored)
    return proposed(found.rollout.ledger, event, digest=digest, tool_version=__version__)


async def _judged(
    settings: Settings, store: SqlStore, request: AskRequest
) -> tuple[_Found, OperatorAsked, Answer]:
    """What the rollout would answer now.

    Raises:
        PlanError: that it refuses.
    """
    found = await _find(settings, store, await rollout_id_of(store, request.rollout))
    event = vouch(settings, _event(settings, found, request), now=time.time())
    _refuse_unknown(found, event)
    answer = found.rollout.judge(event)
    _refuse(found, event, answer)
    return found, event, answer


async def join(settings: Settings, rollout_id: str, joiners: Mapping[DeviceId, Joiner]) -> Asked:
    """Asks a rollout to take devices into its last wave, and waits for its answer.

    Raises:
        PlanError: it takes nobody any more; says why.
        StoreError: there is no such rollout.
    """
    require_role(settings, "join")
    async with open_state(settings) as store:
        found = await _find(settings, store, rollout_id)
        free = await _free(store, rollout_id, joiners)
        event = OperatorAsked(time.time(), Ask.JOIN, person(), joiners=free)
        answer = found.rollout.judge(event)
        _refuse(found, event, answer)
        if answer.kind == "already":
            return await _told(store, found, answer.kind, answer.text)
        asked = await _carry_out(settings, store, found, event, await store.ask(rollout_id, event))
    if busy := [device for device in joiners if device not in free]:
        left = f"{_names(busy)} left out, as another rollout has them"
        return replace(asked, detail="; ".join(part for part in (asked.detail, left) if part))
    return asked


async def _free(
    store: SqlStore, rollout_id: str, joiners: Mapping[DeviceId, Joiner]
) -> Mapping[DeviceId, Joiner]:
    """Those that no other rollout under way has; the others may join when that one has ended."""
    others = [other for other in await store.under_way() if other != rollout_id]
    taken = {device for other in others for device in await store.device_rows(other)}
    return {device: joiner for device, joiner in joiners.items() if device not in taken}


async def _find(settings: Settings, store: SqlStore, rollout_id: str) -> _Found:
    stored = await load_stored(store, rollout_id)
    plan = plan_of(stored)
    rollout = restored(stored, plan)
    rollout.attend()
    before = await store.requests(rollout_id, after=rollout.ledger.last_request)
    now = time.time()
    rollout.apply_all(replace(vouch(settings, one, now=now), at=now) for one in before)
    return _Found(stored, rollout.plan, rollout, await engine_of(store, rollout_id))


def _event(settings: Settings, found: _Found, request: AskRequest) -> OperatorAsked:
    who = person()
    approves = request.ask in _APPROVALS
    by_signature = request.ask in _SIGNED and approvals_are_signed(settings)
    by_name = approves and request.ask is not Ask.BREAK_GLASS and not by_signature
    digest = digest_of_stored(found.stored) if approves else ""
    if request.digest and not digest.startswith(request.digest):
        digest = request.digest  # of another plan, which is refused
    return OperatorAsked(
        at=time.time(),
        ask=request.ask,
        who=who,
        why=request.why,
        accept_failures=request.accept_failures,
        devices=tuple(DeviceId(name) for name in request.devices),
        wave=request.wave,
        only=request.only,
        take_back=request.take_back,
        full=request.full,
        digest=digest,
        roles=roles_of(settings, who.rpartition("@")[0]) if by_name else (),
        targets=target_set_digest(found.plan) if approves else "",
        statement=request.statement,
        signature=request.signature,
    )


async def _carry_out(
    settings: Settings, store: SqlStore, found: _Found, event: OperatorAsked, number: int
) -> Asked:
    """Waits for the engine's answer, or answers where there is none."""
    if found.engine:
        answered = await _engines_answer(store, found, number)
        if answered is not None or await engine_of(store, found.rollout_id):
            kind, text = answered or ("", "")
            return await _told(store, found, kind, text)
    if event.ask not in _WITHOUT_DEVICES:
        return await _told(store, found, "", "", needs_engine=True)
    unsealed = await _answer_here(settings, store, found)
    kind, text = await _engines_answer(store, found, number) or ("", "")
    return replace(await _told(store, found, kind, text), unsealed=unsealed)


async def _engines_answer(store: SqlStore, found: _Found, number: int) -> tuple[str, str] | None:
    """What the journal says of the request: kind and text; None when nobody answers.

    Raises:
        PlanError: it was refused, as the rollout has moved on meanwhile.
    """
    until = time.monotonic() + ANSWER_S
    after = found.stored.last_seq
    while True:
        for entry in await store.journal(found.rollout_id, after=after):
            after = entry.seq
            if entry.type == "operator" and entry.data.get("request") == number:
                kind, text = str(entry.data["answer"]), str(entry.data.get("detail", ""))
                if kind == "refused":
                    raise PlanError(f"rollout `{found.rollout_id}`: {text}", code="S207")
                return kind, text
        if time.monotonic() >= until or not await engine_of(store, found.rollout_id):
            return None
        await asyncio.sleep(LOOK_S)


async def _answer_here(settings: Settings, store: SqlStore, found: _Found) -> str:
    """Answers, and signs what it wrote; gives why that could not be signed."""
    from orchestrator.engine.clerk import Desk, answer
    from orchestrator.engine.clock import SystemClock

    await take_over_from_the_dead(store, found.rollout_id)
    desk = Desk(store, store, SystemClock(), this_process(), vouching(settings))
    try:
        await answer(desk, found.rollout_id, found.plan)
    except LeaseError:
        return ""  # an engine came first, and answers
    try:
        await seal(settings, store, found.rollout_id, controller_id=store.controller_id())
    except OrchestratorError as error:
        return error.message
    return ""


async def take_over_from_the_dead(store: SqlStore, rollout_id: str) -> None:
    """Frees a lease whose process on this host is gone: after kill -9 nobody should wait."""
    lease = await store.lease_of(rollout_id)
    if lease is not None and is_gone(lease.owner):
        await store.release(lease)


async def _told(
    store: SqlStore, found: _Found, kind: str, text: str, *, needs_engine: bool = False
) -> Asked:
    now = await status_of(store, found.rollout_id)
    return Asked(
        rollout_id=found.rollout_id,
        engine=found.engine,
        needs_engine=needs_engine,
        answer=kind,
        detail=text,
        next_commands=now.story.next_commands,
        stopped=_stopped(now.story),
    )


def _stopped(story: Story) -> RolloutState | None:
    """Halted, or paused by something that does not pass by itself."""
    waits = PASSING.issuperset(stop.cause.value for stop in story.stops)
    stopped = story.state is RolloutState.HALTED or (
        story.state is RolloutState.PAUSED and not waits
    )
    return story.state if stopped else None


# -- refusing -------------------------------------------------------------------------------------


def _refuse_unknown(found: _Found, event: OperatorAsked) -> None:
    unknown = [name for name in event.devices if name not in found.plan.devices]
    if unknown:
        raise PlanError(f"{_names(unknown)} not in this rollout", code="S203")
    waves = [wave.name for wave in found.plan.waves]
    if event.wave and event.wave not in waves:  # empty: a signature for the start of the rollout
        message = f"there is no wave `{event.wave}`"
        raise PlanError(message, hint=f"waves: {', '.join(waves)}", code="S204")


def _refuse(found: _Found, event: OperatorAsked, answer: Answer) -> None:
    if answer.kind != "refused":
        return
    code = "S207"
    if found.rollout.state in TERMINAL_ROLLOUT:
        code = "S205" if event.ask is Ask.ROLLBACK else "S201"
    elif event.ask is Ask.RESUME and found.rollout.state is RolloutState.HALTED:
        code = "S202"
    raise PlanError(f"rollout `{found.rollout_id}`: {answer.text}", hint=answer.hint, code=code)


async def _refuse_under_another(store: SqlStore, rollout_id: str) -> None:
    """A finished rollout is taken up again only where no other one works on its devices.

    This tells early; what decides is the transaction in which it is taken up.
    """
    for other in await store.going_first(rollout_id, now=time.time()):
        raise under_another(other)


def _names(devices: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in devices[:NAMES_MAX])
    more = len(devices) - NAMES_MAX
    return f"{shown} and {more} more" if more > 0 else shown
