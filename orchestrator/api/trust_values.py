"""What callers give to make, sign and judge tickets and roots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Unlock:
    """Where a passphrase or PIN comes from: the first line of a file, else a person.

    `ask` gets what is wanted, such as `passphrase of ann.key`; None where nobody can answer.
    """

    passphrase_file: Path | None = None
    ask: Callable[[str], str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SignWith:
    """A signer: the path of a private key, or a URI (`agent:FINGERPRINT`, `hsm:...`).

    `public` is the public part of a key that is in a token or a cloud.
    """

    uri: str
    unlock: Unlock = field(default_factory=Unlock)
    public: Path | None = None


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """A ticket to make for an artifact.

    `fleet` is that of `root` where it is empty. `serial` and `security_version` follow those of
    the tickets of the fleet in the directory of `out` where they are None. `expires` is a time or
    a duration, `openings` are `PERCENT@TIME`. `out` is beside the artifact, where plans look for
    it, when it is None.
    """

    artifact: Path
    expires: str
    fleet: str = ""
    root: Path | None = None
    serial: int | None = None
    security_version: int | None = None
    min_security_version: int | None = None
    openings: tuple[str, ...] = ()
    out: Path | None = None
    sign_with: tuple[SignWith, ...] = ()


@dataclass(frozen=True, slots=True)
class AttachRequest:
    """Papers to bind to an artifact; without any, those that are bound are signed once more."""

    artifact: Path
    sbom: Path | None = None
    vex: tuple[Path, ...] = ()
    provenance: tuple[Path, ...] = ()
    root: Path | None = None
    sign_with: tuple[SignWith, ...] = ()

    @property
    def has_papers(self) -> bool:
        """Whether it brings any."""
        return bool(self.sbom or self.vex or self.provenance)


@dataclass(frozen=True, slots=True)
class TicketChecks:
    """What a device would know: its id and type, what it is handed, and the time (now)."""

    artifact: Path | None = None
    device_id: str | None = None
    device_type: str | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class RootRequest:
    """A root to make: keys to add (role, and a file or `agent:FINGERPRINT`), and to remove (ids).

    `thresholds` are by role; those of the version before, or 1, where one is left out.
    """

    out: Path | None = None
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    thresholds: Mapping[str, int] = field(default_factory=dict)
    sign_with: tuple[SignWith, ...] = ()
