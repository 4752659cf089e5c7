"""The update module `swupdate`: with an SWUpdate of the test, and with the one that is installed here."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.device import slots_kit, swupdate_kit
from tests.device.kit import Shell
from tests.device.module_kit import Bench
from tests.device.module_subjects import SUBJECTS

SWUPDATE = next(subject for subject in SUBJECTS if subject.kind == "swupdate")


@pytest.fixture
def bench(tmp_path: Path, one_shell: Shell) -> Bench:
    return Bench(tmp_path / "device", one_shell, SWUPDATE)


def program(bench: Bench, name: str, body: str) -> None:
    file = bench.root / "programs" / name
    file.write_text(body)
    file.chmod(0o755)


def test_going_back_gives_the_boot_loader_its_environment_to_the_byte(bench: Bench):
    block = (bench.root / "boot/grub/grubenv").read_bytes()
    release = bench.release("r1")
    bench.do(release, "install", "activate")
    assert slots_kit.environment(bench.root)["ustate"] == "1"

    bench.do(release, "commit")
    assert slots_kit.environment(bench.root) == {
        "menu": "hidden",
        "rollout_slot": "b",
        "ustate": "0",
    }
    bench.do(release, "back")

    assert (bench.root / "boot/grub/grubenv").read_bytes() == block


def test_a_slot_that_does_not_come_up_is_left_without_another_boot(bench: Bench):
    release = bench.release("r1")
    bench.do(release, "install")
    assert release.run("activate") == (0, "Automatic")
    assert release.run("reboot")[0] == 3
    release.boot()  # and the boot loader went on with slot a

    rc, said = release.run("verify")

    assert (rc, "slot a runs, not the new one" in said) == (1, True)
    assert release.run("back") == (0, "")
    assert slots_kit.environment(bench.root)["rollout_slot"] == "a"


def test_slots_whose_file_systems_have_the_same_name_are_told_apart(bench: Bench):
    """The link of the name leads to the slot that does not run: `/` tells which one does."""
    for slot, number in (("a", "8:2"), ("b", "8:3")):
        place = bench.root / f"sys/class/block/slot-{slot}"
        place.mkdir(parents=True)
        (place / "dev").write_text(f"{number}\n")
    (bench.root / "proc/cmdline").write_text("quiet root=UUID=1-2 ro file=slot-a\n")
    rc, said = bench.release("r1").run("install")
    assert (rc, "does not tell which slot runs" in said) == (1, True)
    mounts = bench.root / "proc/self/mountinfo"
    mounts.parent.mkdir()

    mounts.write_text("21 1 8:2 / / rw - ext4 /dev/root rw\n22 21 8:3 / /mnt rw - ext4 x rw\n")
    bench.do(bench.release("r1"), "install")
    mounts.write_text("21 1 8:4 / / rw - ext4 /dev/root rw\n")
    rc, said = bench.release("r1").run("install")
    assert (rc, "neither slot runs, but 8:4" in said) == (1, True)


def test_going_back_is_refused_once_the_previous_slot_has_another_image(bench: Bench):
    made = [bench.release(name) for name in ("r1", "r2")]
    for release in made:
        bench.do(release, "install", "activate", "commit")

    rc, said = made[0].run("back")

    assert (rc, "slot a has another content by now" in said, bench.running) == (1, True, "r2")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a.swu": b"unsigned\n"}, "SWUpdate does not accept the update"),
        ({"a.swu": b"r1\n", "b.swu": b"r2\n"}, "the payload is not one update"),
        ({"a.img": b"r1\n"}, "the payload is not one update"),
    ],
)
def test_what_would_be_refused_later_is_refused_before_anything_changes(
    bench: Bench, files: dict[str, bytes], why: str
):
    release = bench.release("r1")
    before = bench.picture(), (bench.root / "dev/slot-b").read_bytes()
    for file in (release.work / "payload").iterdir():
        file.unlink()
    release.payload(files)

    rc, said = release.run("install")

    assert (rc, why in said) == (1, True)
    assert (bench.picture(), (bench.root / "dev/slot-b").read_bytes()) == before


def test_files_for_its_service_in_etc_replace_those_of_the_system(bench: Bench):
    own = bench.root / "etc/swupdate/conf.d/09-args"
    own.parent.mkdir(parents=True)
    own.write_text('SWUPDATE_ARGS="-H other:2.0 -e stable,b $NOT_SET"\n')

    rc, said = bench.release("r1").run("install")

    assert (rc, "does not accept" in said) == (1, True)


@pytest.mark.parametrize(("times", "ends"), [(3, 0), (99, 1)])
def test_an_swupdate_that_ends_with_1_and_names_no_error_is_asked_again(
    bench: Bench, times: int, ends: int
):
    left = bench.root / "acts/ends"
    left.parent.mkdir(exist_ok=True)
    left.write_text(f"{times}\n")
    flaky = f'read -r n <{left}; echo $((n - 1)) >{left}; [ "$n" -le 0 ] || exit 1\n'
    (bench.root / "programs/real-swupdate").write_text(swupdate_kit.SWUPDATE + flaky)
    release = bench.release("r1")
    bench.do(release, "install")

    assert release.run("activate")[0] == ends


def test_read_back_sees_the_slot_that_runs_and_what_was_written_there(bench: Bench):
    release = bench.release("r1")
    bench.do(release, "install", "activate")
    assert release.answer("ReadBack") == "active"

    (bench.root / "var/lib/rollout/slots/b").write_text("writing\n")
    assert release.answer("ReadBack") == "inactive"


@pytest.mark.parametrize("slots", ["", "a /dev/slot-a\nb /dev/slot-b\nboot systemd-boot\n"])
def test_a_device_without_a_known_boot_loader_refuses(bench: Bench, slots: str):
    (bench.root / "etc/rollout/slots").write_text(slots)

    rc, said = bench.release("r1").run("install")

    assert (rc, "no /etc/rollout/slots with U-Boot or GRUB" in said) == (1, True)


def test_the_environment_of_u_boot_comes_back_variable_by_variable(bench: Bench):
    if not (printenv := shutil.which("fw_printenv")) or not (setenv := shutil.which("fw_setenv")):
        pytest.skip("fw_printenv and fw_setenv are not installed")
    (bench.root / "etc/rollout/slots").write_text("a /dev/slot-a\nb /dev/slot-b\nboot uboot\n")
    store, config, defaults = (bench.root / "acts" / name for name in ("env", "config", "defaults"))
    store.parent.mkdir(exist_ok=True)
    store.write_bytes(bytes(4096))
    config.write_text(f"{store} 0x0 0x1000\n")
    defaults.write_text("slot=a\nbootcmd=run this; run that\n")
    for name, real in (("fw_printenv", printenv), ("fw_setenv", setenv)):
        program(bench, name, f'#!/bin/sh\nexec {real} -c {config} -f {defaults} "$@"\n')
    switch = (
        "fw_setenv slot b && fw_setenv bootcmd && fw_setenv ustate 1 && fw_setenv bootcount 2\n"
    )
    body = swupdate_kit.SWUPDATE.partition("env=$ROLLOUT_ROOT")[0] + switch
    (bench.root / "programs/real-swupdate").write_text(body)

    def variables() -> set[str]:
        argv = [printenv, "-c", config, "-f", defaults]
        return set(subprocess.check_output(argv, text=True).splitlines())

    before = variables()
    release = bench.release("r1")
    bench.do(release, "install")
    assert release.run("activate") == (0, "Automatic")
    slots_kit.runs(bench.root, "b")
    assert release.run("verify")[0] == 0
    bench.do(release, "commit")
    assert variables() == {"slot=b", "ustate=0", "bootcount=0"}
    assert release.run("back")[0] == 3
    slots_kit.runs(bench.root, "a")
    release.boot()

    assert release.run("back")[0] == 0
    assert variables() == before
    assert before == {"slot=a", "bootcmd=run this; run that"}


def test_an_environment_of_u_boot_that_cannot_be_read_is_no_way_back(bench: Bench):
    (bench.root / "etc/rollout/slots").write_text("a /dev/slot-a\nb /dev/slot-b\nboot uboot\n")
    said = '#!/bin/sh\necho "Warning: Bad CRC, using default environment" >&2\necho bootcmd=x\n'
    program(bench, "fw_printenv", said)
    release = bench.release("r1")
    bench.do(release, "install")

    rc, told = release.run("activate")

    assert (rc, "environment cannot be kept" in told) == (1, True)
    assert (bench.root / "dev/slot-b").read_bytes() == bytes(slots_kit.SLOT_BYTES)


POST = """#!/bin/sh
[ "$1" = postinst ] || exit 0
sed -i 's/rollout_slot=./rollout_slot=b/' "{env}"
"""
SLOT = """{{ images: ( {{ filename = "system.img"; device = "{device}"; type = "raw"; sha256 = "{image}"; }} );
  scripts: ( {{ filename = "post.sh"; type = "shellscript"; sha256 = "{post}"; }} ); }};"""


def real_update(place: Path, root: Path, name: str, *, key: str = "key") -> bytes:
    """Signed with that key of `place`, for slot b of that root."""
    content = place / name
    content.mkdir()
    (content / "system.img").write_bytes(slots_kit.image(name))
    (content / "post.sh").write_text(POST.format(env=root / "boot/grub/grubenv"))
    sums = [
        hashlib.sha256((content / file).read_bytes()).hexdigest()
        for file in ("system.img", "post.sh")
    ]
    slot = SLOT.format(device=root / "dev/slot-b", image=sums[0], post=sums[1])
    (content / "sw-description").write_text(
        f'software = {{ version = "1.0"; hardware-compatibility: [ "1.0" ]; stable = {{ b: {slot} }}; }}\n'
    )
    sign = ["openssl", "cms", "-sign", "-in", "sw-description", "-out", "sw-description.sig"]
    sign += ["-signer", place / f"{key}.pem", "-inkey", place / f"{key}.key"]
    subprocess.run(
        [*sign, "-outform", "DER", "-nosmimecap", "-binary"],
        cwd=content,
        check=True,
        capture_output=True,
    )
    names = "sw-description\nsw-description.sig\nsystem.img\npost.sh\n"
    pack = ["cpio", "-o", "-H", "crc"]
    done = subprocess.run(pack, cwd=content, input=names.encode(), check=True, capture_output=True)
    return done.stdout


def keys(place: Path, name: str) -> None:
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    argv += ["-keyout", place / f"{name}.key", "-out", place / f"{name}.pem", "-subj", "/CN=t"]
    subprocess.run(
        [*argv, "-addext", "extendedKeyUsage=emailProtection"], check=True, capture_output=True
    )


def test_the_installed_swupdate_takes_updates_and_refuses_others_before_they_touch_a_slot(
    bench: Bench, tmp_path: Path
):
    real = [shutil.which(name) for name in ("swupdate", "cpio", "openssl")]
    if not all(real):
        pytest.skip("swupdate, cpio and openssl are not all installed")
    program(bench, "real-swupdate", f'#!/bin/sh\nexec {real[0]} "$@"\n')
    (bench.root / "usr/lib/swupdate/conf.d/09-args").write_text(
        f'SWUPDATE_ARGS="-H lab:1.0 -e stable,b -k {tmp_path}/key.pem"\n'
    )
    keys(tmp_path, "key")
    keys(tmp_path, "other")
    block = (bench.root / "boot/grub/grubenv").read_bytes()
    foreign, good = bench.release("r1"), bench.release("r1")
    foreign.payload({"system.swu": real_update(tmp_path, bench.root, "foreign", key="other")})
    good.payload({"system.swu": real_update(tmp_path, bench.root, "r1")})

    rc, said = foreign.run("install")
    assert (rc, "does not accept" in said) == (1, True)
    assert not (bench.root / "dev/slot-b").read_bytes().strip(b"\0")
    bench.do(good, "install")
    assert not (bench.root / "dev/slot-b").read_bytes().strip(b"\0")
    bench.do(good, "activate", "commit")
    assert (bench.running, good.answer("ReadBack")) == ("r1", "active")
    bench.do(good, "back")

    assert (bench.running, (bench.root / "boot/grub/grubenv").read_bytes()) == ("", block)
