"""The release ticket of a plan, and when it lets which device in.

Devices judge the ticket by themselves; what is worked out here says beforehand what they will say.

Laws:
1. A device's bucket is the one that it computes itself (`device.bucket`).
2. A line lets in the buckets below its percentage from its time on. Lines rise in both, so the
   first line that has a bucket is the one that opens it.

Source: design "device and trust", B.3; docs/reference/release.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.device.bucket import bucket
from orchestrator.device.model import DeviceId

AT_ONCE = 0.0
ECDSA, ED25519 = "ecdsa-p256", "ed25519"


@dataclass(frozen=True, slots=True)
class PlannedOpening:
    """From `opens_at` (UTC seconds) on, the first `percent` of 100 buckets may begin."""

    percent: int
    opens_at: float


@dataclass(frozen=True, slots=True)
class TicketProof:
    """Release keys of the operator's own trust root that signed a ticket, by their kind.

    `needed_count` are the signatures that this version of the root asks for; `ssh_signed` those
    keys that signed in the form of SSH, and `ssh_only` those that signed in no other.
    `is_build_signed`: a build key signed beside it; `build_signed` counts these by kind.
    """

    root_version: int
    needed_count: int
    signed: Mapping[str, int]
    ssh_signed: Mapping[str, int] = field(default_factory=dict)
    is_build_signed: bool = False
    ssh_only: Mapping[str, int] = field(default_factory=dict)
    build_signed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedTicket:
    """The release ticket beside the artifact, identified by the digests of its two files.

    The rest is what devices read in it: for people, and to plan so that both agree. `proof` is
    there where the operator has a trust root of its fleet.
    """

    sha256: str
    signatures_sha256: str
    fleet: str
    serial: int
    expires_at: float
    security_version: int
    device_types: tuple[str, ...]
    openings: tuple[PlannedOpening, ...] = ()
    proof: TicketProof | None = None

    def opening_of(self, device: DeviceId) -> PlannedOpening | None:
        """The line that lets the device in, None where none does; asked where there are lines."""
        own = bucket(self.serial, device)
        return next((line for line in self.openings if own < line.percent), None)

    def opens_at(self, device: DeviceId) -> float | None:
        """When the device may begin in UTC seconds, or None for never."""
        if not self.openings:
            return AT_ONCE
        line = self.opening_of(device)
        return None if line is None else line.opens_at


@dataclass(frozen=True, slots=True)
class PlannedTrust:
    """What a device with a trust root holds a release against, as it said when it was asked.

    None is what it could not say, as with a broken root. `kinds`: of keys whose plain signatures it
    can check, sorted, and of Ed25519 those in the form of SSH, too; `reads_ssh`: these of every kind.
    """

    root_version: int | None
    fleet: str | None
    security_floor: int | None
    serial: int | None
    kinds: tuple[str, ...] = ()
    reads_ssh: bool = False

    @property
    def lacks_openssl(self) -> bool:
        """Whether something stands in for it that does not check an artifact's own signature."""
        return bool(self.kinds or self.reads_ssh) and ECDSA not in self.kinds

    def count(self, proof: TicketProof) -> int:
        """How many of the release keys that signed it can count."""
        return sum(self._counted(kind, proof) for kind in proof.signed)

    def counts_build(self, proof: TicketProof) -> bool:
        """Whether it can count one of the build keys that signed beside the ticket."""
        if self.reads_ssh:
            return proof.is_build_signed
        return any(kind in self.kinds for kind in proof.build_signed)

    def _counted(self, kind: str, proof: TicketProof) -> int:
        if kind not in self.kinds:
            return proof.ssh_signed.get(kind, 0) if self.reads_ssh else 0
        both = self.reads_ssh or kind == ED25519
        return proof.signed[kind] - (0 if both else proof.ssh_only.get(kind, 0))
