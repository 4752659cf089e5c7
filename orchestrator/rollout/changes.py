"""What one step of a rollout changed, as rows: what a store writes before any effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.rollout.events import JournalEntry, OperatorAsked

Row = Mapping[str, object]  # JSON-able


@dataclass(frozen=True, slots=True)
class Changes:
    """What `Rollout.apply` changed: written in one transaction, before any effect.

    `rollout` is the whole rollout row (always present, small); `devices` only those rows that
    changed. Rows come from `rollout.codec`; `state` stands in each for queries.

    `claims`: the rollout begins to work on its devices, which only one may do. `asks` are requests
    to other rollouts.
    """

    rollout: Row
    devices: Mapping[DeviceId, Row]
    journal: Sequence[JournalEntry]
    claims: bool = False
    asks: Sequence[tuple[str, OperatorAsked]] = ()
