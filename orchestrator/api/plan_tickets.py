"""The release ticket of a plan's artifact: it lies beside it, and is delivered as it was planned.

Law: what is sent is what was hashed. The resolved plan, which is what people approve, has the digests
of ticket and signatures; another ticket for the same artifact is another plan.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.frames import frame_of
from orchestrator.api.project import read_file
from orchestrator.errors import StalePlanError

if TYPE_CHECKING:
    from orchestrator.artifact.model import Artifact
    from orchestrator.device.protocol import Frame
    from orchestrator.plan.resolved import PlannedTicket, ResolvedPlan

SUFFIX = ".ticket"
FILE_BYTES_MAX = 1024 * 1024  # a ticket has 16 KiB; beyond this nothing is read to say so


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
    def planned(self) -> PlannedTicket:
        """The ticket as a resolved plan names it.

        Raises:
            TrustError: it is no ticket, or the other file holds no signatures.
        """
        from orchestrator.plan.resolved import PlannedTicket
        from orchestrator.trust.signature_file import parse_signatures
        from orchestrator.trust.ticket import parse_ticket

        ticket = parse_ticket(self.text)
        parse_signatures(self.signatures)
        return PlannedTicket(
            sha256=hashlib.sha256(self.text).hexdigest(),
            signatures_sha256=hashlib.sha256(self.signatures).hexdigest(),
            fleet=ticket.fleet,
            serial=ticket.serial,
            expires_at=float(ticket.expires_s),
        )

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
    path = artifact.with_name(artifact.name.removesuffix(".mender") + SUFFIX)
    if not path.exists():
        return None
    signatures = path.with_name(f"{path.name}.sig")
    return TicketFiles(read_file(path, FILE_BYTES_MAX), read_file(signatures, FILE_BYTES_MAX))


def planned_ticket(files: TicketFiles | None, artifact: Artifact) -> PlannedTicket | None:
    """The ticket for a plan with this artifact.

    Raises:
        TrustError: it is no ticket, or about another artifact: no device would take it.
    """
    if files is None:
        return None
    from orchestrator.trust.judge import Delivery, check_delivery
    from orchestrator.trust.ticket import parse_ticket

    planned = files.planned
    check_delivery(parse_ticket(files.text), Delivery(artifact.manifest_sha256, artifact.name))
    return planned


def refuse_other_ticket(files: TicketFiles | None, resolved: ResolvedPlan) -> None:
    """Refuses what is not the ticket that the plan was made with, also none in place of one.

    Raises:
        StalePlanError: it is another one, or no ticket at all.
    """
    wanted = resolved.artifact.ticket
    if wanted is None and files is None:
        return
    found = () if files is None else (files.text, files.signatures)
    digests = tuple(hashlib.sha256(data).hexdigest() for data in found)
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
