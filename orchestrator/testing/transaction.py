"""One transaction of a simulated device: what came in, and whether it is what somebody signed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.device.protocol import Rc
from orchestrator.testing.release import NOTHING

FLEET = "sim"

Line = tuple[str, str]
Answer = tuple[int, list[Line]]

OPEN = frozenset({"staging", "verified", "installed"})
LIVE = frozenset({"probation", "confirmed"})
KNOWN = LIVE | {"committed"}


@dataclass(frozen=True, slots=True)
class Holder:
    """What a device holds a delivery against: its name, its clock, and whether it has a root."""

    name: str
    rooted: bool
    clock_at: float


@dataclass(slots=True)
class Txn:
    """One transaction as the device recorded it."""

    id: str
    state: str = "staging"
    frames: dict[str, bytearray] = field(default_factory=dict)
    manifest: str = ""
    deadline_at: float = 0.0
    previous: str = NOTHING

    def take(self, name: str, data: bytes, offset: int) -> bool:
        """Bytes of a frame came in; False when they do not fit where it stands."""
        held = self.frames.setdefault(name, bytearray())
        if offset == 0:
            held.clear()
        if len(held) != offset:
            return False
        held += data
        return True

    def verify(self, holder: Holder) -> Answer | None:
        """Ticket, signature and hashes; an answer is a refusal, and its end."""
        refusal = self._judge(holder)
        if refusal is not None:
            self.state = "aborted"
            return refusal
        self.manifest = hashlib.sha256(self._frame("manifest")).hexdigest()
        self.state = "verified"
        return None

    def abort(self) -> None:
        """Removes what was staged."""
        self.state = "aborted"
        self.frames.clear()

    def _judge(self, holder: Holder) -> Answer | None:
        manifest = self._frame("manifest")
        if holder.rooted and (refusal := self._judge_ticket(manifest, holder)):
            return refusal
        if self._frame("manifest.sig") != sign(manifest):
            return refuse(Rc.DENIED, "denied")
        for line in manifest.decode().splitlines():
            digest, name = line.split("  ")
            if hashlib.sha256(self._frame(name)).hexdigest() != digest:
                return refuse(Rc.DENIED, "denied")
        return None

    def _judge_ticket(self, manifest: bytes, holder: Holder) -> Answer | None:
        ticket = self._frame("ticket")
        if not ticket:
            return refuse(Rc.DENIED, "no_ticket")
        if self._frame("ticket.sig") != sign(ticket):
            return refuse(Rc.DENIED, "ticket_signatures")
        head, *lines = ticket.splitlines(keepends=True)
        if head != ticket_for(manifest):
            return refuse(Rc.DENIED, "ticket_manifest")
        return None if _lets_in(lines, holder) else refuse(Rc.NOT_NOW, "not_open_yet")

    def _frame(self, name: str) -> bytes:
        return bytes(self.frames.get(name, b""))


def sign(data: bytes) -> bytes:
    """The simulated signature of a manifest or ticket; good enough to be got wrong."""
    return b"signed:" + hashlib.sha256(data).hexdigest().encode()


def ticket_for(manifest: bytes, serial: int = 0, lines: Sequence[tuple[int, float]] = ()) -> bytes:
    """The simulated ticket: it names the manifest, and who may begin when (percent and time)."""
    text = f"manifest-sha256 {hashlib.sha256(manifest).hexdigest()}\n"
    text += "".join(f"open {serial} {percent} {at!r}\n" for percent, at in lines)
    return text.encode()


def bucket_of(serial: int, device: str) -> int:
    """Where a device stands among 100, as it reckons itself: new for each serial."""
    return int(hashlib.sha256(f"{serial} {device}".encode()).hexdigest()[:8], base=16) % 100


def _lets_in(lines: Sequence[bytes], holder: Holder) -> bool:
    """Whether one of the lines does, by the device's own clock; no lines let everybody in."""
    words = [line.decode().split() for line in lines]
    return not words or any(
        bucket_of(int(serial), holder.name) < int(percent) and float(at) <= holder.clock_at
        for _open, serial, percent, at in words
    )


def refuse(rc: int, reason: str) -> Answer:
    """A refusal with its reason."""
    return rc, [("reason", reason)]
