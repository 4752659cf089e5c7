"""What is judged once more before a stored rollout begins: commit, evidence and signed approvals.

Law: each is judged by the configuration and the lists of the moment when an engine begins it. What
has begun goes on, and stopping and going back need none of this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from orchestrator.api.approvals import approvals_are_signed, vouch
from orchestrator.api.commits import refuse_unvouched
from orchestrator.api.evidence import refuse_other_evidence
from orchestrator.api.stored import entries_of, restored
from orchestrator.api.values import Settings
from orchestrator.errors import TrustError
from orchestrator.rollout import approving
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.engine.ports import Stored
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.ledger import Ledger
    from orchestrator.store.sql import SqlStore


async def refuse_to_begin(
    settings: Settings, store: SqlStore, stored: Stored, plan: ResolvedPlan
) -> None:
    """Refuses a rollout that has not begun and that what is required here does not let begin.

    Cost: every device's row is read, where anything is required.

    Raises:
        TrustError: its commit, its evidence or an approval does not count here and now.
        StalePlanError: the evidence is not that of the plan.
    """
    is_signed = approvals_are_signed(settings)
    if not (is_signed or settings.require_signed_commit or settings.evidence_policy is not None):
        return
    ledger = restored(stored, plan).ledger
    if ledger.begun_at is not None:
        return
    refuse_unvouched(settings, plan)
    await asyncio.to_thread(refuse_other_evidence, settings, plan)
    if is_signed and ledger.broken_glass is None and approving.givers(ledger, approving.START):
        refuse_unapproved(settings, ledger, await entries_of(store, stored.rollout_id))


def refuse_unapproved(settings: Settings, ledger: Ledger, history: Sequence[JournalEntry]) -> None:
    """Refuses where approvals of the start do not count any more, and the others are too few.

    Those of people whose key was revoked, who left the list or lost the role, and those that
    stand in the store without a signature in the journal.

    Raises:
        TrustError: names each person and why.
    """
    policy = approving.policy_of(ledger, approving.START)
    people = approving.givers(ledger, approving.START)
    void = dict(_void(settings, ledger, history))
    if policy is None or not void or len(people) - len(void) >= policy.required:
        return
    message = "; ".join(
        f"the approval of `{who}` does not count: {why}" for who, why in void.items()
    )
    hint = f"`rollout deny {ledger.rollout_id}` ends the rollout, and another one asks anew"
    raise TrustError(message, hint=hint, code="S215")


def _void(
    settings: Settings, ledger: Ledger, history: Sequence[JournalEntry]
) -> Iterator[tuple[str, str]]:
    said = {
        approving.person_of(str(entry.data["who"])): entry.data
        for entry in history
        if entry.type == "approval" and not entry.wave and entry.data["what"] == "given"
    }
    for who in approving.givers(ledger, approving.START):
        if why := _why_void(settings, ledger, who, said.get(who, {})):
            yield who, why


def _why_void(settings: Settings, ledger: Ledger, who: str, said: Mapping[str, object]) -> str:
    now = time.time()
    request = OperatorAsked(
        now,
        Ask.APPROVE,
        str(said.get("who", who)),
        statement=str(said.get("statement", "")),
        signature=str(said.get("signature", "")),
    )
    found = vouch(settings, request, now=now)
    if found.problem:
        return found.problem
    is_this = (found.digest, found.wave) == (ledger.plan_digest, approving.START)
    if approving.person_of(found.who) != who or not is_this:
        return "its signature is of somebody else, or of something else"
    policy = approving.policy_of(ledger, approving.START)
    roles = () if policy is None else policy.roles
    return "" if not roles or set(roles) & set(found.roles) else "the role is gone"
