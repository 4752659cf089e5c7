"""What asking the devices brought, before a plan is resolved; read-only facts as data."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.device.reason import Reason
from orchestrator.plan.tickets import PlannedTrust


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One device's answer, or why there is none.

    `artifact` and `manifest` are what it runs now ("" where it runs nothing of ours);
    `has_module` whether it has the update module for the planned artifact, and `keeps_previous`
    whether that one can go back after commit. `checks` are the health checks it has by name.
    `controller` is the one that it serves, "" while it serves none, and `epoch` the newest that it
    saw of that one; `trust` what it holds releases
    against, None where it has no trust root.
    `deadman` is what holds its dead-man (`systemd`, `init`, `cron`, `process`); "" if not said.
    `signs` is the kind of that host key, known here, with which it signs reports under its own
    name (`ed25519`, `ecdsa`); "" for none.
    `reason` is not OK where there is no such answer; `detail` is untrusted text.
    """

    reachable: bool
    enrolled: bool = True
    device_type: str = ""
    artifact: str = ""
    manifest: str = ""
    has_module: bool = True
    keeps_previous: bool = True
    checks: frozenset[str] = frozenset()
    controller: str = ""
    trust: PlannedTrust | None = None
    signs: str = ""
    deadman: str = ""
    reason: Reason = Reason.OK
    detail: str = ""
    epoch: int = 0
