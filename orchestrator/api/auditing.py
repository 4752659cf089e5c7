"""Audits: the journals again, and the checkpoints that vouch for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.roles import require_role
from orchestrator.api.sealing import places, seal
from orchestrator.api.stores import no_rollouts, open_state, state_exists
from orchestrator.api.values import Settings, Source
from orchestrator.api.witnesses import Witnesses, ask_witnesses
from orchestrator.errors import TrustError, system_reason
from orchestrator.rollout.acts import ACTS
from orchestrator.rollout.audit import Audit, Fault, Finding, Seal

if TYPE_CHECKING:
    from orchestrator.trust.allowed import AllowedSigner
    from orchestrator.trust.checkpoint import Judge


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit came to, with which checkpoints; `signers` are the keys that would count.

    `witnesses` are the devices that were asked as well; None where none were to be.
    """

    audit: Audit
    checkpoints: Path
    signers: tuple[str, ...]
    witnesses: Witnesses | None = None


async def audit_verify(
    settings: Settings, checkpoints: Path | None, fleet: Source | None = None
) -> Audited:
    """Makes the chain of all journals again and compares it with what vouches for them.

    Args:
        settings: the operator's configuration.
        checkpoints: a file of them; None: those that are written here.
        fleet: devices that are asked as well; None: none are.

    Raises:
        StoreError: there is no store, or it failed.
        TrustError: the checkpoints or the lists of who may sign them cannot be read.
        PlanError: the inventory is wrong.
    """
    if not state_exists(settings):
        raise no_rollouts()
    file = checkpoints or places(settings).checkpoints
    async with open_state(settings) as store:
        judge = _judge(settings, store.controller_id())
        # before the journals: what is written meanwhile is no finding
        data, gone = _read(settings, file, named=checkpoints is not None)
        seals, unfit = judge.judge(data)
        asked = None
        if fleet is not None:
            asked = await ask_witnesses(settings, fleet, store.controller_id())
            seals += asked.seals
        audit = await store.audit(seals)
    findings = (*audit.findings, *unfit, *gone)
    signers = tuple(f"{one.principal} {one.fingerprint}" for one in judge.allowed)
    return Audited(replace(audit, findings=findings), file, signers, asked)


async def audit_checkpoint(settings: Settings) -> tuple[int, Path]:
    """Signs the ends of journals that have no checkpoint here; gives how many, and the file.

    Raises:
        PlanError: who asks is neither auditor nor operator.
        StoreError: there is no store, or it failed.
        TrustError: the key, the file or the lists of who may sign cannot be used.
    """
    require_role(settings, "audit checkpoint")
    if not state_exists(settings):
        raise no_rollouts()
    file = places(settings).checkpoints
    async with open_state(settings) as store:
        controller_id = store.controller_id()
        data, _gone = _read(settings, file, named=False)
        seals, _unfit = _judge(settings, controller_id).judge(data)
        sealed = {(one.head.rollout_id, one.head.hash) for one in seals}
        made = 0
        journals = [one.rollout_id for one in reversed(await store.rollouts(limit=None))]
        for journal in (*journals, ACTS):
            head = await store.head(journal)
            if head is None or (journal == ACTS and not head.seq):
                continue
            if (head.rollout_id, head.hash) not in sealed:
                await seal(settings, store, head.rollout_id, controller_id=controller_id)
                made += 1
    return made, file


def vouchers(
    settings: Settings, controller_id: str, rollout_id: str
) -> tuple[list[Seal], list[Finding]]:
    """What the checkpoints here say of one rollout, and which of them do not count, and why.

    Raises:
        TrustError: the checkpoints or the lists of who may sign them cannot be read.
    """
    from orchestrator.trust.checkpoint import checkpoints_of

    data, gone = _read(settings, places(settings).checkpoints, named=False)
    seals, unfit = _judge(settings, controller_id).judge(checkpoints_of(data, rollout_id))
    return seals, [*unfit, *gone]


def checkpoints_file(settings: Settings) -> Path:
    """Where the checkpoints of this project are."""
    return places(settings).checkpoints


def signers_of_checkpoints(settings: Settings, controller_id: str) -> bytes:
    """Whose checkpoints count here, as a file of allowed signers.

    Raises:
        TrustError: a list of them cannot be read.
    """
    return "".join(one.line() for one in _judge(settings, controller_id).allowed).encode()


def _read(settings: Settings, file: Path, *, named: bool) -> tuple[bytes, tuple[Finding, ...]]:
    """The checkpoints of a file; where there must be some and are none, that is a finding."""
    from orchestrator.trust.checkpoint_file import holds_any, public_file, read

    data = read(file) if named or file.exists() else b""
    if holds_any(data):
        return data, ()
    if named:
        return data, (Finding(Fault.SEALS_GONE, f"no checkpoint is in `{file}`"),)
    if public_file(places(settings).key).exists():
        message = f"there is a key for checkpoints, and none is in `{file}`, which was taken away or emptied"
        return data, (Finding(Fault.SEALS_GONE, message),)
    return data, ()


def _judge(settings: Settings, controller_id: str) -> Judge:
    from orchestrator.trust.checkpoint import Judge
    from orchestrator.trust.revoked import Revoked, read_revoked

    revoked = Revoked()
    if settings.revoked_signers is not None:
        file = settings.revoked_signers
        revoked = read_revoked(_bytes_of(file), str(file))
    fleets = [name for name in (settings.fleet, controller_id) if name]
    return Judge(controller_id, fleets, _allowed(settings, fleets), revoked)


def _allowed(settings: Settings, fleets: list[str]) -> tuple[AllowedSigner, ...]:
    """Those that the operator's list names for checkpoints; where it names none, the own key."""
    from orchestrator.trust.allowed import read_allowed_signers
    from orchestrator.trust.checkpoint import namespace_of
    from orchestrator.trust.checkpoint_file import signer_of_key

    if settings.allowed_signers is not None:
        file = settings.allowed_signers
        wanted = {namespace_of(fleet) for fleet in fleets}
        listed = read_allowed_signers(_bytes_of(file), str(file))
        if named := tuple(one for one in listed if one.namespaces & wanted):
            return named
    return signer_of_key(places(settings).key, fleets)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        message = f"cannot read `{file}`: {system_reason(error)}"
        raise TrustError(message, code="T133") from error
