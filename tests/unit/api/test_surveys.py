"""What answers of devices mean for this project: reports that have to be signed, and older stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.api.stores import open_state
from orchestrator.api.surveys import refuse_restored, without_unsigned
from orchestrator.api.values import Settings
from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode, StoreError
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


async def test_one_epoch_that_the_store_never_gave_out_shows_that_it_is_an_older_copy(
    tmp_path: Path,
) -> None:
    """The next epoch of the copy would be the same, and no device could tell the two apart."""
    settings = Settings(root=tmp_path, state=str(tmp_path / "state.db"))
    async with open_state(settings) as store:
        ours = store.controller_id()
        await store.acquire("r-1", "me", ttl_s=10.0, now=0.0)

    def seen(epoch: int, controller: str = ours) -> dict[DeviceId, Surveyed]:
        return {DeviceId("a"): Surveyed(reachable=True, controller=controller, epoch=epoch)}

    await refuse_restored(settings, seen(1))
    await refuse_restored(settings, seen(9, controller="another"))
    with pytest.raises(StoreError, match="`a` was served under epoch 2, and 1 is") as refused:
        await refuse_restored(settings, seen(2))

    assert refused.value.exit_code is ExitCode.LOCKED
    assert "rollout device adopt" in refused.value.hint
