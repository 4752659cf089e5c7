"""What asking the devices brought, before a plan is resolved; read-only facts as data."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.device.reason import Reason


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One device's answer, or why there is none.

    `artifact` and `manifest` are what it runs now ("" where it runs nothing of ours);
    `keeps_previous` whether the update module for the planned artifact can go back after commit.
    `controller` is the one that it serves, "" while it serves none.
    `reason` is not OK where there is no such answer; `detail` is untrusted text.
    """

    reachable: bool
    enrolled: bool = True
    device_type: str = ""
    artifact: str = ""
    manifest: str = ""
    keeps_previous: bool = True
    controller: str = ""
    reason: Reason = Reason.OK
    detail: str = ""
