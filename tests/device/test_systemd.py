"""The dead-man as a timer of systemd: a real one, as the first process of a namespace."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.device.kit import Device, Release, sha, txn

SYSTEMD = Path("/lib/systemd/systemd")
WAIT_S = 60.0
CGROUPS = Path("/sys/fs/cgroup/systemd")
SCOPES = ("system.slice", "init.scope")
TARGETS = ("basic", "default", "shutdown", "sysinit", "timers")
# $1: the device, whose files lie over those of this machine; $2: a place for the rest
BEGIN = """set -e
mount --make-rprivate /
mount -t proc proc /proc
for tree in usr etc var; do
  mkdir -p "$2/$tree"
  mount -t overlay -o "lowerdir=/$tree,upperdir=$1/$tree,workdir=$2/$tree" overlay "/$tree"
done
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd 2>/dev/null ||
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
(
  until [ -S /run/systemd/private ]; do sleep 0.1; done
  SSH_ORIGINAL_COMMAND=$3 sh /usr/lib/rollout/helper.sh >/var/answer 2>&1
) &
export container=lxc SYSTEMD_UNIT_PATH="$2/units"
exec /lib/systemd/systemd --system --unit=default.target
"""
# wants a reboot on its way back alone, as one whose service has to be gone
MODULE = """#!/bin/sh
case $1 in
  SupportsRollback) echo Yes ;;
  NeedsArtifactReboot) [ -e "$2/tmp/asked" ] && echo Automatic; : >"$2/tmp/asked" ;;
esac
"""

pytestmark = [
    pytest.mark.root,
    pytest.mark.night,  # a machine's first process, though a small one
    pytest.mark.skipif(
        os.geteuid() != 0 or not SYSTEMD.exists() or not shutil.which("systemd-run"),
        reason="needs systemd, and root for a namespace of its own",
    ),
]


def installed(device: Device) -> None:
    module = device.root / "usr/lib/rollout/modules/system"
    module.write_text(MODULE)
    module.chmod(0o755)
    for name, data in Release(kind="system", payload={"x": b"x"}).frames(device.key).items():
        assert device.do("stage", 1, data, name=name, size=len(data), sha=sha(data)).rc == 0
    assert device.do("verify", 1).rc == 0
    assert device.do("install", 1).rc == 0
    shutil.rmtree(device.root / "run")


def forget() -> None:
    """Takes the groups away that the machine made; its last processes may take a moment to go."""
    end = time.monotonic() + 5
    while list(CGROUPS.glob("*/rollout-deadman-*")) and time.monotonic() < end:
        for left in CGROUPS.glob("*/rollout-deadman-*"):
            with contextlib.suppress(OSError):
                left.rmdir()
    for name in SCOPES:
        with contextlib.suppress(OSError):  # those of another systemd are in use
            (CGROUPS / name).rmdir()


def test_reboot_of_the_way_back_comes_though_the_dead_man_is_a_unit(one: Device, tmp_path: Path):
    installed(one)
    reboot = one.root / "usr/sbin/reboot"
    reboot.parent.mkdir()
    reboot.write_text("#!/bin/sh\necho rebooted >>/var/rebooted\n")
    reboot.chmod(0o755)
    units = tmp_path / "beside/units"
    units.mkdir(parents=True)
    for name in TARGETS:
        (units / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    line = f"activate txn={txn(1)} controller=lab epoch=1 deadline=1"
    space = ["unshare", "--mount", "--pid", "--uts", "--cgroup", "--fork", "--kill-child"]

    with (tmp_path / "said").open("wb") as said:
        machine = subprocess.Popen(
            [*space, "sh", "-c", BEGIN, "sh", one.root, tmp_path / "beside", line],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
    try:
        end = time.monotonic() + WAIT_S
        while not (one.root / "var/rebooted").exists() and time.monotonic() < end:
            time.sleep(0.1)
            assert machine.poll() is None, (tmp_path / "said").read_text()
    finally:
        machine.kill()
        machine.wait()
        forget()

    answer = one.root / "var/answer"
    assert "state probation\n" in answer.read_text()
    assert (one.root / "var/rebooted").read_text() == "rebooted\n"
    # what stays is that a reboot has to come first
    states = [path.read_text() for path in one.root.glob("var/lib/rollout/component/main/state.?")]
    assert any("\nphase reverting\n" in text for text in states)
