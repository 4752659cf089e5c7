"""Mender's module for whole systems (from its version 4 on), unmodified below our executor: two slots, a loader that counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.device.executor_kit import Executor
from tests.device.kit import Shell
from tests.integration.mender_kit import MODULES_OF_CLIENT

MODULE = MODULES_OF_CLIENT / "rootfs-image"
pytestmark = pytest.mark.skipif(
    not MODULE.exists(), reason="Mender's update module rootfs-image is not installed"
)
IMAGE = b"new" * 100_000
# `environment` are the loader's variables, `running` the slot that / lies on.
PROGRAMS = {
    "fw_printenv": 'grep "^$1=" {at}/environment || :\n',
    "fw_setenv": """put() {{ sed -i "/^$1=/d" {at}/environment && echo "$1=$2" >>{at}/environment; }}
case $1 in -s) while IFS='=' read -r key value; do put "$key" "$value"; done ;; *) put "$1" "$2" ;; esac
""",
    "findfs": "cat {at}/running\n",
    "jq": "case $2 in *PartA*) echo {at}/slot2 ;; *) echo {at}/slot3 ;; esac\n",
}


class Machine:
    """A device with slots 2 and 3, of which 2 runs, and a loader that leaves what was not confirmed after one boot."""

    def __init__(self, at: Path) -> None:
        self.at = at
        (at / "programs").mkdir()
        for name, text in PROGRAMS.items():
            (at / "programs" / name).write_text("#!/bin/sh\n" + text.format(at=at))
            (at / "programs" / name).chmod(0o755)
        (at / "mender.conf").write_text("{}\n")
        self.environment = {"mender_boot_part": "2", "upgrade_available": "0"}
        for slot in "23":
            (at / f"slot{slot}").write_bytes(f"system {slot}".encode())
        path = f"{at}/programs:/usr/sbin:/usr/bin:/sbin:/bin"
        shell = Shell("sh", ("sh",), path)
        # it looks for its configuration below the real root
        module = MODULE.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\nMENDER_CONF_DIR={at}\n", 1)
        self.release = Executor(at / "root", shell, "rootfs-image", module)
        self.release.payload({"system.img": IMAGE})
        self.boot()

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=") for line in (self.at / "environment").read_text().split())

    @environment.setter
    def environment(self, values: dict[str, str]) -> None:
        (self.at / "environment").write_text("".join(f"{k}={v}\n" for k, v in values.items()))

    @property
    def running(self) -> str:
        return (self.at / "running").read_text().strip()[-1]

    def boot(self, *, comes_up: bool = True) -> None:
        now = self.environment
        if now["upgrade_available"] == "1":
            if now["bootcount"] == "0" and comes_up:
                self.environment = now | {"bootcount": "1"}
            else:
                other = {"2": "3", "3": "2"}[now["mender_boot_part"]]
                self.environment = {"mender_boot_part": other, "upgrade_available": "0"}
        (self.at / "running").write_text(f"{self.at}/slot{self.environment['mender_boot_part']}\n")
        self.release.boot()

    def try_out(self, *, comes_up: bool = True) -> int:
        """Installs and boots it; gives how its proof ended."""
        assert self.release.run("install") == (0, "")
        assert (self.at / "slot3").read_bytes() == IMAGE
        assert self.release.run("activate") == (0, "Automatic")
        assert self.release.run("reboot")[0] == 3
        self.boot(comes_up=comes_up)
        return self.release.run("verify")[0]

    def go_back(self) -> int:
        while (rc := self.release.run("back")[0]) == 3:
            self.boot()
        return rc


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_their_system_that_is_committed_stays(machine: Machine):
    assert machine.try_out() == 0
    assert machine.release.run("commit") == (0, "")
    machine.boot()

    assert machine.running == "3"
    assert machine.release.run("cleanup") == (0, "")


@pytest.mark.parametrize("comes_up", [False, True])
def test_their_system_that_is_not_goes_back(machine: Machine, comes_up: bool):
    assert (machine.try_out(comes_up=comes_up) == 0) is comes_up

    assert machine.go_back() == 0
    machine.boot()
    assert machine.running == "2"
    assert (machine.at / "slot2").read_bytes() == b"system 2"
