"""How a release behaves on a simulated device, and what devices tell of it that is not so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Release:
    """How a release behaves on a device. `healthy`: its checks pass.

    `bricks`: unreachable once active, until the dead-man goes back. `restarts`: takes the device
    down a moment after it started. `corrupt`: what is in place is not its content, though it
    claims so. `lacks_checks`: it has no health checks.
    """

    name: str
    manifest: str
    healthy: bool = True
    bricks: bool = False
    restarts: bool = False
    install_fails: bool = False
    activate_fails: bool = False
    commit_fails: bool = False
    rollback_fails: bool = False
    silent_check: bool = False
    lacks_checks: bool = False
    corrupt: bool = False

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with it."""
        return self == Release(self.name, self.manifest)


class Lie(StrEnum):
    """What a device says of itself that is not so."""

    TARGET = "target"  # runs the target; it never switches
    OLD = "old"  # runs what it ran before
    STATE = "state"  # committed, right after its activation
    NONCE = "nonce"  # answers a question that was not asked
    WELL = "well"  # its checks pass
