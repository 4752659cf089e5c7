"""docs/how-to/from-rauc.md, word for word, with the RAUC that is installed here.

A fleet whose devices have slots of RAUC gets one bundle in waves, and a bad one is stopped in the
first wave and taken back. Each device's RAUC runs beside the device's namespaces, where it can
mount, and on a bus of the device's own.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.device.installed_rauc_kit import Installed, why_not
from tests.integration.client_fleet import DEVICES, ClientFleet

# At night: it takes a core for 12 seconds, and SWUpdate's is the same story.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.night,
    pytest.mark.root,
    pytest.mark.timeout(480),
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "can run"),
]
# The boot hook waits until the boot loader has chosen, and RAUC was started for that slot.
BOOT = "echo boot >{place}/power; read -r _ <{place}/up"
CHECK = """#!/bin/sh
read -r slot <{place}/booted
! head -n 1 {place}/$slot | grep -q bad
"""


@dataclass
class Gateway:
    """A device of the lab and its RAUC."""

    root: Path
    rauc: Installed

    def keep_booting(self) -> None:
        """Plays the boot loader, whenever the device boots."""
        place = self.rauc.place
        while (place / "power").read_text() == "boot\n":
            self.rauc.boot()
            (place / "up").write_text("up\n")


@dataclass
class Fleet:
    """The desk and its gateways."""

    desk: ClientFleet
    gateways: list[Gateway]

    def bundle(self, version: str, content: str) -> None:
        """What the build leaves: a bundle that is signed for the gateways' RAUC."""
        made = self.gateways[0].rauc.bundle(content)
        (self.desk.project.root / f"gateway-{version}.raucb").write_bytes(made)


@pytest.fixture
def fleet(tmp_path: Path, rollout_program: Path) -> Iterator[Fleet]:
    desk = ClientFleet(tmp_path, rollout_program, "from-rauc.md")
    gateways: list[Gateway] = []
    try:
        for root in desk.up():
            (root / "rauc").mkdir()
            gateways.append(Gateway(root, Installed(root / "rauc")))
            furnish(desk, gateways[-1], gateways[0].rauc.place / "cert.pem")
        yield Fleet(desk, gateways)
    finally:
        for gateway in gateways:
            (gateway.rauc.place / "power").write_text("off\n")
            gateway.rauc.stop()
        desk.down()


def furnish(desk: ClientFleet, gateway: Gateway, keyring: Path) -> None:
    """Makes it a device that believes in the bundles of this keyring, and boots by its RAUC's slots."""
    root, place = gateway.root, gateway.rauc.place
    if keyring.parent != place:
        shutil.copy(keyring, place)
    for fifo in ("power", "up"):
        os.mkfifo(place / fifo)
    (root / "etc/rauc").mkdir()
    shutil.copy(place / "system.conf", root / "etc/rauc")
    programs = {
        "programs/rauc": gateway.rauc.read("client"),
        "etc/rollout/health.d/system": CHECK.format(place=place),
    }
    desk.furnish(root, BOOT.format(place=place), programs)
    threading.Thread(target=gateway.keep_booting, daemon=True).start()


def test_page_from_rauc_holds_for_a_fleet_with_a_good_bundle_and_a_bad_one(fleet: Fleet) -> None:
    desk, gateways = fleet.desk, fleet.gateways
    _, build, roll_out, bad = desk.blocks

    fleet.bundle("2.0", "good-2.0")
    desk.type(build)
    said = desk.type(roll_out)
    assert f"{DEVICES} to update" in said
    assert [gateway.rauc.running for gateway in gateways] == ["good-2.0"] * DEVICES
    stood = [gateway.rauc.status() for gateway in gateways]
    assert stood == [{"booted": "B", "primary": "rootfs.1", "A": "good", "B": "good"}] * DEVICES

    fleet.bundle("2.1", "bad-2.1")
    said = desk.type(bad)

    assert "gate `system is well` failed" in said
    assert [gateway.rauc.running for gateway in gateways] == ["good-2.0"] * DEVICES
    tried = [(gateway.rauc.place / "A").read_bytes().startswith(b"bad-2.1") for gateway in gateways]
    assert tried.count(True) == 1  # the canary alone
    marked = [
        {**before, "A": "bad"} if was else before for before, was in zip(stood, tried, strict=True)
    ]
    assert [gateway.rauc.status() for gateway in gateways] == marked
