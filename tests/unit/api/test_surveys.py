"""What answers of devices mean where reports have to be signed."""

from __future__ import annotations

from pathlib import Path

from orchestrator.api.surveys import without_unsigned
from orchestrator.api.values import Settings
from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.survey import Surveyed

ABLE = Surveyed(reachable=True, signs="ed25519")
UNABLE = Surveyed(reachable=True)
SILENT = Surveyed(reachable=False, reason=Reason.UNREACHABLE)
FOUND = {DeviceId("a"): ABLE, DeviceId("b"): UNABLE, DeviceId("c"): SILENT}


def test_devices_that_cannot_sign_take_part_unless_they_have_to(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, state="", require_signed_reports=True)

    found = without_unsigned(settings, FOUND)

    assert [answer.reason for answer in found.values()] == [
        Reason.OK, Reason.REPORT, Reason.UNREACHABLE,
    ]  # fmt: skip
    assert without_unsigned(Settings(root=tmp_path, state=""), FOUND) == FOUND
