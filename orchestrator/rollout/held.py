"""Which ends of a device keep its pair with the artifact from being tried again.

Laws:
1. A device that failed or was taken back is held from that artifact until it is tried again by
   name, or somebody lets it go. One that could not go back is held from every rollout.
2. Trouble on the way to a device says nothing of the artifact, and holds nothing; neither does a
   way back that the controller's own absence caused (R6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import CONNECT_REASONS, Reason
from orchestrator.rollout.states import DeviceState

Row = Mapping[str, object]

EVERYWHERE = DeviceState.ROLLBACK_FAILED
_HOLDS = frozenset({DeviceState.FAILED, DeviceState.ROLLED_BACK, EVERYWHERE})
_ON_THE_WAY = CONNECT_REASONS | {Reason.HOST_KEY, Reason.AUTHENTICATION}
_LET_GO = frozenset({
    DeviceState.QUEUED, DeviceState.UNCERTAIN, DeviceState.SUCCEEDED, DeviceState.UNCHANGED,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """A device that is left out: since when (UTC seconds), why, and which rollout held it."""

    device: DeviceId
    since: float
    why: str
    rollout_id: str
    everywhere: bool

    @property
    def text(self) -> str:
        """What became of it, and where."""
        return f"{self.why} in rollout `{self.rollout_id}`"


def holds(row: Row) -> bool:
    """Whether a device's row holds it."""
    state = row.get("state")
    if state == EVERYWHERE:
        return True
    return state in _HOLDS and not row.get("excused") and row.get("reason") not in _ON_THE_WAY


def lets_go(row: Row) -> bool:
    """Whether a device's row ends what an earlier one held: it is tried again, or proved well."""
    return row.get("state") in _LET_GO


def since(row: Row) -> float:
    """When the device came into that state."""
    at = row.get("since")
    return float(at) if isinstance(at, int | float) else 0.0


def why(row: Row) -> str:
    """In words: what became of the device, and of what kind that was."""
    words = str(row.get("state", "")).replace("_", " ")
    reason = str(row.get("reason", Reason.OK))
    return words if reason == Reason.OK else f"{words} ({reason})"
