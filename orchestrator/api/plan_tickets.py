"""The release ticket of a plan's artifact: it lies beside it, and is delivered as it was planned.

Law: what is sent is what was hashed. The resolved plan, which is what people approve, has the digests
of ticket and signatures; another ticket for the same artifact is another plan.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.frames import frame_of
from orchestrator.api.signed_files import read_root_file, read_with_signatures
from orchestrator.api.ticket_drafts import path_beside
from orchestrator.errors import StalePlanError

if TYPE_CHECKING:
    from orchestrator.artifact.model import Artifact
    from orchestrator.device.protocol import Frame
    from orchestrator.plan.resolved import PlannedTicket, ResolvedPlan, TicketProof
    from orchestrator.trust.keys import VerificationKey
    from orchestrator.trust.signature_file import Signature
    from orchestrator.trust.ticket import Ticket


@dataclass(frozen=True, slots=True)
class TicketFiles:
    """A ticket and its signatures, in the bytes that were read."""

    text: bytes
    signatures: bytes

    @property
    def size_bytes(self) -> int:
        """What delivering them adds."""
        return len(self.text) + len(self.signatures)

    @property
    def digests(self) -> tuple[str, str]:
        """SHA-256 of the two, as a resolved plan names them."""
        text, signatures = (hashlib.sha256(data) for data in (self.text, self.signatures))
        return text.hexdigest(), signatures.hexdigest()

    @property
    def frames(self) -> tuple[Frame, ...]:
        """What devices are sent, in the order of `TICKET_FRAMES`."""
        from orchestrator.device.trust import TICKET_FRAMES

        return tuple(map(frame_of, TICKET_FRAMES, (self.text, self.signatures)))


def ticket_beside(artifact: Path) -> TicketFiles | None:
    """The ticket of an artifact's file: `app.mender` has `app.ticket` and `app.ticket.sig`.

    Raises:
        PlanError: there is a ticket, and a file of the two cannot be read.
    """
    path = path_beside(artifact)
    return TicketFiles(*read_with_signatures(path)) if path.exists() else None


def planned_ticket(
    files: TicketFiles | None, artifact: Artifact, trust_root: Path | None = None
) -> PlannedTicket | None:
    """The ticket for a plan with this artifact.

    Args:
        files: what lies beside the artifact.
        artifact: what is delivered with it.
        trust_root: the operator's own root, to say beforehand which signatures devices count.

    Raises:
        TrustError: it is no ticket, the other file holds no signatures, or it is about another
            artifact: no device would take it. The root is none.
        PlanError: the root cannot be read.
    """
    if files is None:
        return None
    from orchestrator.plan.resolved import PlannedOpening, PlannedTicket
    from orchestrator.trust.judge import Delivery, check_delivery
    from orchestrator.trust.signature_file import parse_signatures
    from orchestrator.trust.ticket import parse_ticket

    ticket = parse_ticket(files.text)
    signatures = parse_signatures(files.signatures)
    check_delivery(ticket, Delivery(artifact.manifest_sha256, artifact.name))
    text_sha256, signatures_sha256 = files.digests
    return PlannedTicket(
        sha256=text_sha256,
        signatures_sha256=signatures_sha256,
        fleet=ticket.fleet,
        serial=ticket.serial,
        expires_at=float(ticket.expires_s),
        security_version=ticket.security_version,
        device_types=ticket.device_types,
        openings=tuple(
            PlannedOpening(line.percent, float(line.not_before_s)) for line in ticket.openings
        ),
        proof=None if trust_root is None else _proof(files.text, signatures, ticket, trust_root),
    )


def _proof(
    text: bytes, signatures: Sequence[Signature], ticket: Ticket, trust_root: Path
) -> TicketProof | None:
    """The signatures that holders of this root count; None where it is of another fleet."""
    from orchestrator.plan.resolved import TicketProof
    from orchestrator.trust.purpose import Purpose, manifest_purpose
    from orchestrator.trust.root import Role

    root = read_root_file(trust_root).root
    if root.fleet != ticket.fleet:
        return None
    purpose, keys = Purpose.of(Role.RELEASE, root.fleet, text), root.of(Role.RELEASE)
    build = manifest_purpose(ticket).ssh_signed_by(signatures, root.of(Role.BUILD))
    plain = purpose.plainly_signed_by(signatures, keys)
    of_ssh = purpose.ssh_signed_by(signatures, keys)
    ssh_only = [key for key in of_ssh if key not in plain]
    return TicketProof(
        root_version=root.version,
        needed_count=root.threshold_release,
        signed=_by_kind([*plain, *ssh_only]),
        ssh_signed=_by_kind(of_ssh),
        is_build_signed=bool(build),
        ssh_only=_by_kind(ssh_only),
        build_signed=_by_kind(build),
    )


def _by_kind(keys: Sequence[VerificationKey]) -> dict[str, int]:
    return dict(sorted(Counter(str(key.kind) for key in keys).items()))


def refuse_other_ticket(files: TicketFiles | None, resolved: ResolvedPlan) -> None:
    """Refuses what is not the ticket that the plan was made with, also none in place of one.

    Raises:
        StalePlanError: it is another one, or no ticket at all.
    """
    wanted = resolved.artifact.ticket
    if wanted is None and files is None:
        return
    digests = None if files is None else files.digests
    if wanted is None or digests != (wanted.sha256, wanted.signatures_sha256):
        message = f"the ticket of `{resolved.artifact.path}` is not the one of the plan"
        hint = "put the old files back, or preview the plan again"
        raise StalePlanError(message, hint=hint, code="P316")


def ticket_frames(artifact: Path, resolved: ResolvedPlan) -> tuple[Frame, ...]:
    """What devices are sent before the artifact; nothing for a plan that was made without a ticket.

    Raises:
        StalePlanError: the ticket is gone, or another one.
        PlanError: a file of it cannot be read.
    """
    if resolved.artifact.ticket is None:
        return ()
    files = ticket_beside(artifact)
    refuse_other_ticket(files, resolved)
    assert files is not None, "a plan with a ticket refuses that there is none"
    return files.frames
