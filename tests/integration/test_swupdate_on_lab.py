"""A fleet whose devices have SWUpdate: a plan updates it in waves, and stops and takes back a bad one."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode
from tests.device import slots_kit, swupdate_kit
from tests.integration.project import Project

MISSING = [name for name in ("swupdate", "cpio", "openssl") if not shutil.which(name)]
# At night: two rollouts with reboots by the command line take minutes.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.night,
    pytest.mark.timeout(480),
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} are not installed"),
]
DEVICES = 3
# A program of a device is started in the device's root, so that the same update fits all of them.
CLIENT = '#!/bin/sh\ncd "$ROLLOUT_ROOT" && exec {real} "$@"\n'
ARGS = """case $(cat "$ROLLOUT_ROOT/proc/cmdline") in *slot-a*) other=b ;; *) other=a ;; esac
SWUPDATE_ARGS="-H lab:1.0 -k {key} -e stable,$other"
"""
REBOOT = '#!/bin/sh\n: >"{root}/run/reboot"\n'
# What a boot loader does, before anything of the system runs.
LAUNCH = """#!/bin/sh
PATH={root}/programs:$PATH
[ "${{1-}}" != boot ] ||
  echo "root=/dev/slot-$(sed -n 's/^rollout_slot=//p' {root}/boot/grub/grubenv)" >{root}/proc/cmdline
"""
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
GATES = """gates:
  - name: system healthy
    check: system
    success_when: result.exit == 0
timeouts: {reboot: 60s}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path, devices=DEVICES)
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj"]
    argv += ["/CN=t", "-addext", "extendedKeyUsage=emailProtection"]
    argv += ["-keyout", f"{tmp_path}/swu.key", "-out", f"{tmp_path}/swu.pem"]
    subprocess.run(argv, check=True, capture_output=True)
    project.up()
    for root in roots(project):
        furnish(root, tmp_path / "swu.pem")
    try:
        yield project
    finally:
        project.down()
        shutil.rmtree(tmp_path / ".rollout", ignore_errors=True)


def furnish(root: Path, key: Path) -> None:
    """Makes it a device with two slots and an SWUpdate that believes in a key of its own."""
    swupdate_kit.prepare(root)
    shutil.copy(key, root / "etc/swupdate.pem")
    args = root / "usr/lib/swupdate/conf.d/09-args"
    args.write_text(ARGS.format(key=root / "etc/swupdate.pem"))
    launch = (
        (root / "usr/lib/rollout/launch").read_text().replace("\npath=", f"\npath={root}/programs:")
    )
    for name, text in {
        "programs/swupdate": CLIENT.format(real=shutil.which("swupdate")),
        "sbin/reboot": REBOOT.format(root=root),
        "etc/rollout/health.d/system": CHECK,
        "usr/lib/rollout/launch": launch.replace("#!/bin/sh\n", LAUNCH.format(root=root), 1),
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
        (root / name).chmod(0o755)


def release(project: Project, name: str) -> Path:
    """An update for both slots, signed for SWUpdate, in an artifact that is signed for us; and its plan."""
    content = project.root / name
    content.mkdir()
    (content / "system.img").write_bytes(slots_kit.image(name))
    (content / "post.sh").write_text(POST)
    image, post = (
        hashlib.sha256((content / file).read_bytes()).hexdigest()
        for file in ("system.img", "post.sh")
    )
    slots = "".join(f"{slot}: {SLOT.format(slot=slot, image=image, post=post)}\n" for slot in "ab")
    (content / "sw-description").write_text(
        f'software = {{ version = "1.0"; hardware-compatibility: [ "1.0" ]; stable = {{\n{slots} }}; }}\n'
    )
    sign = ["openssl", "cms", "-sign", "-in", "sw-description", "-out", "sw-description.sig"]
    sign += ["-signer", "../swu.pem", "-inkey", "../swu.key"]
    for argv, stdin in (
        ([*sign, "-outform", "DER", "-nosmimecap", "-binary"], b""),
        (
            ["cpio", "-o", "-H", "crc", "-F", "../system.swu"],
            b"sw-description\nsw-description.sig\nsystem.img\npost.sh\n",
        ),
    ):
        subprocess.run(argv, cwd=content, input=stdin, check=True, capture_output=True)
    project.run(
        "artifact", "build", "module", "swupdate", "--file", "system.swu", "-n", name, "-t", "lab",
        "--key", "release.key", "-o", f"{name}.mender",
    )  # fmt: skip
    return project.plan(name, waves="[1, rest]", more=GATES)


def roots(project: Project) -> list[Path]:
    return [project.device_root(f"lab-{number:02d}") for number in range(1, DEVICES + 1)]


def test_an_update_goes_through_the_fleet_and_a_bad_one_is_taken_back_from_the_first_wave(
    project: Project,
) -> None:
    project.apply(release(project, "good-1"))
    assert [slots_kit.running(root) for root in roots(project)] == ["good-1"] * DEVICES
    before = [slots_kit.environment(root) for root in roots(project)]

    project.apply(release(project, "bad-2"), code=ExitCode.ROLLED_BACK)

    assert [slots_kit.running(root) for root in roots(project)] == ["good-1"] * DEVICES
    assert [slots_kit.environment(root) for root in roots(project)] == before
    tried = [(root / "dev/slot-a").read_bytes().startswith(b"bad-2") for root in roots(project)]
    assert tried.count(True) == 1  # the canary alone
