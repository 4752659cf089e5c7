"""What Mender's own client does in 92 situations, and which of them a device of ours can meet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_PLACE = "shared/data/mender-state-cases.json"  # beside this project, not part of it
CASES = [root / _PLACE for root in Path(__file__).parents if (root / _PLACE).exists()]

_POLLS = "a client asks its server in the states Idle and Sync; nothing polls here"
_FINISHED = "a commit was ordered after the proof: what cut it off lets it be finished, not undone"
_VERIFIED_FIRST = "the core refuses the delivery before any script or module runs"
_DISK = "the core writes its own record first, and starts nothing when it cannot"

NOT_OURS: Mapping[str, str] = {
    "Normal_flow_Idle_Sync_Idle": _POLLS,
    "Idle_Leave_Error": _POLLS,
    "Sync_Enter_Error": _POLLS,
    "Sync_Leave_Error": _POLLS,
    "Sync_Leave_Error_multiple_deployments": _POLLS,
    "Error_in_ArtifactInstall_depends_check": _VERIFIED_FIRST,
    "Broken_Download": _VERIFIED_FIRST,
    "Empty_payload_artifact": "a payload of type null is refused: it would only change provides",
    "Killed_in_ArtifactCommit": _FINISHED,
    "Killed_in_ArtifactCommit__no_reboot": _FINISHED,
    "Killed_in_ArtifactCommit_Enter_00": _FINISHED,
    "Killed_in_ArtifactCommit_Enter_00__no_reboot": _FINISHED,
    "Aborted_update_before_download": "nothing was delivered, so nothing happens",
    "Completely_non_writable_database": _DISK,
    "Non_writable_database_in_ArtifactInstall_Enter": _DISK,
    "Deployment_with_Update_Control": "a pause between states is the controller's",
}
# the client breaks off its loops where it stands; the executor goes on to the end after seven rounds
ENDLESS = ("Break_out_of_error_loop", "Break_out_of_spontaneous_reboot_loop")


class Outcome(StrEnum):
    """How an update ended."""

    INSTALLED = "SuccessfulInstall"
    BACK = "SuccessfulRollback"
    INCONSISTENT = "UnsuccessfulInstall"


@dataclass(frozen=True)
class Case:
    """One situation, and what has to be called in it."""

    name: str
    fails: tuple[str, ...]
    killed: tuple[str, ...]
    hangs: tuple[str, ...]
    forever: bool
    rollback: bool
    reboot: bool
    sizes: str
    chain: tuple[str, ...]
    outcome: Outcome

    @property
    def rolled_back_before(self) -> str:
        """The verb before which the controller orders the way back; empty when it does not."""
        stops = {
            "Aborted_update_before_install": "activate",
            "Aborted_update_before_reboot": "reboot",
            "Permanent_failure_in_report_sending_after_reboot": "commit",
        }
        return stops.get(self.name, "")


def cases() -> list[Case]:
    """All that were stored; none where the file is absent."""
    if not CASES:
        return []
    return [_case(stored) for stored in json.loads(CASES[0].read_text())["cases"]]


def _case(stored: dict[str, object]) -> Case:
    def names(key: str) -> tuple[str, ...]:
        value = stored.get(key, ())
        assert isinstance(value, list | tuple)
        return tuple(str(name) for name in value)

    return Case(
        name=str(stored["case"]),
        fails=names("error_states"),
        killed=names("spont_reboot_states"),
        hangs=names("hang_states"),
        forever=bool(stored.get("error_forever") or stored.get("spont_reboot_forever")),
        rollback=not stored.get("rollback_disabled"),
        reboot=not stored.get("reboot_disabled"),
        sizes=str(stored.get("provide_file_sizes", "")).rpartition("::")[2],
        chain=names("state_chain"),
        outcome=Outcome(str(stored["install_outcome"]).rpartition("::")[2]),
    )
