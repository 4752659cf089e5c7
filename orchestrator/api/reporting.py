"""What a report of a rollout is made of: where it stands, its journal, and what proves that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.api.auditing import vouchers
from orchestrator.api.roles import require_role
from orchestrator.api.stored import status_of
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.values import Settings, Status
from orchestrator.errors import TrustError
from orchestrator.rollout.events import JournalEntry

if TYPE_CHECKING:
    from orchestrator.rollout.audit import Seal
    from orchestrator.rollout.chain import Written
    from orchestrator.rollout.journal_proof import Proof, Proven


@dataclass(frozen=True, slots=True)
class Reported:
    """A rollout with its whole journal, and what came of judging that.

    `seals` are signed heads of it that were found again; `findings` are what is wrong with others.
    """

    status: Status
    journal: tuple[JournalEntry, ...]
    controller_id: str
    proven: Proven
    seals: tuple[Seal, ...]
    findings: tuple[str, ...]


async def report(settings: Settings, rollout: str | None) -> Reported:
    """All that a report tells of a rollout; its journal is read and judged in one piece.

    Args:
        settings: the operator's configuration.
        rollout: an id, the beginning of one, or None for the newest.

    Raises:
        PlanError: who asks is neither auditor nor operator.
        StoreError: there is no such rollout, or it cannot be read.
    """
    from orchestrator.rollout.journal_proof import proof_lines, prove

    require_role(settings, "report")
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        rollout_id = await rollout_id_of(store, rollout)
        # first: what is written meanwhile is told of devices, and not in the journal
        proof = await store.proof(rollout_id)
        status = await status_of(store, rollout_id)
    assert proof is not None, "a rollout that is stored has a journal"
    journal = tuple(_entry(written) for written, _ in proof.entries)
    proven = prove(proof_lines(proof, lambda text: (text, 0)))
    seals, findings = _vouched(settings, proof)
    return Reported(status, journal, proof.controller_id, proven, seals, findings)


def _entry(written: Written) -> JournalEntry:
    data = json.loads(written.data)
    return JournalEntry(written.seq, written.at, written.type, written.wave, written.device, data)


def _vouched(settings: Settings, proof: Proof) -> tuple[tuple[Seal, ...], tuple[str, ...]]:
    """Checkpoints that fit the journal, and what is wrong with the others.

    That they cannot be judged here is a finding: the report is made, and says so.
    """
    try:
        seals, unfit = vouchers(settings, proof.controller_id, proof.rollout_id)
    except TrustError as error:
        return (), (f"checkpoints were not judged: {error.message}",)
    heads = {0: proof.origin} | {written.seq: stored for written, stored in proof.entries}
    good = tuple(seal for seal in seals if heads.get(seal.head.seq) == seal.head.hash)
    bad = [
        f"{seal.by} knew another journal up to entry {seal.head.seq}, or a longer one"
        for seal in seals
        if seal not in good
    ]
    return good, (*(one.message for one in unfit), *bad)
