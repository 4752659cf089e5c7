"""A retry or a rollback of a rollout as something to review: whom it concerns, and why.

It is saved as a plan is, reviewed, and carried out later by the verb itself.

Laws:
1. It names every device that the verb would begin with now, by the verb's own rules.
2. Its digest is of what it decides: of the devices, what they run and what became of them. What a
   rollout does meanwhile with any of these makes it another one.
3. It decides nothing by itself: the rollout judges the request anew when it is carried out.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import rfc8785

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import FailureClass, Reason
from orchestrator.errors import PlanError
from orchestrator.plan.digest import from_document, to_document
from orchestrator.plan.envelope import PROPOSAL_KEY, enveloped, opened
from orchestrator.plan.resolved import RollbackOrder
from orchestrator.plan.soundness import is_instant
from orchestrator.rollout import retreat
from orchestrator.rollout.asks import retriable
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.returned import NOTHING
from orchestrator.rollout.states import DeviceState, RolloutState

FORMAT_VERSION = "1.0"
PROPOSED: Final = frozenset({Ask.RETRY, Ask.ROLLBACK})
_APART = ("made_at", "tool_version", "state", "others")  # said, and decided by nobody


@dataclass(frozen=True, slots=True)
class Concerned:
    """A device that would be tried again or go back, and how it came to where it is.

    `before` is the artifact that it ran before the rollout, by the name that the plan knew: ""
    where that was nothing of ours, None where nobody asked. `before_manifest` is what it said itself when it was delivered to;
    "" where it never was.
    """

    device: DeviceId
    wave: str
    state: DeviceState
    reason: Reason
    detail: str
    before: str | None
    before_manifest: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be asked of a rollout.

    Attributes:
        plan_sha256: digest of what the rollout was approved by.
        artifact: the release of the rollout.
        state: of the rollout. `stays_halted`: a retry alone starts nobody.
        wave, devices, only: what it was limited to; all empty for no limit.
        why: the reason that stands in the journal then.
        concerned: the devices, in the order in which they come.
        others: devices of the rollout that are left as they are, by state.
    """

    rollout: str
    ask: Ask
    plan: str
    plan_sha256: str
    artifact: str
    state: RolloutState
    stays_halted: bool
    wave: str | None
    devices: tuple[DeviceId, ...]
    only: FailureClass | None
    why: str
    concerned: tuple[Concerned, ...]
    others: Mapping[str, int]
    made_at: float
    tool_version: str


def propose(led: Ledger, asked: OperatorAsked, *, digest: str, tool_version: str) -> Proposal:
    """What a request would do to a rollout as it is now."""
    assert asked.ask in PROPOSED, "other requests concern no devices of their own"
    records = retriable(led, asked) if asked.ask is Ask.RETRY else _returning(led, asked)
    named = {rec.id for rec in records}
    others = Counter(rec.state.value for rec in led.devices.values() if rec.id not in named)
    return Proposal(
        rollout=led.rollout_id,
        ask=asked.ask,
        plan=led.plan.name,
        plan_sha256=digest,
        artifact=led.plan.artifact.name,
        state=led.state,
        stays_halted=asked.ask is Ask.RETRY and led.state is RolloutState.HALTED,
        wave=asked.wave,
        devices=asked.devices,
        only=asked.only,
        why=asked.why,
        concerned=tuple(_concerned(led, rec) for rec in records),
        others=dict(sorted(others.items())),
        made_at=asked.at,
        tool_version=tool_version,
    )


def _returning(led: Ledger, asked: OperatorAsked) -> list[DeviceRecord]:
    """Who would go back, those at work and what is proven and not committed too; first one first."""
    index = next((wave.index for wave in led.waves if wave.name == asked.wave), None)
    scope = retreat.scope_of(index, asked.devices)
    found = [
        rec
        for rec in led.devices.values()
        if retreat.can_return(rec)
        and (retreat.in_scope(scope, rec) or rec.state is DeviceState.CONFIRMED)
    ]
    forward = led.plan.rollback.order is RollbackOrder.FORWARD
    return sorted(found, key=lambda rec: rec.started if forward else -rec.started)


def _concerned(led: Ledger, rec: DeviceRecord) -> Concerned:
    known = led.plan.devices[rec.id]
    told = known.current if rec.previous in ("", known.current_manifest) else None
    if rec.previous == NOTHING:
        told = ""
    wave = led.wave_of(rec).name
    return Concerned(rec.id, wave, rec.state, rec.reason, rec.detail, told, rec.previous)


# -- as a file --------------------------------------------------------------------------------------


def digest(proposal: Proposal) -> str:
    """What it is known and reviewed by (law 2), lower-case hex."""
    document = to_document(proposal)
    decided = {key: value for key, value in document.items() if key not in _APART}
    return hashlib.sha256(rfc8785.dumps({"format_version": FORMAT_VERSION, **decided})).hexdigest()


def to_file(proposal: Proposal) -> bytes:
    """What `--out` writes: canonical JSON with its digest."""
    body = rfc8785.dumps({"format_version": FORMAT_VERSION, **to_document(proposal)})
    return enveloped(PROPOSAL_KEY, body)


def from_file(data: bytes, *, file: str) -> Proposal:
    """The proposal of a saved file.

    Raises:
        PlanError: it is none, was changed, or is of another version.
    """
    hint = "make it again: `rollout retry` and `rollout rollback` with `--out`"
    try:
        document = json.loads(opened(PROPOSAL_KEY, data, file=file))
    except (ValueError, RecursionError) as error:
        raise PlanError(f"`{file}` does not hold JSON", hint=hint, code="P302") from error
    version = document.pop("format_version", None) if isinstance(document, dict) else None
    if version != FORMAT_VERSION:
        message = f"`{file}` is no saved proposal of format {FORMAT_VERSION}"
        raise PlanError(message, hint=hint, code="P301")
    try:
        found = from_document(Proposal, document)
    except (ValueError, TypeError, KeyError) as error:
        message = f"`{file}` does not hold a proposal of this version: {error}"
        raise PlanError(message, hint=hint, code="P302") from error
    if found.ask not in PROPOSED or to_file(found) != data:
        raise PlanError(f"`{file}` was changed after it was saved", hint=hint, code="P303")
    if not is_instant(found.made_at):
        message = f"`{file}` is nothing that this program makes: it was made at no time"
        raise PlanError(message, hint=hint, code="P305")
    return found
