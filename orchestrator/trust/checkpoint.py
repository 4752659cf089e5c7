"""What vouches for a journal: where it ended at a moment, as a short text with its signature.

    rollout-audit 1
    fleet acme-prod
    controller 8092778c80be3599
    rollout r-7f3a
    seq 120
    hash 64 hexadecimal digits
    rollouts 17
    last-origin 64 hexadecimal digits
    made 1763812800

Laws:
1. The namespace of the signature says the fleet again; no signature made for anything else counts.
2. There is one way to write a checkpoint: what parses is written back as the same bytes.
3. A signature counts as of the time in the text: keys may run out later. Revoked is revoked.

Source: design "device-and-trust" B.1, audit log.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.errors import TrustError
from orchestrator.rollout.audit import Fault, Finding, Head, Seal
from orchestrator.trust.allowed import AllowedSigner
from orchestrator.trust.revoked import Revoked
from orchestrator.trust.sshsig import signer_of

_FORM = re.compile(
    rb"rollout-audit 1\nfleet ([A-Za-z0-9][A-Za-z0-9._+-]{0,62})\ncontroller ([0-9a-f]{16})\n"
    rb"rollout ([!-~]{1,128})\nseq (0|[1-9][0-9]{0,14})\nhash ([0-9a-f]{64})\n"
    rb"rollouts (0|[1-9][0-9]{0,14})\nlast-origin ([0-9a-f]{64})\nmade (0|[1-9][0-9]{0,14})\n"
)
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head of a journal, of which store and when; `fleet` is its id where it has no name."""

    fleet: str
    controller_id: str
    head: Head
    made_at: int

    def text(self) -> str:
        """The bytes that are signed, as text."""
        head = self.head
        return (
            f"rollout-audit 1\nfleet {self.fleet}\ncontroller {self.controller_id}\n"
            f"rollout {head.rollout_id}\nseq {head.seq}\nhash {head.hash}\n"
            f"rollouts {head.rollout_count}\nlast-origin {head.last_origin}\nmade {self.made_at}\n"
        )


def namespace_of(fleet: str) -> str:
    """The namespace in which checkpoints of a fleet are signed."""
    return f"rollout-audit@{fleet}"


def read_checkpoint(data: bytes) -> Checkpoint | None:
    """A checkpoint from its bytes; None where they are not written as one."""
    match = _FORM.fullmatch(data)
    if match is None:
        return None
    fleet, controller, rollout, seq, hash_, count, origin, made = (
        part.decode("ascii") for part in match.groups()
    )
    head = Head(rollout, int(seq), hash_, int(count), origin)
    return Checkpoint(fleet, controller, head, int(made))


@dataclass(frozen=True, slots=True)
class Judge:
    """Whose checkpoints count, of which store.

    Attributes:
        controller_id: the store's.
        fleets: names under which its checkpoints may have been made.
        allowed: whose signatures count.
        revoked: keys that do not count any more.
    """

    controller_id: str
    fleets: Collection[str]
    allowed: Sequence[AllowedSigner]
    revoked: Revoked

    def judge(self, data: bytes) -> tuple[list[Seal], list[Finding]]:
        """The seals of a file of checkpoints, and what in it is none.

        An unfinished block at its end is nothing: whoever wrote it was killed.
        """
        seals: list[Seal] = []
        findings: list[Finding] = []
        others: dict[tuple[str, str], list[tuple[int, Checkpoint]]] = {}
        for line, text, signature in _blocks(data):
            checkpoint = read_checkpoint(text)
            if checkpoint is None:
                message = f"line {line} of the checkpoints begins something that is no checkpoint"
                findings.append(Finding(Fault.SEAL_FORM, message))
            elif not self._is_of_this_store(checkpoint):
                store = checkpoint.controller_id, checkpoint.fleet
                others.setdefault(store, []).append((line, checkpoint))
            elif isinstance(found := self._judged(line, checkpoint, text, signature), Seal):
                seals.append(found)
            else:
                findings.append(found)
        return seals, [*findings, *map(self._of_another, others.values())]

    def _is_of_this_store(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.controller_id == self.controller_id and checkpoint.fleet in self.fleets

    def _of_another(self, found: Sequence[tuple[int, Checkpoint]]) -> Finding:
        """One finding for all checkpoints of a store: a file that two stores share has many."""
        line, first = found[0]
        message = f"the checkpoint in line {line} "
        if len(found) > 1:
            message += f"(and {len(found) - 1} more) "
        if first.controller_id != self.controller_id:
            message += (
                f"is of another store, `{first.controller_id}`, and this one is "
                f"`{self.controller_id}`: each wants a file of its own (docs/how-to/audit.md, two stores)"
            )
        else:
            message += f"is of this store under the name `{first.fleet}`, which is not its `fleet`"
        return Finding(Fault.SEAL_UNSIGNED, message, first.head.rollout_id, first.head.seq)

    def _judged(
        self, line: int, checkpoint: Checkpoint, text: bytes, signature: bytes
    ) -> Seal | Finding:
        head, fleet = checkpoint.head, checkpoint.fleet
        where = f"the checkpoint in line {line}"
        try:
            signer = signer_of(
                text,
                signature,
                namespace_of(fleet),
                allowed=self.allowed,
                revoked=self.revoked,
                now=checkpoint.made_at,
            )
        except TrustError as error:
            message = f"{where} does not count: {error.message}"
            return Finding(Fault.SEAL_UNSIGNED, message, head.rollout_id, head.seq)
        return Seal(head, checkpoint.made_at, f"{where} by `{signer.principal}`")


def checkpoints_of(data: bytes, rollout_id: str) -> bytes:
    """Those blocks of a file of checkpoints that are about one rollout, as they stand there."""
    line = f"\nrollout {rollout_id}\n".encode()
    return b"".join(text + signature for _, text, signature in _blocks(data) if line in text)


def _blocks(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Texts with their signatures, and the line in which each begins."""
    line = 1
    for block in data.split(_END)[:-1]:
        text, begin, signature = block.partition(_BEGIN)
        yield line, text, begin + signature + _END
        line += block.count(b"\n") + 1
