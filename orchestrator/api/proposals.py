"""Retries and rollbacks that were saved to be reviewed: read, and held against the rollout of now."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.asked_values import AskRequest
from orchestrator.api.asking import NAMES_MAX, propose
from orchestrator.api.project import read_file
from orchestrator.api.saved import refuse_old
from orchestrator.api.stores import open_state, shown_state, state_exists
from orchestrator.api.values import Settings
from orchestrator.errors import PlanError, StalePlanError, StoreError

if TYPE_CHECKING:
    from orchestrator.rollout.events import OperatorAsked
    from orchestrator.rollout.proposal import Proposal


def proposal_in(file: Path) -> Proposal | None:
    """What was proposed in a file; None where that is no proposal, or no file.

    Raises:
        PlanError: it was changed, is of another version, or cannot be read.
    """
    try:
        if not file.is_file():
            return None
    except OSError:  # in a directory that we may not look into: reading it says so
        return None
    from orchestrator.plan.envelope import is_proposal

    if not is_proposal(data := read_file(file)):
        return None
    from orchestrator.rollout.proposal import from_file

    return from_file(data, file=str(file))


def request_of(proposal: Proposal) -> AskRequest:
    """The verb that carries it out."""
    return AskRequest(
        proposal.rollout,
        proposal.ask,
        why=proposal.why,
        devices=tuple(proposal.devices),
        wave=proposal.wave,
        only=proposal.only,
    )


async def refuse_stale_proposal(settings: Settings, proposal: Proposal) -> None:
    """Refuses what the verb would not do in the same way now.

    Raises:
        StalePlanError: it was asked for already, is too old, or another one now.
        PlanError: the rollout refuses it.
        StoreError: the store has no such rollout.
    """
    from orchestrator.rollout.proposal import digest

    hint = f"look at it again: `{_made_by(proposal)}`"
    asked = await _asked(settings, proposal)
    if asked is not None:
        at = datetime.fromtimestamp(asked.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        message = f"this {proposal.ask} was asked for already, by {asked.who} at {at}"
        told = f"`rollout status {proposal.rollout}` shows what came of it"
        raise StalePlanError(message, hint=told, code="P315")
    refuse_old(proposal.ask, proposal.made_at, hint=hint)
    try:
        now = await propose(settings, request_of(proposal))
    except PlanError as error:
        raise StalePlanError(error.message, hint=error.hint or hint, code="P319") from error
    if now is None or digest(now) != digest(proposal):
        message = (
            f"rollout `{proposal.rollout}` has moved on: this {proposal.ask} is another one now"
        )
        raise StalePlanError(message, hint=hint, code="P319")


async def _asked(settings: Settings, proposal: Proposal) -> OperatorAsked | None:
    """The request that carried it out, or was to.

    Raises:
        StoreError: the store has no such rollout: it was proposed in another one.
    """
    if state_exists(settings):
        async with open_state(settings) as store:
            if await store.summary(proposal.rollout) is not None:
                rows = await store.requests(proposal.rollout, after=0)
                return next((one for one in rows if _is_it(one, proposal)), None)
    message = (
        f"rollout `{proposal.rollout}` of this {proposal.ask} is not in the state store "
        f"`{shown_state(settings.state)}`"
    )
    raise StoreError(message, hint="name the store in which it was saved: `--state URL`")


def _is_it(asked: OperatorAsked, proposal: Proposal) -> bool:
    chosen = (asked.ask, asked.devices, asked.wave, asked.only, asked.why)
    wanted = (proposal.ask, proposal.devices, proposal.wave, proposal.only, proposal.why)
    return chosen == wanted and asked.at >= proposal.made_at


def _made_by(proposal: Proposal) -> str:
    """The command that makes the same choice again, never a wider one."""
    words = ["rollout", proposal.ask.value, proposal.rollout]
    if proposal.wave is not None:
        words += ["--wave", proposal.wave]
    if proposal.only is not None:
        words += ["--only", proposal.only.value]
    for device in proposal.devices[:NAMES_MAX]:
        words += ["--device", device]
    more = " --device ..." if len(proposal.devices) > NAMES_MAX else ""
    return f"{shlex.join(words)}{more} --out FILE"
