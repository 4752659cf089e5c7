"""Bundles are written whole; whoever answers at a first contact must be the device."""

from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from orchestrator.api.admin_values import BundleRequest
from orchestrator.api.artifacts import key_generate
from orchestrator.api.bundles import _other_device, device_bundle
from orchestrator.api.values import Settings
from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.device.protocol import Reply
from orchestrator.errors import PlanError


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"device-type": "edge"}, ""),
        ({"device-type": "edge", "device-id": "gw-1"}, ""),
        ({"device-type": "rpi4", "device-id": "gw-1"}, "of the type `rpi4`"),
        ({"device-id": "gw-1"}, "of the type ``"),
        ({"device-type": "edge", "device-id": "gw-2"}, "calls itself `gw-2`"),
    ],
)
def test_another_device_behind_the_name_is_told(said: dict[str, str], problem: str) -> None:
    device = Device(DeviceId("gw-1"), Address("192.0.2.1"), labels={"device_type": "edge"})

    found = _other_device(device, Reply(0, tuple(said.items())))

    assert problem in found
    assert bool(problem) == bool(found)


async def test_bundle_is_the_same_each_time(tmp_path: Path) -> None:
    key_generate(tmp_path / "release.key")
    login = asyncssh.generate_private_key("ssh-ed25519")
    login.write_public_key(tmp_path / "login.pub")
    settings = Settings(root=tmp_path, state="")
    request = BundleRequest(
        tmp_path / "out", "edge", keys=(tmp_path / "release.key.pub",),
        login_key=tmp_path / "login.pub",
    )  # fmt: skip

    written = await device_bundle(settings, request)
    first = [path.read_bytes() for path in written]
    again = await device_bundle(settings, request)

    assert [path.suffix for path in written] == [".tar", ".sh", ".deb"]
    assert [path.read_bytes() for path in again] == first
    by_doas = await device_bundle(settings, replace(request, become="doas"))
    assert [path.suffix for path in by_doas] == [".tar", ".sh"]  # Debian's reads another file
    (tmp_path / "file").touch()
    with pytest.raises(PlanError) as caught:
        await device_bundle(
            settings,
            BundleRequest(tmp_path / "file", "edge", request.keys, login_key=request.login_key),
        )
    assert caught.value.code == "D118"
