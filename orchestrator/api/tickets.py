"""Release tickets: create, sign, verify, inspect."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.signing import (
    PurposeOf,
    needed_of,
    signatures_of,
    signed_too,
    trusted_root,
)
from orchestrator.api.ticket_drafts import (
    artifact_beside,
    draft_ticket,
    moment_of,
    text_of,
    ticket_path,
)
from orchestrator.render.release import TicketFacts

if TYPE_CHECKING:
    from orchestrator.api.trust_values import SignWith, TicketChecks, TicketRequest
    from orchestrator.artifact.model import Artifact
    from orchestrator.trust.keys import VerificationKey
    from orchestrator.trust.purpose import Purpose
    from orchestrator.trust.root import Root
    from orchestrator.trust.signed_file import SignedFile
    from orchestrator.trust.ticket import Ticket

_SIGNER_HINT = (
    "a ticket is signed by a release key of the root, and by a build key for devices without openssl"
    "; `rollout root show` lists them"
)


def release_create(request: TicketRequest) -> TicketFacts:
    """Writes a ticket for an artifact: its manifest, name and device types come from the artifact.

    Where a root is given, the artifact must be signed by one of its build keys.

    Raises:
        ArtifactError: the artifact breaks a rule.
        TrustError: the artifact is not signed as the root wants, no device could take such a
            ticket, a file exists or cannot be written, or a signer does not sign.
    """
    from orchestrator.trust.signed_file import write_signed

    root = None if request.root is None else trusted_root(request.root)
    fleet = _fleet(request, root)
    artifact = artifact_of(request.artifact, root)
    ticket = draft_ticket(request, artifact, fleet, int(time.time()))
    text = text_of(ticket)
    purpose_of = _purpose_of(ticket, text, root)
    signatures = signatures_of(purpose_of, request.sign_with, _signing_keys(root), _SIGNER_HINT)
    file = write_signed(ticket_path(request), text, signatures)
    return _facts(file, ticket, root, request.root)


def release_sign(
    path: Path, sign_with: SignWith, *, root: Path | None = None, artifact: Path | None = None
) -> TicketFacts:
    """Adds a signature to those beside a ticket; changes nothing where that key signed before.

    Where a root is given, the key must be one of its release keys, or of its build keys: those
    sign the manifest that the ticket is about, for devices that cannot read the artifact's own
    signature. The artifact (the one beside the ticket, unless it is named) must have one by a build
    key already, so that nobody gets it for another manifest.

    Raises:
        TrustError: it is no ticket or has expired, the key does not count, nothing was signed, or a
            build key has no artifact to sign for.
        ArtifactError: the artifact breaks a rule.
    """
    from orchestrator.trust.errors import in_file
    from orchestrator.trust.judge import check_expiry, check_fleet
    from orchestrator.trust.root import Role

    file, ticket = _read(path)
    trusted = None if root is None else trusted_root(root)
    with in_file(path):
        check_expiry(ticket, int(time.time()))
        if trusted is not None:
            check_fleet(ticket, trusted)
    of = _purpose_of(ticket, file.text, trusted)

    def purpose_of(key: VerificationKey) -> Purpose:
        if trusted is not None and key in trusted.of(Role.BUILD):
            _check_built(path, ticket, trusted, artifact)
        return of(key)

    file = signed_too(file, purpose_of, sign_with, _signing_keys(trusted), _SIGNER_HINT)
    return _facts(file, ticket, trusted, root)


def release_verify(path: Path, root: Path, checks: TicketChecks) -> TicketFacts:
    """Makes the checks of a device, as far as what is given allows, in the device's order.

    Raises:
        TrustError: one fails; the code says which.
        ArtifactError: the artifact breaks a rule.
    """
    from orchestrator.trust import judge
    from orchestrator.trust.errors import TrustRule, in_file

    trusted = trusted_root(root)
    device_id = None if checks.device_id is None else _device_id(checks.device_id)
    now_s = int(time.time())
    at_s = now_s if checks.at is None else moment_of(checks.at, now_s)
    checked = ["signatures"]
    with in_file(path):
        file, _ = _read(path)
        ticket = judge.check_signed(file.text, file.evidence(TrustRule.SIGNATURES), trusted)
        if checks.device_type is not None:
            judge.check_device_type(ticket, checks.device_type)
            checked.append("device type")
        judge.check_expiry(ticket, at_s)
        checked.append("expiry")
        if checks.artifact is not None:
            artifact = artifact_of(checks.artifact, trusted)
            delivery = judge.Delivery(artifact.manifest_sha256, artifact.name)
            judge.check_delivery(ticket, delivery)
            checked.append("artifact")
        if device_id is not None:
            judge.check_open(ticket, device_id, at_s)
            checked.append("open for the device")
    return replace(_facts(file, ticket, trusted, root), checked=tuple(checked))


def release_inspect(path: Path, *, root: Path | None = None) -> TicketFacts:
    """What a ticket says; with a root also whose signatures stand beside it. Judges nothing.

    Raises:
        TrustError: it is no ticket, or a file cannot be read.
    """
    file, ticket = _read(path)
    return _facts(file, ticket, None if root is None else trusted_root(root), root)


def _check_built(path: Path, ticket: Ticket, root: Root, named: Path | None) -> None:
    """A build key signed the artifact that the ticket is about."""
    from orchestrator.trust.errors import TrustRule, in_file, refuse
    from orchestrator.trust.judge import Delivery, check_delivery

    place = named or artifact_beside(path)
    if not place.exists():
        message = f"a build key signs for an artifact that is at hand, and `{place}` is not there"
        raise refuse(TrustRule.MANIFEST, message, hint="name its file with `--artifact`")
    artifact = artifact_of(place, root)
    with in_file(path):
        check_delivery(ticket, Delivery(artifact.manifest_sha256, artifact.name))


def _read(path: Path) -> tuple[SignedFile, Ticket]:
    from orchestrator.trust.errors import in_file
    from orchestrator.trust.signed_file import read_signed
    from orchestrator.trust.ticket import parse_ticket

    with in_file(path):
        file = read_signed(path)
        return file, parse_ticket(file.text)


def _fleet(request: TicketRequest, root: Root | None) -> str:
    from orchestrator.trust.errors import TrustRule, refuse

    fleet = request.fleet or ("" if root is None else root.fleet)
    if not fleet:
        message = "a ticket is for one fleet, and none was named"
        hint = "name the fleet's root with `--root ROOT`, or give `--fleet NAME`"
        raise refuse(TrustRule.FLEET, message, hint=hint)
    if root is not None and fleet != root.fleet:
        message = f"the root is of fleet `{root.fleet}`, not of `{fleet}`"
        raise refuse(TrustRule.FLEET, message, hint="leave `--fleet` out", file=request.root)
    return fleet


def _device_id(text: str) -> str:
    from orchestrator.trust.errors import TrustRule, refuse

    if not (text.isascii() and text.isprintable() and text):
        message = f"`{text}` is no id of a device"
        raise refuse(TrustRule.RELEASE, message, hint="it is the name in the inventory, in ASCII")
    return text


def artifact_of(path: Path, root: Root | None) -> Artifact:
    """What is released: where a root is given, signed by one of its build keys.

    Raises:
        ArtifactError: it breaks a rule.
        TrustError: it is not signed as the root wants.
    """
    from orchestrator.artifact.reader import read_artifact
    from orchestrator.trust.root import Role
    from orchestrator.trust.signature import verify_artifact

    if root is None:
        return read_artifact(path)
    return verify_artifact(path, root.of(Role.BUILD)).artifact


def _signing_keys(root: Root | None) -> tuple[VerificationKey, ...] | None:
    from orchestrator.trust.root import Role

    return None if root is None else (*root.of(Role.RELEASE), *root.of(Role.BUILD))


def _purpose_of(ticket: Ticket, text: bytes, root: Root | None) -> PurposeOf:
    """Release keys sign the ticket, build keys the manifest that it is about."""
    from orchestrator.trust.purpose import Purpose, manifest_purpose
    from orchestrator.trust.root import Role

    build = () if root is None else root.of(Role.BUILD)
    release = Purpose.of(Role.RELEASE, ticket.fleet, text)
    return lambda key: manifest_purpose(ticket) if key in build else release


def _facts(
    file: SignedFile, ticket: Ticket, root: Root | None, root_path: Path | None
) -> TicketFacts:
    from orchestrator.trust.keys import KeyKind
    from orchestrator.trust.purpose import manifest_purpose
    from orchestrator.trust.root import Role

    build = manifest_purpose(ticket).ssh_signed_by(
        file.signatures, () if root is None else root.of(Role.BUILD)
    )
    return TicketFacts(
        path=str(file.path),
        root_path="" if root_path is None else str(root_path),
        fleet=ticket.fleet,
        serial=ticket.serial,
        issued_s=ticket.issued_s,
        expires_s=ticket.expires_s,
        security_version=ticket.security_version,
        next_floor=ticket.next_floor,
        device_types=ticket.device_types,
        artifact=ticket.artifact,
        manifest_sha256=ticket.manifest_sha256,
        openings=tuple((each.percent, each.not_before_s) for each in ticket.openings),
        signature_count=len(file.signatures),
        needed=None if root is None else needed_of(file, root, Role.RELEASE),
        is_build_signed=bool(build),
        is_build_signed_by_ed25519=any(key.kind is KeyKind.ED25519 for key in build),
    )
