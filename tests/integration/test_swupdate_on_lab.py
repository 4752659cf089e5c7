"""docs/how-to/from-swupdate.md, word for word, with the SWUpdate that is installed here.

A fleet whose devices have two slots and SWUpdate gets one update in waves, and a bad one is stopped
in the first wave and taken back.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device import slots_kit, swupdate_kit
from tests.integration.client_fleet import DEVICES, ClientFleet

MISSING = [name for name in ("swupdate", "cpio", "openssl") if not shutil.which(name)]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.night,  # 46 seconds; the contract of the modules runs real SWUpdate by day
    pytest.mark.timeout(480),
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} are not installed"),
]
# A program of a device is started in the device's root, so that the same update fits all of them.
CLIENT = '#!/bin/sh\ncd "$ROLLOUT_ROOT" && exec {real} "$@"\n'
ARGS = """case $(cat "$ROLLOUT_ROOT/proc/cmdline") in *slot-a*) other=b ;; *) other=a ;; esac
SWUPDATE_ARGS="-H lab:1.0 -k {key} -e stable,$other"
"""
BOOT = """slot=$(sed -n 's/^rollout_slot=//p' {root}/boot/grub/grubenv)
echo root=/dev/slot-$slot >{root}/proc/cmdline"""
CHECK = """#!/bin/sh
read -r root <"$ROLLOUT_ROOT/proc/cmdline"
! head -n 1 "$ROLLOUT_ROOT/${root#root=/}" | grep -q bad
"""
SLOT = """{{ images: ( {{ filename = "system.img"; device = "/proc/self/cwd/dev/slot-{slot}"; type = "raw"; sha256 = "{image}"; }} );
  scripts: ( {{ filename = "post.sh"; type = "shellscript"; sha256 = "{post}"; }} ); }};"""
POST = """#!/bin/sh
[ "$1" = postinst ] || exit 0
case $(cat "$ROLLOUT_ROOT/proc/cmdline") in *slot-a*) other=b ;; *) other=a ;; esac
sed -i "s/rollout_slot=./rollout_slot=$other/" "$ROLLOUT_ROOT/boot/grub/grubenv"
"""


class Fleet:
    """The desk, the trees of its gateways, and the key of those who build."""

    def __init__(self, desk: ClientFleet, roots: list[Path]) -> None:
        self.desk, self.roots, self._place = desk, roots, desk.project.root
        argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj"]
        argv += ["/CN=t", "-addext", "extendedKeyUsage=emailProtection"]
        argv += ["-keyout", "swu.key", "-out", "swu.pem"]
        subprocess.run(argv, cwd=self._place, check=True, capture_output=True)
        for root in roots:
            self._furnish(root)

    def _furnish(self, root: Path) -> None:
        """Makes it a device with two slots and an SWUpdate that believes in a key of its own."""
        swupdate_kit.prepare(root)
        key = shutil.copy(self._place / "swu.pem", root / "etc/swupdate.pem")
        (root / "usr/lib/swupdate/conf.d/09-args").write_text(ARGS.format(key=key))
        programs = {
            "programs/swupdate": CLIENT.format(real=shutil.which("swupdate")),
            "etc/rollout/health.d/system": CHECK,
        }
        self.desk.furnish(root, BOOT.format(root=root), programs)

    def update(self, version: str, name: str) -> None:
        """What the build leaves: an update for both slots, signed for the gateways' SWUpdate."""
        content = self._place / name
        content.mkdir()
        (content / "system.img").write_bytes(slots_kit.image(name))
        (content / "post.sh").write_text(POST)
        image, post = (
            hashlib.sha256((content / file).read_bytes()).hexdigest()
            for file in ("system.img", "post.sh")
        )
        both = "".join(
            f"{slot}: {SLOT.format(slot=slot, image=image, post=post)}\n" for slot in "ab"
        )
        (content / "sw-description").write_text(
            f'software = {{ version = "1.0"; hardware-compatibility: [ "1.0" ]; stable = {{\n{both} }}; }}\n'
        )
        sign = ["openssl", "cms", "-sign", "-in", "sw-description", "-out", "sw-description.sig"]
        sign += ["-signer", "../swu.pem", "-inkey", "../swu.key"]
        for argv, stdin in (
            ([*sign, "-outform", "DER", "-nosmimecap", "-binary"], b""),
            (
                ["cpio", "-o", "-H", "crc", "-F", f"../gateway-{version}.swu"],
                b"sw-description\nsw-description.sig\nsystem.img\npost.sh\n",
            ),
        ):
            subprocess.run(argv, cwd=content, input=stdin, check=True, capture_output=True)


@pytest.fixture
def fleet(tmp_path: Path, rollout_program: Path) -> Iterator[Fleet]:
    desk = ClientFleet(tmp_path, rollout_program, "from-swupdate.md")
    try:
        yield Fleet(desk, desk.up())
    finally:
        desk.down()


def test_page_from_swupdate_holds_for_a_fleet_with_a_good_update_and_a_bad_one(
    fleet: Fleet,
) -> None:
    _, build, roll_out, bad = fleet.desk.blocks

    fleet.update("2.0", "good-2.0")
    fleet.desk.type(build)
    said = fleet.desk.type(roll_out)
    assert f"{DEVICES} to update" in said
    assert [slots_kit.running(root) for root in fleet.roots] == ["good-2.0"] * DEVICES
    before = [slots_kit.environment(root) for root in fleet.roots]

    fleet.update("2.1", "bad-2.1")
    said = fleet.desk.type(bad)

    assert "gate `system is well` failed" in said
    assert [slots_kit.running(root) for root in fleet.roots] == ["good-2.0"] * DEVICES
    assert [slots_kit.environment(root) for root in fleet.roots] == before
    tried = [(root / "dev/slot-a").read_bytes().startswith(b"bad-2.1") for root in fleet.roots]
    assert tried.count(True) == 1  # the canary alone
