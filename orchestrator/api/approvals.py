"""Signed approvals: what is to be signed, signing it, and whose signature counts.

Laws:
1. Where the operator's configuration names allowed signers, an approval counts by its signature
   alone: neither a login name nor what stands in the store makes it one.
2. Both who asks and who drives the rollout verify, each by their own configuration, each time: a
   person that was removed from it meanwhile does not count.
3. Private keys are used by ssh-keygen and agents; they never come here.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.people import roles_of
from orchestrator.api.roles import Role, has_role, without_role
from orchestrator.api.signers import bytes_of, signers
from orchestrator.api.stored import digest_of_stored, load_stored, plan_of, restored
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.values import Settings
from orchestrator.errors import OrchestratorError, PlanError, TrustError
from orchestrator.rollout.approving import person_of
from orchestrator.rollout.events import Ask, OperatorAsked, Signed

if TYPE_CHECKING:
    from orchestrator.trust.statement import Statement

_SIGNED = frozenset({Ask.APPROVE, Ask.BREAK_GLASS})
SIGN_S = 300.0  # for typing a passphrase, or touching a token
_FLEET_HINT = 'name the fleet in your own configuration: `fleet = "acme-prod"`'


def approvals_are_signed(settings: Settings) -> bool:
    """Whether approvals count by their signature."""
    return settings.allowed_signers is not None


def vouching(settings: Settings) -> Callable[[OperatorAsked], OperatorAsked]:
    """What engines and clerks do with each request before they judge it."""
    return lambda request: vouch(settings, request, now=time.time())


def vouch(settings: Settings, request: OperatorAsked, *, now: float) -> OperatorAsked:
    """A request with what its signature says, or with why it does not count."""
    if request.ask not in _SIGNED:
        return request
    breaks = request.ask is Ask.BREAK_GLASS
    if not approvals_are_signed(settings):
        return _without_signature(settings, request) if breaks else request
    if not request.signature:
        return replace(request, problem="approvals of this fleet count by their signature alone")
    from orchestrator.trust.statement import namespace_of, read_statement

    try:
        fleet = _fleet(settings)
        statement = read_statement(request.statement.encode())
        if statement.fleet != fleet:
            raise TrustError(f"it is signed for the fleet `{statement.fleet}`, not for `{fleet}`")
        signer, key = _signer(
            settings, request.statement, request.signature, namespace_of(fleet), now
        )
        if bool(statement.reason) is not breaks:
            message = "an approval and breaking the glass are signed in words of their own"
            raise TrustError(message)
        role = Role.BREAK_GLASS if breaks else Role.APPROVER
        if not has_role(settings, signer, role):
            raise without_role(signer, role)
        roles = () if breaks else roles_of(settings, signer)
    except OrchestratorError as error:
        return replace(request, problem=error.message)
    return replace(
        request,
        who=f"{signer}@{request.who.rpartition('@')[2]}",
        why=statement.reason or request.why,
        wave=statement.wave,
        digest=statement.plan_sha256,
        roles=roles,
        signed=Signed(
            key, statement.plan_sha256, statement.targets_sha256, statement.wave, statement.made_at
        ),
    )


def _without_signature(settings: Settings, request: OperatorAsked) -> OperatorAsked:
    """Breaking the glass by a login name, as far as that has the role here too."""
    who = person_of(request.who)
    if has_role(settings, who, Role.BREAK_GLASS):
        return request
    return replace(request, problem=without_role(who, Role.BREAK_GLASS).message)


def _signer(
    settings: Settings, statement: str, signature: str, namespace: str, now: float
) -> tuple[str, str]:
    from orchestrator.trust.sshsig import read_signature, signer_of

    allowed, revoked = signers(settings)
    signer = signer_of(
        statement.encode(),
        signature.encode(),
        namespace,
        allowed=allowed,
        revoked=revoked,
        now=now,
    )
    if settings.require_hardware_keys and not read_signature(signature.encode()).is_touched:
        message = f"`{signer.principal}` touched no security token to sign, which is required here"
        raise TrustError(message)
    return signer.principal, signer.fingerprint


async def approval_statement(
    settings: Settings, rollout: str | None, wave: str | None, reason: str = ""
) -> Statement:
    """What is to be signed to approve what a rollout waits for, or the wave that is named.

    With a reason it is what breaks the glass instead.

    Raises:
        PlanError: nothing waits for an approval, or the configuration names no fleet.
        StoreError: there is no such rollout.
    """
    from orchestrator.plan.joiners import target_set_digest
    from orchestrator.rollout.approving import waited_for
    from orchestrator.trust.statement import Statement

    fleet = _fleet(settings)
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        stored = await load_stored(store, await rollout_id_of(store, rollout))
    found = restored(stored, plan_of(stored))
    name = waited_for(found.ledger) if wave is None else wave
    if name is None:
        message = f"rollout `{stored.rollout_id}`: nothing waits for an approval"
        raise PlanError(message, code="S207")
    digest = digest_of_stored(stored)
    return Statement(fleet, digest, target_set_digest(found.plan), name, int(time.time()), reason)


def approval_sign(settings: Settings, text: str, key: Path) -> str:
    """Signs a statement with ssh-keygen; it asks on the terminal for what it needs.

    Args:
        settings: the operator's configuration.
        text: the statement.
        key: a private key, or the public key of one that an agent or a token holds.

    Raises:
        TrustError: ssh-keygen is missing or could not sign.
    """
    from orchestrator.trust.statement import namespace_of

    namespace = namespace_of(_fleet(settings))
    with tempfile.TemporaryDirectory(prefix="rollout-sign-") as directory:
        file = Path(directory) / "approval"
        file.write_text(text)
        words = ("ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(key), str(file))
        try:
            # its prompts are its own; the words are ours, except for the operator's path
            done = subprocess.run(words, check=False, timeout=SIGN_S)  # noqa: S603
            if done.returncode == 0:
                return file.with_suffix(".sig").read_text("ascii")
        except FileNotFoundError as error:
            message = "ssh-keygen is not installed"
            hint = "sign elsewhere: `--print` writes the text, `--statement` and `--signature` take both"
            raise TrustError(message, hint=hint, code="T136") from error
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            message = f"ssh-keygen did not sign: {error}"
            raise TrustError(message, code="T136") from error
    message = f"ssh-keygen could not sign with `{key}`"
    raise TrustError(message, hint="what it said stands above", code="T136")


def approval_text(path: Path) -> str:
    """A statement, or its signature, from a file.

    Raises:
        TrustError: it cannot be read, or is not ASCII text.
    """
    try:
        return bytes_of(path).decode("ascii")
    except UnicodeDecodeError as error:
        message = f"`{path}` is not ASCII text"
        raise TrustError(message, code="T135") from error


def _fleet(settings: Settings) -> str:
    if not settings.fleet:
        message = "the configuration names no fleet, for which approvals would be signed"
        raise PlanError(message, hint=_FLEET_HINT, code="S213")
    return settings.fleet
