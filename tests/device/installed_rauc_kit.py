"""The RAUC that is installed here, on a bus, with slots and a boot chooser of the test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

SLOT_BYTES = 16 * 1024
PROGRAMS = ("rauc", "mksquashfs", "dbus-daemon", "openssl")
BUS = """<busconfig><type>session</type><listen>unix:path={place}/bus</listen>
<servicedir>{place}/services</servicedir><policy context="default"><allow user="*"/>
<allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
"""
SERVICE = "[D-BUS Service]\nName=de.pengutronix.rauc\nExec=/bin/sh {place}/serve\n"
SERVE = """echo $$ >{place}/pid
read -r slot <{place}/booted
exec {rauc} --conf={place}/system.conf service --override-boot-slot=$slot
"""
# As on a device whose boot loader says `root=UUID=`: nobody tells RAUC which slot that is.
SERVE_BY_UUID = """echo $$ >{place}/pid
read -r slot <{place}/booted
exec unshare -m sh -c '
  echo "quiet root=UUID=of-$0 ro" >{place}/cmdline && mount --bind {place}/cmdline /proc/cmdline &&
  mkdir -p {place}/dev && mount -t tmpfs dev {place}/dev && mkdir {place}/dev/over {place}/dev/work &&
  mount -t overlay -o lowerdir=/dev,upperdir={place}/dev/over,workdir={place}/dev/work dev /dev &&
  mkdir -p /dev/disk/by-uuid && ln -s {place}/A /dev/disk/by-uuid/of-A && ln -s {place}/B /dev/disk/by-uuid/of-B &&
  exec {rauc} --conf={place}/system.conf service' "$slot"
"""
CONF = """[system]
compatible=lab
bootloader=custom
statusfile={place}/status
mountprefix={place}/mounts
bundle-formats=plain
[handlers]
bootloader-custom-backend={place}/chooser
pre-install={place}/before
[keyring]
path={place}/cert.pem
[slot.rootfs.0]
device={place}/A
type=raw
bootname=A
[slot.rootfs.1]
device={place}/B
type=raw
bootname=B
"""
CHOOSER = """#!/bin/sh
case $1 in
  get-primary) cat {place}/primary ;;
  set-primary) echo "$2" >{place}/primary && echo good >{place}/state.$2 ;;
  get-state) cat {place}/state.$2 ;;
  set-state) echo "$3" >{place}/state.$2 ;;
  *) exit 1 ;;
esac
"""
# Where there is a `hold`, its client is killed, and the service waits for a word.
BEFORE = """#!/bin/sh
[ -p {place}/hold ] || exit 0
for who in module executor; do
  read -r pid _ <$(cat {place}/root)/run/rollout/$who && kill -9 -$pid
done
read -r _ <{place}/hold
"""
SLEEP = """#!/bin/sh
[ ! -p {place}/hold ] || {{ echo go on >{place}/hold && rm {place}/hold; }}
"""
CLIENT = """#!/bin/sh
DBUS_SYSTEM_BUS_ADDRESS=unix:path={place}/bus exec {rauc} --conf={place}/system.conf "$@"
"""


def why_not() -> str:
    """The reason why this cannot run here; empty when it can."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        return f"{missing[0]} is not installed"
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        return "RAUC mounts bundles, which needs root and loop devices"
    return ""


class Installed:
    """Slots, keys, a boot chooser and a bus in one short place; A runs the system of the factory.

    `by_uuid`: RAUC finds out by itself which slot runs, from the kernel's command line.
    """

    def __init__(self, place: Path, *, by_uuid: bool = False) -> None:
        self.place = place
        (place / "services").mkdir()
        files = {
            "bus.conf": BUS,
            "services/rauc.service": SERVICE,
            "serve": SERVE_BY_UUID if by_uuid else SERVE,
            "system.conf": CONF,
        }
        programs = {"chooser": CHOOSER, "client": CLIENT, "before": BEFORE, "sleep": SLEEP}
        for name, text in (files | programs).items():
            self.put(name, text.format(place=place, rauc=shutil.which("rauc")))
            (place / name).chmod(0o755)
        for slot in "AB":
            (place / slot).write_bytes(b"factory\n".ljust(SLOT_BYTES, b"\0"))
            self.put(f"state.{slot}", "good\n")
        self.put("primary", "A\n")
        self.put("booted", "A\n")
        self.keys("cert.pem", "key.pem")
        self._bus: subprocess.Popen[str] | None = None
        self.boot()

    def put(self, name: str, text: str) -> None:
        (self.place / name).write_text(text)

    def read(self, name: str) -> str:
        return (self.place / name).read_text().strip()

    def keys(self, cert: str, key: str) -> None:
        argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
        argv += ["-keyout", self.place / key, "-out", self.place / cert, "-subj", "/CN=of-test"]
        subprocess.run(argv, check=True, capture_output=True)

    def bundle(self, name: str, compatible: str = "lab", by: str = "cert.pem key.pem") -> bytes:
        content, cert, key = self.place / "content", *(self.place / file for file in by.split())
        content.mkdir(exist_ok=True)
        (content / "system.img").write_bytes(f"{name}\n".encode().ljust(SLOT_BYTES, b"\1"))
        (content / "manifest.raucm").write_text(
            f"[update]\ncompatible={compatible}\nversion={name}\n"
            "[bundle]\nformat=plain\n[image.rootfs]\nfilename=system.img\n"
        )
        out = self.place / "made.raucb"
        out.unlink(missing_ok=True)
        argv = ["rauc", f"--cert={cert}", f"--key={key}", f"--keyring={cert}", "bundle"]
        subprocess.run([*argv, content, out], check=True, capture_output=True)
        return out.read_bytes()

    def boot(self) -> None:
        """The primary slot runs, and a new bus starts RAUC's service when somebody asks."""
        self.stop()
        first = self.read("primary")
        self.put("booted", f"{first if self.read(f'state.{first}') == 'good' else 'A'}\n")
        argv = ["dbus-daemon", f"--config-file={self.place}/bus.conf", "--nofork", "--nopidfile"]
        self._bus = subprocess.Popen(
            [*argv, "--print-address"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._bus.stdout is not None
        assert self._bus.stdout.readline()  # it listens

    def stop(self) -> None:
        if self._bus is not None:
            self._bus.kill()
            self._bus.communicate()
            self._bus = None
        pid = self.place / "pid"
        if pid.exists():
            subprocess.run(
                ["kill", "-9", pid.read_text().strip()], check=False, capture_output=True
            )
            pid.unlink()

    def status(self) -> dict[str, str]:
        """What RAUC says runs and is booted next, and whether each slot is good."""
        done = subprocess.run(
            [self.place / "client", "status", "--output-format=json"],
            check=True, capture_output=True,
        )  # fmt: skip
        said = json.loads(done.stdout)
        slots = [slot for one in said["slots"] for slot in one.values()]
        states = {slot["bootname"]: slot["boot_status"] for slot in slots}
        return {"booted": said["booted"], "primary": said["boot_primary"], **states}

    @property
    def running(self) -> str:
        name = (self.place / self.read("booted")).read_bytes().partition(b"\n")[0].decode()
        return "" if name == "factory" else name
